"""The stand-in as one ASGI application."""

from parking.kit.clock import Clock
from sesame.sandbox.acquirer.notices import describe
from sesame.sandbox.acquirer.signing import SCHEME
from sesame.sandbox.acquirer.wire import wire_routes
from sesame.sandbox.platform import create_app
from sesame.sandbox.signed_wire import Options, SignedNotices, StandIn, open_wire, stand_in


def create_stand_in(options: Options, clock: Clock) -> StandIn:
    """Return the stand-in; see `open_wire`."""
    wire = open_wire(options, SCHEME, "agreement", clock)
    notices = SignedNotices(wire, describe)
    return stand_in(wire, create_app(wire.platform, notices, routes=wire_routes(wire)))
