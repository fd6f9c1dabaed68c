"""Telling whose money was taken: every captured order has an event that says so."""

from datetime import timedelta
from typing import Any, Final

from parking.kit.database import UnitOfWork
from parking.payments.models import PaymentAttempt
from parking.sessions.models import Session

# Providers take their time: what is charged soon after a departure still belongs to the drive.
DEPARTURE: Final = timedelta(minutes=30)
# Who claims a bill for a partner where no person does.
SWEEP: Final = "collection"


def told_of(unit: UnitOfWork, attempt: PaymentAttempt) -> dict[str, Any]:
    """Return what the event of the same transaction says about an order that took money.

    Whose account was charged by mandate is told of it, whoever has the car or the pass by now.
    """
    payload: dict[str, Any] = {
        "attempt_id": str(attempt.id),
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
        "provider": attempt.provider,
        "charged_at": unit.now().isoformat(),
    }
    if attempt.driver_id is not None and attempt.mandate_id is not None:
        payload["driver_id"] = str(attempt.driver_id)
    return payload


def told_of_stay(unit: UnitOfWork, session: Session, attempt: PaymentAttempt) -> dict[str, Any]:
    """Return the same of a stay's order; what is collected after the drive may wait for the day."""
    payload = told_of(unit, attempt)
    if session.left_at is not None and session.left_at + DEPARTURE < unit.now():
        payload["can_wait"] = True
    return payload
