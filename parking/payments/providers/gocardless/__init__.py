"""Bank debits (SEPA) through GoCardless: credit, never proof at a gate.

See docs/payments/gocardless.md. Written on httpx: the vendor's library opens a connection for each
call, sleeps between three tries of its own, and has no deadline over the whole.
"""

from parking.payments.providers.gocardless.adapter import GoCardlessProvider
from parking.payments.providers.gocardless.settings import GoCardlessSettings

__all__ = ["GoCardlessProvider", "GoCardlessSettings"]
