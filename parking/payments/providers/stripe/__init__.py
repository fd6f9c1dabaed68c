"""Cards through Stripe, by the official library: see docs/payments/stripe.md."""

from parking.payments.providers.stripe.adapter import StripeProvider
from parking.payments.providers.stripe.settings import StripeSettings

__all__ = ["StripeProvider", "StripeSettings"]
