"""The first provider: our own signed wire to an acquirer, see docs/acquirer-wire.md."""

from parking.payments.providers.acquirer.adapter import AcquirerProvider
from parking.payments.providers.acquirer.transport import AcquirerSettings

__all__ = ["AcquirerProvider", "AcquirerSettings"]
