"""A stand-in for the acquirer of docs/etc-wire.md."""

from sesame.sandbox.etc.app import Options, create_stand_in

__all__ = ["Options", "create_stand_in"]
