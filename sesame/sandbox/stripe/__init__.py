"""A stand-in for the part of Stripe that we use: cards, webhooks, disputes, balance."""

from sesame.sandbox.stripe.app import Options, create_stand_in

__all__ = ["Options", "create_stand_in"]
