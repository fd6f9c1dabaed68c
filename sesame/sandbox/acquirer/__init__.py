"""A stand-in for the platform of docs/acquirer-wire.md."""

from sesame.sandbox.acquirer.app import Options, StandIn, create_stand_in

__all__ = ["Options", "StandIn", "create_stand_in"]
