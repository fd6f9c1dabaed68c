"""A day at a place against its provider's file: what each difference is called."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import select

from parking.flows import override
from parking.flows.payments import chargebacks, charging, prepay, refunds
from parking.flows.reconciliation import comparing
from parking.kit.money import Money
from parking.payments.chargeback_models import ChargebackStatus
from parking.payments.errors import ProviderMissingError
from parking.payments.fake import Fault
from parking.payments.models import Bill
from parking.payments.port import (
    ChargebackState,
    ChargeResult,
    OrderStatus,
    RefundResult,
    SentOrder,
    SettlementKind,
    SettlementNotReadyError,
)
from parking.reconciliation.codes import Code
from parking.reconciliation.facts import Movement, Opening
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.settlement_days import (
    Rows,
    codes_of,
    compared,
    falsify,
    morning,
    next_morning,
    openings_of,
    paid_stay,
    row_of,
)

TEN = Money(1000, "CNY")
Files = dict[tuple[Code, Money | None, Money | None], Callable[[Rows], Rows]]
OTHER_PLATE = "沪B12345"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0,))


def answering(status: OrderStatus) -> Callable[[SentOrder], Awaitable[ChargeResult]]:
    async def query(order: SentOrder) -> ChargeResult:
        return ChargeResult(number=order.number, status=status)

    return query


async def test_a_day_without_a_difference(world: LaneWorld) -> None:
    day = morning(world)
    await paid_stay(world)
    await world.drive_in(OTHER_PLATE)
    world.wait(minutes=5)
    assert (await world.drive_out(OTHER_PLATE)).reason == "zero_due"
    with pytest.raises(SettlementNotReadyError, match=f"{day} ends at "):
        await compared(world, day)
    with pytest.raises(ProviderMissingError):
        await comparing.compare(world.context, "nobody", day)
    next_morning(world)
    report = await compared(world, day)
    assert (report.differences, report.notes, codes_of(report)) == (0, 0, [])
    assert openings_of(report) == {Opening.PAID: 1, Opening.ZERO_DUE: 1}
    [(key, sums)] = report.totals.together().items()
    assert key == ("CNY", Movement.CHARGE)
    assert (sums.ours, sums.ours_minor, sums.theirs, sums.theirs_minor) == (1, 1000, 1, 1000)


async def test_a_stay_that_is_prepaid_and_not_left_for_two_days(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = morning(world)
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    session_id = await world.drive_in()
    world.wait(minutes=45)
    await prepay.prepay(world.context, driver_id, session_id)
    next_morning(world)
    assert codes_of(await compared(world, day)) == []
    next_morning(world)
    assert codes_of(await compared(world, day)) == [(Code.PAID_NOT_LEFT, TEN, None)]
    assert (await world.drive_out()).reason == "paid"
    falsify(world, day, lambda _rows: ())
    assert codes_of(await compared(world, day)) == [(Code.MISSING_AT_PROVIDER, TEN, None)]
    monkeypatch.setattr(world.provider, "query", answering(OrderStatus.FAILED))
    assert codes_of(await compared(world, day)) == [(Code.FAILED_AT_PROVIDER, TEN, None)]


async def test_rows_that_say_something_else(world: LaneWorld) -> None:
    day = morning(world)
    await paid_stay(world)
    next_morning(world)
    seven, nine, euro = Money(700, "CNY"), Money(900, "CNY"), Money(1000, "EUR")
    files: Files = {
        (Code.OPENED_MONEY_MISSING, TEN, None): lambda _rows: (),
        (Code.AMOUNT_DIFFERS, TEN, nine): lambda rows: (replace(rows[0], amount=nine),),
        (Code.CURRENCY_DIFFERS, TEN, euro): lambda rows: (replace(rows[0], amount=euro),),
        (Code.DUPLICATE_AT_PROVIDER, None, TEN): lambda rows: (*rows, *rows),
        (Code.MISSING_IN_BOOKS, None, seven): lambda rows: (*rows, row_of(day)),
        (Code.REFUND_MISSING_IN_BOOKS, None, seven): lambda rows: (
            *rows,
            row_of(day, kind=SettlementKind.REFUND),
        ),
        (Code.CHARGEBACK_NOT_BOOKED, None, seven): lambda rows: (
            *rows,
            row_of(day, number=rows[0].number, kind=SettlementKind.CHARGEBACK),
        ),
    }
    honest = world.provider.fetch_settlement
    for expected, edit in files.items():
        world.provider.fetch_settlement = honest  # pyright: ignore[reportAttributeAccessIssue]
        falsify(world, day, edit)
        report = await compared(world, day)
        assert codes_of(report) == [expected]
        [finding] = report.findings
        is_known = not finding.code.endswith("missing_in_books")
        assert finding.operator_id == (world.exit.operator_id if is_known else None)
        assert (finding.bill_id is not None) == is_known


async def test_a_chargeback_that_is_booked_leaves_nothing_to_do(world: LaneWorld) -> None:
    day = morning(world)
    await paid_stay(world)
    [attempt] = await world.rows("SELECT operator_id, id, number FROM payment_attempts")
    said = ChargebackState(
        charge_number=attempt["number"], reference="dp_1", amount=TEN, reason="fraudulent"
    )
    await chargebacks.settle(
        world.context, attempt["operator_id"], attempt["id"], said, ChargebackStatus.OPENED
    )
    [owed] = await world.rows("SELECT total_minor FROM bills WHERE state = 'owed'")
    assert owed["total_minor"] == 1000
    next_morning(world)
    taken = row_of(
        day,
        number=attempt["number"],
        reference="dp_1",
        amount_minor=1000,
        kind=SettlementKind.CHARGEBACK,
    )
    falsify(world, day, lambda rows: (*rows, taken))
    report = await compared(world, day)
    # The gate opened on money that came; that it went again is another matter, and booked.
    assert codes_of(report) == []
    sums = report.totals.together()["CNY", Movement.CHARGEBACK]
    assert (sums.ours_minor, sums.theirs_minor) == (1000, 1000)


async def test_a_refund_that_came_back(world: LaneWorld) -> None:
    day = morning(world)
    await paid_stay(world)
    async with world.context.database.begin() as unit:
        bill = (await unit.session.exec(select(Bill))).one()
        refund = await refunds.request_refund(
            unit, bill, Money(300, "CNY"), cause="c1", reason="Barrier", by="desk"
        )
    await refunds.send(world.context, refund.operator_id, refund.id)
    next_morning(world)
    kind, three = SettlementKind.REFUND_RETURNED, Money(300, "CNY")
    returned = row_of(day, number=refund.number, amount_minor=300, kind=kind)
    falsify(world, day, lambda rows: (*rows, returned, row_of(day, kind=kind)))
    assert codes_of(await compared(world, day)) == [
        (Code.REFUND_RETURN_NOT_BOOKED, None, three),
        (Code.REFUND_RETURN_NOT_BOOKED, None, Money(700, "CNY")),
    ]
    result = RefundResult(
        number=refund.number,
        charge_number=refund.charge_number,
        status=OrderStatus.FAILED,
        amount=three,
        came_back=True,
    )
    await refunds.settle(world.context, refund.operator_id, refund.id, result)
    falsify(world, day, lambda rows: rows[:-1])
    report = await compared(world, day)
    assert codes_of(report) == []
    for movement in (Movement.REFUND, Movement.REFUND_RETURNED):
        sums = report.totals.together()["CNY", movement]
        assert (sums.ours_minor, sums.theirs_minor) == (300, 300)


async def test_a_charge_that_nobody_settled(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = morning(world)
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(minutes=45)
    world.provider.play(Fault.LOSE_ANSWER_AFTER)
    monkeypatch.setattr(world.provider, "query", answering(OrderStatus.UNKNOWN))
    assert (await world.drive_out()).action != "open"
    next_morning(world)
    assert codes_of(await compared(world, day)) == [(Code.ATTEMPT_UNSETTLED, TEN, TEN)]


async def test_a_charge_of_the_night_stands_in_the_next_days_file(world: LaneWorld) -> None:
    day = morning(world)
    world.wait(hours=15, minutes=10)
    await paid_stay(world)
    assert world.clock.now().date() == day
    world.wait(minutes=6)
    [taken] = await world.provider.fetch_settlement(day)
    late = replace(taken, occurred_at=taken.occurred_at + timedelta(minutes=10))
    falsify(world, day, lambda _rows: ())
    falsify(world, day + timedelta(days=1), lambda _rows: (late,))
    assert world.clock.now().date() == day + timedelta(days=1)
    report = await compared(world, day)
    assert codes_of(report) == [(Code.AWAITS_NEXT_DAY, TEN, None)]
    assert (report.differences, report.is_provisional) == (0, True)
    next_morning(world)
    next_morning(world)
    report = await compared(world, day)
    assert codes_of(report) == [(Code.CAPTURED_ANOTHER_DAY, TEN, TEN)]
    assert (report.differences, report.is_provisional) == (0, False)
    other = await compared(world, day + timedelta(days=1))
    assert codes_of(other) == [(Code.CAPTURED_ANOTHER_DAY, TEN, TEN)]


async def test_cars_that_left_without_money(world: LaneWorld) -> None:
    day = morning(world)
    for plate in ("京A00001", "京A00002", "京A00003"):
        await world.drive_in(plate)
    world.wait(minutes=45)
    # One is let out by hand, and one follows it.
    for plate, kinds in (
        ("京A00001", ("manual_open", "opened", "passed")),
        ("京A00002", ("passed",)),
        ("京A00003", ("manual_open", "opened", "passed")),
    ):
        car = await world.arrive(world.exit)
        assert (await world.decide(world.exit, car, read_of(plate))).action == "pay"
        await world.barrier(world.exit, car, *kinds)
        await world.clear(world.exit, car)
        world.wait(minutes=1)
    # The last gate was told that nothing was due.
    await world.rows_changed(
        "INSERT INTO gate_commands (operator_id, id, lane_id, presentation_id, session_id, state, "
        "reason, issued_at) SELECT operator_id, id, lane_id, id, session_id, 'accepted', "
        "'zero_due', occupied_at FROM presentations ORDER BY id DESC LIMIT 1"
    )
    next_morning(world)
    report = await compared(world, day)
    assert openings_of(report) == {Opening.MANUAL: 1, Opening.NO_ORDER: 1, Opening.ZERO_DUE: 1}
    assert codes_of(report) == [
        (Code.LEFT_WITHOUT_ORDER, TEN, None),
        (Code.OPENED_UNPAID, TEN, None),
    ]


async def test_cars_that_a_person_let_out(world: LaneWorld) -> None:
    day = morning(world)
    for plate in ("京A00001", "京A00002"):
        await world.drive_in(plate)
    world.wait(minutes=45)
    for plate, confidence in (("京A00001", 0.99), ("京A00002", 0.1)):
        car = await world.arrive(world.exit)
        await world.decide(world.exit, car, read_of(plate, confidence))
        lane = world.exit.lane_id
        operator_id = world.exit.operator_id
        await override.let_out(world.context, operator_id, lane, reason="Fire", by="Ada")
        await world.barrier(world.exit, car, "opened", "passed")
        await world.clear(world.exit, car)
        world.wait(minutes=1)
    next_morning(world)
    report = await compared(world, day)
    assert openings_of(report) == {Opening.MANUAL: 2}
    # The second car's plate was not read: nobody knows which stay it ended.
    assert codes_of(report) == [(Code.OPENED_UNBILLED, None, None)]


async def test_an_override_without_a_name_bears_nothing_out(world: LaneWorld) -> None:
    day = morning(world)
    await world.drive_in()
    world.wait(minutes=45)
    car = await world.arrive(world.exit)
    assert (await world.decide(world.exit, car, read_of(PLATE))).action == "pay"
    await world.rows_changed(
        "INSERT INTO gate_commands (operator_id, id, lane_id, presentation_id, session_id, state, "
        "reason, issued_at) SELECT operator_id, id, lane_id, id, session_id, 'accepted', "
        "'override', occupied_at FROM presentations ORDER BY id DESC LIMIT 1"
    )
    await world.barrier(world.exit, car, "opened", "passed")
    next_morning(world)
    report = await compared(world, day)
    assert openings_of(report) == {Opening.OTHER: 1}
    assert codes_of(report) == [(Code.OPENED_UNPAID, TEN, None)]


async def test_every_finding_is_counted_and_the_first_ones_are_listed(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "LISTED_MAX", 2)
    day = morning(world)
    next_morning(world)
    unknown = tuple(row_of(day, number="", reference=f"txn_{one}") for one in range(5))
    falsify(world, day, lambda _rows: unknown)
    seen: list[str] = []
    steps: list[tuple[str, int]] = []
    report = await comparing.compare(
        world.context,
        "fake",
        day,
        sink=lambda one: seen.append(one.reference),
        progress=lambda step, done: steps.append((step, done)),
    )
    assert (report.differences, len(report.findings), report.left_out) == (5, 2, 3)
    assert seen == [f"txn_{one}" for one in range(5)]
    assert ("settlement file", 5) in steps
