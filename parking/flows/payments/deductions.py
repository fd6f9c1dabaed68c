"""Telling whose money was taken: every captured order has an event that says so."""

from typing import Any

from parking.kit.database import UnitOfWork
from parking.payments.models import PaymentAttempt


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
