"""A stand-in for the acquirer of docs/etc-wire.md."""

from sesame.sandbox.etc.app import EtcOptions, create_etc_stand_in

__all__ = ["EtcOptions", "create_etc_stand_in"]
