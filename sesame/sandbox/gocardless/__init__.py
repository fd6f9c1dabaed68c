"""A stand-in for GoCardless' API, as far as a bank mandate needs it."""

from sesame.sandbox.gocardless.app import (
    GoCardlessOptions,
    GoCardlessStandIn,
    create_gocardless_stand_in,
)

__all__ = ["GoCardlessOptions", "GoCardlessStandIn", "create_gocardless_stand_in"]
