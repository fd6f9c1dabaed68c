"""The bill of one period of a pass."""

from datetime import datetime

from parking.flows.bill_lines import BillLine, stored_lines
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.passes.models import AssignedRight, RightSpecification
from parking.payments import repository as payment_rows
from parking.payments import service as payments
from parking.payments.models import Bill, BillState

# The reason of the one line of a pass's bill.
PERIOD_REASON = "pass_period"


async def issue(
    unit: UnitOfWork,
    right: AssignedRight,
    product: RightSpecification,
    *,
    total_minor: int,
    starts_at: datetime,
    ends_at: datetime,
) -> Bill:
    """Issue the bill of the locked pass's next period; one over nothing is paid at once.

    Its basis says how the amount follows: the price of a whole period, and which period it is.
    """
    line = BillLine(
        reason=PERIOD_REASON,
        amount_minor=total_minor,
        running_total_minor=total_minor,
        starts_at=starts_at,
        ends_at=ends_at,
        note=product.name,
    )
    bill = await payments.issue_bill(
        unit,
        payments.NewBill(
            operator_id=right.operator_id,
            pass_id=right.id,
            driver_id=right.driver_id,
            total=Money(total_minor, product.currency),
            lines=stored_lines([line]),
            priced_until=ends_at,
            basis={
                "description": product.name,
                "specification_id": str(product.id),
                "price_minor": right.price_minor,
                "is_prorated": product.is_prorated,
                "first_day": right.first_day.isoformat(),
                "period": right.periods + 1,
            },
        ),
    )
    right.bill_id = bill.id
    unit.session.add(right)
    return bill


async def standing(unit: UnitOfWork, right: AssignedRight) -> Bill | None:
    """Return the unpaid bill of the pass's next period; None where none was issued yet."""
    if right.bill_id is None:
        return None
    bill = await payment_rows.find_bill(unit, right.operator_id, right.bill_id)
    if bill is None or bill.state != BillState.ISSUED:
        return None
    return bill if bill.basis.get("period") == right.periods + 1 else None


async def give_up(unit: UnitOfWork, right: AssignedRight) -> bool:
    """Void the pass's unpaid bill; False where a payment of it is under way.

    The pass is locked.
    """
    bill = await standing(unit, right)
    if bill is None:
        return True
    locked = await payment_rows.lock_bill(unit, bill.operator_id, bill.id)
    if locked is None or locked.state != BillState.ISSUED:
        return True
    if locked.live_attempt_id is not None:
        return False
    await payments.void_bill(unit, locked)
    return True
