"""What a provider finds an order by, as a test needs it."""

from datetime import UTC, datetime

from parking.kit.money import Money
from parking.payments.port import SentOrder

SENT_AT = datetime(2026, 11, 23, 8, tzinfo=UTC)


def sent(number: str, amount: Money, *, is_checkout: bool = False) -> SentOrder:
    """Return an order that was sent, without what its answer said."""
    return SentOrder(number=number, amount=amount, is_checkout=is_checkout, sent_at=SENT_AT)
