"""The first provider: our own signed wire to an acquirer, see docs/acquirer-wire.md."""

from parking.payments.providers.acquirer.adapter import AcquirerProvider

__all__ = ["AcquirerProvider"]
