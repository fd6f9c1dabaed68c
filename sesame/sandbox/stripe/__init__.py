"""A stand-in for the part of Stripe that we use: cards, webhooks, disputes, balance."""

from sesame.sandbox.stripe.app import StripeOptions, create_stripe_stand_in

__all__ = ["StripeOptions", "create_stripe_stand_in"]
