"""A stand-in for the platform of docs/acquirer-wire.md."""

from sesame.sandbox.acquirer.app import create_stand_in
from sesame.sandbox.signed_wire import Options, StandIn

__all__ = ["Options", "StandIn", "create_stand_in"]
