"""Objects that are told as they are read say what objects made at once said."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from api.global_ids import encode_id
from api.types.bill import Bill, BillLine, bill_line
from api.types.place import Place
from api.types.refund import Refund
from api.types.session import Session, Vehicle
from parking.flows.bills import live_bill
from parking.flows.driver_view import SessionView
from parking.flows.payments.refund_view import RefundView
from parking.flows.place_view import PlaceView
from parking.kit.money import Money
from parking.payments.models import RefundState
from parking.sessions.models import SessionState
from parking.tariffs.circumstances import Circumstances
from parking.tariffs.circumstances import Vehicle as PricedVehicle

OPERATOR, PLACE, STAY, REFUND, BILL = (UUID(int=number) for number in range(1, 6))
ENTERED: Final = datetime(2025, 3, 3, 9, tzinfo=UTC)


def later(minutes: int) -> datetime:
    return ENTERED + timedelta(minutes=minutes)


LINE: Final = live_bill.BillLine(
    reason="increment",
    amount_minor=600,
    running_total_minor=900,
    starts_at=later(1),
    ends_at=later(2),
    block_minutes=30,
    block_count=4,
    block_amount_minor=301,
    capped_from_minor=1204,
    collection="weekdays",
    note="evening cap",
)
BARE_LINE: Final = live_bill.BillLine(reason="grace", amount_minor=0, running_total_minor=0)
LIVE: Final = live_bill.LiveBill(
    lines=(BARE_LINE, LINE),
    total=Money(900, "CNY"),
    paid=Money(200, "CNY"),
    due=Money(700, "CNY"),
    as_of=later(3),
    circumstances=Circumstances(
        vehicle=PricedVehicle(vehicle_class="van", is_ev=True, is_resident=True),
        has_pass=True,
        validations=("cinema", "market"),
        billed_before_minor=150,
    ),
    priced_from=later(-60),
    variant="vans",
    later=lambda _at: LIVE,
    closed_until=later(18),
    reopened_due=Money(800, "CNY"),
)
PLACE_VIEW: Final = PlaceView(OPERATOR, PLACE, "Quay", "Asia/Shanghai", "CNY")
REFUND_VIEW: Final = RefundView(
    operator_id=OPERATOR,
    id=REFUND,
    bill_id=BILL,
    amount=Money(50, "CNY"),
    state=RefundState.SUCCEEDED,
    reason="price corrected",
    provider="sandbox",
    failure_code=None,
    requested_by="staff",
    requested_at=later(4),
    finished_at=later(5),
)
STAY_VIEW: Final = SessionView(
    operator_id=OPERATOR,
    id=STAY,
    place=PLACE_VIEW,
    plate="沪A12345",
    state=SessionState.LEFT,
    version=7,
    entered_at=ENTERED,
    left_at=later(6),
    prepaid_until=later(7),
    rate_table_version=3,
    bill=LIVE,
    refunds=(REFUND_VIEW,),
)
CNY: Final = "CNY"
LINE_SAID: Final[Mapping[str, object]] = {
    "reason": "increment",
    "amount": (600, CNY),
    "running_total": (900, CNY),
    "starts_at": later(1),
    "ends_at": later(2),
    "window": "weekdays",
    "block_minutes": 30,
    "block_count": 4,
    "block_amount": (301, CNY),
    "capped_from": (1204, CNY),
    "note": "evening cap",
}
BARE_LINE_SAID: Final[Mapping[str, object]] = {
    **dict.fromkeys(LINE_SAID),
    "reason": "grace",
    "amount": (0, CNY),
    "running_total": (0, CNY),
    "window": "",
    "note": "",
}
BILL_SAID: Final[Mapping[str, object]] = {
    "lines": [BARE_LINE_SAID, LINE_SAID],
    "total": (900, CNY),
    "paid": (200, CNY),
    "due": (700, CNY),
    "currency": CNY,
    "as_of": later(3),
    "priced_from": later(-60),
    "billed_before": (150, CNY),
    "closed_until": later(18),
    "reopened_due": (800, CNY),
    "variant": "vans",
    "live": LIVE,
}
PLACE_SAID: Final[Mapping[str, object]] = {
    "id": encode_id("Place", OPERATOR, PLACE),
    "name": "Quay",
    "timezone": "Asia/Shanghai",
    "currency": CNY,
}
STAY_SAID: Final[Mapping[str, object]] = {
    "id": encode_id("Session", STAY),
    "key": STAY,
    "plate": "沪A12345",
    "place": PLACE_SAID,
    "entered_at": ENTERED,
    "left_at": later(6),
    "prepaid_until": later(7),
    "state": SessionState.LEFT,
    "version": 7,
    "rate_table_version": 3,
    "vehicle": Vehicle(vehicle_class="van", is_ev=True, is_resident=True, has_pass=True),
    "validations": ["cinema", "market"],
    "bill": BILL_SAID,
    "refunds": [Refund.of(REFUND_VIEW)],
}


def said(one: object) -> object:
    """Return what an object says in each field that it keeps; an amount as a pair."""
    if isinstance(one, list):
        return [said(each) for each in cast("list[object]", one)]
    if hasattr(one, "amount_minor"):
        amount: Any = one
        return amount.amount_minor, amount.currency
    for kind in (Session, Bill, BillLine, Place):
        if isinstance(one, kind):
            kept = [each.name for each in fields(cast("Any", kind)) if each.init]
            return {name: said(getattr(one, name)) for name in kept}
    return one


def test_every_field_of_a_stay_and_of_what_is_in_it() -> None:
    assert said(Session.of(STAY_VIEW)) == STAY_SAID


def test_every_field_of_a_bill_a_line_and_a_place_of_their_own() -> None:
    assert said(Bill.of(LIVE)) == BILL_SAID
    assert said(bill_line(LINE, CNY)) == LINE_SAID
    assert said(bill_line(BARE_LINE, CNY)) == BARE_LINE_SAID
    assert said(Place.of(PLACE_VIEW)) == PLACE_SAID


def test_fields_with_resolvers_stay_methods() -> None:
    for kind, made in (
        (Session, Session.of(STAY_VIEW)),
        (Bill, Bill.of(LIVE)),
        (BillLine, bill_line(LINE, CNY)),
        (Place, Place.of(PLACE_VIEW)),
    ):
        for each in fields(cast("Any", kind)):
            if not each.init:
                assert getattr(type(made), each.name) is getattr(kind, each.name)
    bill: Any = Bill.of(replace(LIVE, find_change=lambda: later(30)))
    assert bill.next_change_at() == later(30)
