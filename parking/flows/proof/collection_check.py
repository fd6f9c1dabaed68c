"""Checking a bill that an operator collects for a partner: its one line is what is owed there."""

from uuid import UUID

from parking.flows.bills.bill_lines import BillLine, StayLines
from parking.flows.bills.checks import (
    Check,
    CheckName,
    LineCheck,
    check_lines,
    check_total,
    failed,
    passed,
    unknown_lines,
)
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.payments import partner_collections, repository
from parking.payments.models import Bill
from parking.payments.partner_collections import COLLECTED_FOR_PARTNER


async def check(
    unit: UnitOfWork, bill: Bill, collection_id: UUID
) -> tuple[list[Check], tuple[LineCheck, ...]]:
    """Compare a bill with the partner's bill that it is collected for."""
    total = Money(bill.total_minor, bill.currency)
    collection = await partner_collections.find(unit, bill.operator_id, collection_id)
    owed = (
        None
        if collection is None
        else await repository.find_bill(unit, collection.owner_id, collection.owed_bill_id)
    )
    if owed is None or bill.basis.get("owed_bill_id") != str(owed.id):
        words = "the partner's bill that it is collected for does not exist"
        line_check, lines = unknown_lines(bill.lines, words)
        found = bill.basis.get("owed_bill_id", "")
        missed = failed(CheckName.BASIS, "a partner's bill", found, words)
        return [missed, line_check, check_total(total, bill.lines, None)], lines
    note = str(bill.basis.get("place_name", ""))
    line = BillLine(COLLECTED_FOR_PARTNER, owed.total_minor, owed.total_minor, note=note)
    amount = Money(owed.total_minor, owed.currency)
    computed = StayLines(lines=(line,), total=amount, due=amount)
    line_check, lines = check_lines(bill.lines, computed, bill.currency)
    basis = passed(CheckName.BASIS, owed.id, "it names the partner's bill that it is collected for")
    return [basis, line_check, check_total(total, bill.lines, computed)], lines
