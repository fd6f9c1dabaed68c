"""What a settled payment means for the pass that it was for."""

from parking.kit.database import UnitOfWork
from parking.payments.models import Bill, PaymentAttempt


async def settled(unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt) -> None:
    """Follow an attempt whose state changed; both rows are locked."""
    _ = unit, bill, attempt
