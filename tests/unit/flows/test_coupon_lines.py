"""What a bill's lines say of its coupons."""

from uuid import UUID

from parking.flows.bills.bill_lines import BillLine
from parking.flows.bills.coupon_lines import explained
from parking.tariffs.coupon_choice import Decision
from parking.tariffs.coupon_terms import CouponTerms


def test_each_coupon_is_explained_by_the_lines() -> None:
    kept, other = [
        CouponTerms(id=UUID(int=number), name=name, kind="free", group="spring")
        for number, name in ((1, "One"), (2, "Two"))
    ]
    lines = [
        BillLine("increment", 500, 500),
        BillLine("coupon", -500, 0, note="One", coupon_id=str(kept.id)),
    ]
    found = [
        (each.coupon.name, each.decision, each.amount_minor, each.because_of)
        for each in explained([kept, other], lines)
    ]
    assert found == [
        ("One", Decision.APPLIED, 500, ""),
        ("Two", Decision.SAME_GROUP, 0, "One"),
    ]
