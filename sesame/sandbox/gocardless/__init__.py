"""A stand-in for GoCardless' API, as far as a bank mandate needs it."""

from sesame.sandbox.gocardless.app import Options, create_stand_in

__all__ = ["Options", "create_stand_in"]
