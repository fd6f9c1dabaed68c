"""The bill of one period of a pass: issued from its basis, checked by it, given up."""

from parking.flows.bills.bill_lines import stored_lines
from parking.flows.bills.checks import (
    Check,
    CheckName,
    LineCheck,
    check_lines,
    check_total,
    missing,
    passed,
    unknown_lines,
)
from parking.flows.passes.pass_basis import PassBasis, recompute
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.passes import rules
from parking.passes.models import AssignedRight, RightSpecification
from parking.payments import repository as payment_rows
from parking.payments import service as payments
from parking.payments.models import Bill, BillState


async def issue(
    unit: UnitOfWork, right: AssignedRight, product: RightSpecification, *, price_minor: int
) -> Bill:
    """Issue the bill of the locked pass's next period; one over nothing is paid at once.

    Args:
        unit: The transaction.
        right: Locked.
        product: What it is a pass of.
        price_minor: Of a whole period; a first one that is prorated costs its share.
    """
    basis = PassBasis.of(right, product, price_minor)
    computed = recompute(basis)
    bill = await payments.issue_bill(
        unit,
        payments.NewBill(
            operator_id=right.operator_id,
            pass_id=right.id,
            driver_id=right.driver_id,
            total=computed.due,
            lines=stored_lines(computed.lines),
            priced_until=rules.period_end(product, right.first_day, right.periods + 1),
            basis=basis.to_json(),
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
    return bill if period_of(bill) == right.periods + 1 else None


def period_of(bill: Bill) -> int:
    """Return which period of its pass a bill is for, from 1; 0 for none."""
    return int(bill.basis.get("period", 0))


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


def check(bill: Bill) -> tuple[list[Check], tuple[LineCheck, ...]]:
    """Compare a pass's bill with what follows from its basis."""
    total = Money(bill.total_minor, bill.currency)
    try:
        computed = recompute(PassBasis.from_json(bill.basis))
    except InvalidInputError as error:
        words = f"the stored basis cannot be read: {error}"
        line_check, lines = unknown_lines(bill.lines, words)
        return [
            missing(CheckName.BASIS, words),
            line_check,
            check_total(total, bill.lines, None),
        ], lines
    line_check, lines = check_lines(bill.lines, computed, bill.currency)
    return [
        passed(CheckName.BASIS, "pass format 1", "it stores the terms and the period"),
        line_check,
        check_total(total, bill.lines, computed),
    ], lines
