"""What a settled payment means for the pass that it was for."""

from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.passes import repository
from parking.payments.models import Bill, PaymentAttempt


async def lock(unit: UnitOfWork, operator_id: UUID, pass_id: UUID) -> None:
    """Lock the pass before its bill, as a stay is locked before its bills."""
    await repository.lock_right(unit, operator_id, pass_id)


async def settled(unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt) -> None:
    """Follow an attempt whose state changed; both rows and their pass are locked."""
    _ = unit, bill, attempt
