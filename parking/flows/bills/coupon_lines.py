"""What a stay's bills say that coupons took off. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from parking.flows.bills.bill_lines import BillLine
from parking.flows.bills.waivers import credits_of, waived_minor
from parking.payments.models import Bill, BillState
from parking.tariffs.coupon_choice import CouponDecision, Reduction, explain
from parking.tariffs.coupon_terms import CouponTerms

_COUNTED = (BillState.PAID, BillState.OWED, BillState.WRITTEN_OFF)


def counted_of(bills: Iterable[Bill]) -> list[Bill]:
    """Return the bills that say what a stay cost: not those that a newer one may still replace."""
    return [bill for bill in bills if bill.state in _COUNTED]


def taken_minor(bills: Sequence[Bill]) -> Mapping[UUID, int]:
    """Return what each coupon takes off a stay, by its newest bill that counts.

    A bill prices the stay from its beginning, so the newest says all that coupons took off. Nothing
    where all that was billed was given back: then no coupon was used up.
    """
    counted = counted_of(bills)
    if not counted or _is_given_back(counted):
        return {}
    lines = (line for line in counted[-1].lines if line.get("coupon_id"))
    return {UUID(line["coupon_id"]): -line["amount_minor"] for line in lines}


def _is_given_back(counted: Sequence[Bill]) -> bool:
    is_zero = not any(bill.total_minor for bill in counted)
    return is_zero and waived_minor(credits_of(counted)) > 0


def explained(coupons: Sequence[CouponTerms], lines: Iterable[BillLine]) -> list[CouponDecision]:
    """Return what became of each coupon on a bill with these lines, and why."""
    amounts = {line.coupon_id: -line.amount_minor for line in lines if line.coupon_id}
    taken = [Reduction(each, amounts[str(each.id)]) for each in coupons if str(each.id) in amounts]
    return explain(coupons, taken)
