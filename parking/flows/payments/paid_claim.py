"""A claim on a plate that was proven by paying: what follows when the money is there.

The payment page was opened for the claim's driver alone. Whoever else pays the bill closes that
page first, and so proves nothing for this driver.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.payments.models import PaymentAttempt
from parking.plates import repository as plate_rows
from parking.plates import rules
from parking.plates import service as plates
from parking.plates.models import Proof
from parking.sessions.models import Session

# A page that was paid much later does not say who was in the car.
PAID_WITHIN: Final = timedelta(minutes=30)
_KIND: Final = "claim"


def mark_of(driver_id: UUID, claim_id: UUID) -> str:
    """Return for whom a payment page is that proves a claim."""
    return f"{_KIND}:{driver_id}:{claim_id}"


async def paid(unit: UnitOfWork, session: Session, attempt: PaymentAttempt) -> None:
    """Bind the plate of a paid bill to the driver whose page it was; part of the settlement.

    No statement for any other payment.
    """
    mark = attempt.checkout_for or ""
    if not mark.startswith(f"{_KIND}:") or unit.now() - attempt.sent_at > PAID_WITHIN:
        return
    driver_id, claim_id = (UUID(key) for key in mark.split(":")[1:])
    claim = await plate_rows.lock_claim_of(unit, driver_id, claim_id)
    if claim is None or claim.plate_index != session.plate_index:
        return
    if rules.claim_refusal(claim, unit.now()) is None:
        await plates.prove(unit, claim, Proof.PAYMENT)
