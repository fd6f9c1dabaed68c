"""What the stand-ins of our own wires share: signed calls, answers and notices.

A wire is docs/acquirer-wire.md or docs/etc-wire.md. Nothing here is shared with the merchant's
half, `parking.payments.signed_wire`: two readings of one page that must agree.
"""

from sesame.sandbox.signed_wire.calls import AgreementCall, EmptyCall
from sesame.sandbox.signed_wire.notices import SignedNotices
from sesame.sandbox.signed_wire.opening import Options, StandIn, open_wire, stand_in
from sesame.sandbox.signed_wire.signing import MerchantKey, PlatformKey, Scheme, fingerprint
from sesame.sandbox.signed_wire.wire import Endpoint, SignedWire, WireError, signed_route
from sesame.sandbox.signed_wire.work import SignedWork, new_order

__all__ = [
    "AgreementCall",
    "EmptyCall",
    "Endpoint",
    "MerchantKey",
    "Options",
    "PlatformKey",
    "Scheme",
    "SignedNotices",
    "SignedWire",
    "SignedWork",
    "StandIn",
    "WireError",
    "fingerprint",
    "new_order",
    "open_wire",
    "signed_route",
    "stand_in",
]
