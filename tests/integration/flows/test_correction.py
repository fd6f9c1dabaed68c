"""A stay that was recorded wrongly: priced again, its bills replaced, the difference repaid."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from parking.flows.bills.bill_basis import BillBasis, recompute
from parking.flows.bills.bill_lines import stored_lines
from parking.flows.driver_view import find_session
from parking.flows.pay_link import pay_token
from parking.flows.payments import charging, checkout, prepay, settlement
from parking.flows.payments.correction import Correction, CorrectionOutcome, correct_stay
from parking.kit.errors import InvalidInputError, ParkingError
from parking.kit.money import Money
from parking.payments.errors import BillUnknownError, PaymentInProgressError
from parking.payments.fake import Fault
from parking.payments.port import OrderStatus
from parking.sessions.errors import SessionUnknownError
from parking.tariffs import service as tariffs
from parking.tariffs.rules import Vehicle
from tests.factories.lane_world import PLATE, RATE_TABLE, LaneWorld, read_of

BY = "desk:mei"
REASON = "Entry was read late"
WAIVE = Correction(waive=True)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0, 0))


@dataclass(frozen=True)
class Stay:
    driver_id: UUID
    session_id: UUID


async def enter(world: LaneWorld) -> Stay:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    return Stay(driver_id, await world.drive_in())


async def paid_stay(world: LaneWorld, *, minutes: float = 95) -> Stay:
    """Let a driver stay, and leave for what it costs: 20.00 for 95 minutes."""
    stay = await enter(world)
    world.wait(minutes=minutes)
    assert (await world.drive_out()).reason == "paid"
    return stay


async def correct(
    world: LaneWorld, stay: Stay, correction: Correction, *, correction_id: str = "c1"
) -> CorrectionOutcome:
    return await correct_stay(
        world.context,
        world.entry.operator_id,
        stay.session_id,
        correction,
        correction_id=correction_id,
        by=BY,
        reason=REASON,
    )


async def late(world: LaneWorld, stay: Stay, *, minutes: float) -> Correction:
    """Return the correction of an entry that really was `minutes` after the recorded one."""
    [row] = await world.rows("SELECT entered_at FROM sessions WHERE id = :id", id=stay.session_id)
    return Correction(entered_at=row["entered_at"] + timedelta(minutes=minutes))


async def bills_of(world: LaneWorld) -> list[dict[str, Any]]:
    return await world.rows("SELECT * FROM bills ORDER BY issued_at, version")


async def standing(world: LaneWorld) -> list[tuple[str, int, int]]:
    return [
        (row["state"], row["total_minor"], row["version"])
        for row in await bills_of(world)
        if row["state"] not in {"corrected", "void"}
    ]


async def told(world: LaneWorld, kind: str) -> list[dict[str, Any]]:
    rows = await world.rows("SELECT payload FROM outbox WHERE type = :kind ORDER BY id", kind=kind)
    return [row["payload"] for row in rows]


def assert_adds_up(bill: dict[str, Any]) -> None:
    """Compute a corrected bill from nothing but its basis and the rate table."""
    again = recompute(BillBasis.from_json(bill["basis"]), RATE_TABLE)
    assert again.due.amount_minor == bill["total_minor"]
    assert stored_lines(again.lines) == bill["lines"]
    assert sum(line["amount_minor"] for line in bill["lines"]) == bill["total_minor"]


async def test_a_late_entry_lowers_the_bill_and_repays(world: LaneWorld) -> None:
    stay = await paid_stay(world)
    outcome = await correct(world, stay, await late(world, stay, minutes=45))
    assert (outcome.before.amount_minor, outcome.after.amount_minor) == (2000, 1000)
    assert [refund.amount_minor for refund in outcome.refunds] == [1000]
    old, new = await bills_of(world)
    assert (old["state"], old["total_minor"]) == ("corrected", 2000)
    assert (new["state"], new["total_minor"], new["corrects_id"]) == ("paid", 1000, old["id"])
    assert_adds_up(new)
    assert world.provider.captured("CNY") == 1000
    assert await world.balances() == {
        ("provider:fake", "CNY"): 1000,
        ("receivable", "CNY"): 0,
        ("revenue", "CNY"): -1000,
    }
    [payload] = await told(world, "BillCorrected")
    assert (payload["before_minor"], payload["amount_minor"]) == (2000, 1000)
    assert payload["driver_id"] == str(stay.driver_id)
    assert len(await told(world, "PaymentRefunded")) == 1
    view = await find_session(world.context, stay.driver_id, stay.session_id)
    assert view is not None
    assert (view.bill.total, view.bill.paid) == (outcome.after, outcome.after)
    assert view.bill.due.amount_minor == 0
    [listed] = await world.rows("SELECT entered_at FROM driver_stays")
    assert listed["entered_at"] == view.entered_at


async def test_the_same_correction_changes_nothing_again(world: LaneWorld) -> None:
    stay = await paid_stay(world)
    correction = await late(world, stay, minutes=45)
    first = await correct(world, stay, correction)
    again = await correct(world, stay, correction)
    assert [bill.id for bill in again.bills] == [bill.id for bill in first.bills]
    assert [refund.id for refund in again.refunds] == [refund.id for refund in first.refunds]
    assert (again.before, again.after) == (first.before, first.after)
    assert await world.count("bills") == 2
    assert world.provider.captured("CNY") == 1000
    assert len(await told(world, "BillCorrected")) == 1


async def test_a_name_is_not_taken_for_another_correction(world: LaneWorld) -> None:
    stay = await paid_stay(world)
    await correct(world, stay, Correction(waived_lines=(0,)))
    await correct(world, stay, Correction(waived_lines=(0,)))
    before = await bills_of(world)
    for other in (WAIVE, Correction(waived_lines=(0, 1)), await late(world, stay, minutes=45)):
        with pytest.raises(InvalidInputError) as refusal:
            await correct(world, stay, other)
        assert refusal.value.field == "correctionId"
    assert await bills_of(world) == before
    assert await world.count("bill_corrections") == 1


async def test_rivals_with_one_correction_repay_once(world: LaneWorld) -> None:
    stay = await paid_stay(world)
    outcomes = await asyncio.gather(*(correct(world, stay, WAIVE) for _ in range(4)))
    assert {outcome.after.amount_minor for outcome in outcomes} == {0}
    assert await world.count("refunds") == 1
    assert world.provider.captured("CNY") == 0
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_different_corrections_at_once_repay_what_came_in(world: LaneWorld) -> None:
    stay = await paid_stay(world)
    lateness = await late(world, stay, minutes=45)
    await asyncio.gather(
        correct(world, stay, WAIVE, correction_id="all"),
        correct(world, stay, lateness, correction_id="late"),
    )
    assert world.provider.captured("CNY") == 0
    assert (await standing(world))[0][:2] == ("paid", 0)
    assert await world.balances() == {
        ("provider:fake", "CNY"): 0,
        ("receivable", "CNY"): 0,
        ("revenue", "CNY"): 0,
    }


async def test_the_newest_of_two_bills_shrinks_first(world: LaneWorld) -> None:
    stay = await enter(world)
    world.wait(minutes=40)
    assert (await prepay.prepay(world.context, stay.driver_id, stay.session_id)).amount
    world.wait(minutes=55)
    assert (await world.drive_out()).reason == "paid"
    assert await standing(world) == [("paid", 1000, 1), ("paid", 1000, 1)]
    await correct(world, stay, await late(world, stay, minutes=20))
    assert sorted(await standing(world)) == [("paid", 500, 2), ("paid", 1000, 1)]
    await correct(world, stay, await late(world, stay, minutes=60), correction_id="c2")
    after = [row for row in await bills_of(world) if row["state"] == "paid"]
    assert sorted(row["total_minor"] for row in after) == [0, 500]
    for row in after:
        assert_adds_up(row)
    assert world.provider.captured("CNY") == 500
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_lines_are_given_up_once(world: LaneWorld) -> None:
    stay = await paid_stay(world, minutes=3 * 24 * 60)
    [bill] = await bills_of(world)
    indexes = [place for place, line in enumerate(bill["lines"]) if line["amount_minor"] > 0]
    given_up = bill["lines"][indexes[1]]["amount_minor"]
    correction = Correction(waived_lines=(indexes[1],), bill_id=bill["id"])
    outcome = await correct(world, stay, correction)
    assert outcome.after.amount_minor == bill["total_minor"] - given_up
    assert len(indexes) > 2
    new = (await bills_of(world))[-1]
    assert_adds_up(new)
    assert new["lines"][-1]["reason"] == "waived"
    again = await correct(world, stay, correction, correction_id="c2")
    assert again.bills == ()
    assert world.provider.captured("CNY") == outcome.after.amount_minor
    both = Correction(waived_lines=(indexes[0], indexes[1]), bill_id=bill["id"])
    more = await correct(world, stay, both, correction_id="c3")
    first = bill["lines"][indexes[0]]["amount_minor"]
    assert more.after.amount_minor == outcome.after.amount_minor - first
    assert_adds_up((await bills_of(world))[-1])
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_a_line_is_given_up_once_whichever_bill_names_it(world: LaneWorld) -> None:
    stay = await enter(world)
    world.wait(days=2)
    assert (await prepay.prepay(world.context, stay.driver_id, stay.session_id)).amount
    world.wait(days=2)
    assert (await world.drive_out()).reason == "paid"
    older, newer = await bills_of(world)
    index = next(at for at, line in enumerate(older["lines"]) if line["amount_minor"] == 3000)
    assert newer["lines"][index] == older["lines"][index]
    outcome = await correct(
        world, stay, Correction(waived_lines=(index,), bill_id=older["id"]), correction_id="old"
    )
    assert outcome.before - outcome.after == Money(3000, "CNY")
    corrected = outcome.bills[-1]
    assert corrected.lines[index] == older["lines"][index]
    for bill_id in (newer["id"], corrected.id):
        again = Correction(waived_lines=(index,), bill_id=bill_id)
        assert not (await correct(world, stay, again, correction_id=str(bill_id))).bills
    assert world.provider.captured("CNY") == outcome.after.amount_minor


async def test_the_right_vehicle_has_its_own_price(world: LaneWorld) -> None:
    cheaper = {
        "name": "motorcycles",
        "eligibility": {"vehicle_classes": ["motorcycle"]},
        "collections": [{"lines": [{"kind": "increment", "value": 200, "block": 30, "from": 0}]}],
    }
    table = RATE_TABLE | {"variants": [cheaper]}
    lane = world.entry
    async with world.context.database.begin() as unit:
        await tariffs.publish(unit, lane.operator_id, lane.place_id, currency="CNY", body=table)
    world.wait(seconds=1)
    stay = await paid_stay(world)
    vehicle = Vehicle(vehicle_class="motorcycle")
    outcome = await correct(world, stay, Correction(vehicle=vehicle))
    assert (outcome.before.amount_minor, outcome.after.amount_minor) == (2000, 800)
    new = (await bills_of(world))[-1]
    assert recompute(BillBasis.from_json(new["basis"]), table).due == outcome.after
    [session] = await world.rows("SELECT circumstances FROM sessions")
    assert session["circumstances"] == {"vehicle": {"vehicle_class": "motorcycle"}}
    view = await find_session(world.context, stay.driver_id, stay.session_id)
    assert view is not None
    assert (view.bill.total, view.bill.paid) == (outcome.after, outcome.after)
    # A dearer class is no reason to ask for more.
    dearer = Correction(vehicle=Vehicle(vehicle_class="truck"))
    assert (await correct(world, stay, dearer, correction_id="c2")).bills == ()
    assert await world.rows("SELECT circumstances FROM sessions") == [session]
    assert world.provider.captured("CNY") == 800


async def test_an_earlier_exit_counts(world: LaneWorld) -> None:
    stay = await paid_stay(world)
    [row] = await world.rows("SELECT entered_at, left_at FROM sessions")
    left_at = row["entered_at"] + timedelta(minutes=35)
    outcome = await correct(world, stay, Correction(left_at=left_at))
    assert outcome.after.amount_minor == 1000
    [session] = await world.rows("SELECT left_at FROM sessions")
    assert session["left_at"] == left_at
    assert_adds_up((await bills_of(world))[-1])


async def test_a_price_never_rises(world: LaneWorld) -> None:
    stay = await paid_stay(world, minutes=45)
    # The longer stay at the recorded times costs 10.00; nothing may make it more.
    await correct(world, stay, await late(world, stay, minutes=20))
    assert await standing(world) == [("paid", 500, 2)]
    outcome = await correct(world, stay, Correction(), correction_id="c2")
    assert outcome.bills == outcome.refunds == ()
    assert await standing(world) == [("paid", 500, 2)]
    assert world.provider.captured("CNY") == 500


async def test_an_owed_bill_just_becomes_less(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=95)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    await world.barrier(world.exit, presentation_id, "manual_open", "opened", "passed")
    stay = Stay(uuid4(), session_id)
    await correct(world, stay, await late(world, stay, minutes=45))
    assert await standing(world) == [("owed", 1000, 2)]
    assert await world.count("refunds") == 0
    assert (await world.balances())["receivable", "CNY"] == 1000
    page = await checkout.bill_of(
        world.context, pay_token(world.context.vault, world.exit.operator_id, session_id)
    )
    assert page.due.amount_minor == 1000
    await correct(world, stay, WAIVE, correction_id="c2")
    assert await standing(world) == [("paid", 0, 3)]
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_a_car_that_waits_at_the_gate_leaves_once_nothing_is_due(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    shut = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert shut.reason == "payment_due"
    stay = Stay(uuid4(), session_id)
    await correct(world, stay, await late(world, stay, minutes=40))
    opened = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert (opened.action, opened.reason) == ("open", "zero_due")
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_a_running_stay_is_corrected_and_its_bill_ticks_on(world: LaneWorld) -> None:
    stay = await enter(world)
    world.wait(minutes=70)
    assert (await prepay.prepay(world.context, stay.driver_id, stay.session_id)).amount
    await correct(world, stay, await late(world, stay, minutes=60))
    # Ten minutes are free: all of the 15.00 went back.
    assert world.provider.captured("CNY") == 0
    world.wait(minutes=35)
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == 1000
    assert (await world.balances())["receivable", "CNY"] == 0
    [session] = await world.rows("SELECT entered_at FROM sessions")
    [segment] = await world.rows("SELECT started_at FROM segments")
    assert segment["started_at"] == session["entered_at"]


async def test_a_stay_that_goes_on_did_not_begin_in_the_future(world: LaneWorld) -> None:
    stay = await enter(world)
    world.wait(minutes=45)
    with pytest.raises(InvalidInputError) as refusal:
        await correct(world, stay, await late(world, stay, minutes=46))
    assert refusal.value.field == "enteredAt"
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == 1000


async def test_what_was_given_up_stays_given_up_while_the_stay_goes_on(world: LaneWorld) -> None:
    stay = await enter(world)
    world.wait(minutes=40)
    await prepay.prepay(world.context, stay.driver_id, stay.session_id)
    await correct(world, stay, WAIVE)
    assert world.provider.captured("CNY") == 0
    world.wait(minutes=55)
    view = await find_session(world.context, stay.driver_id, stay.session_id)
    assert view is not None
    # 95 minutes cost 20.00; 10.00 of it were given up.
    assert (view.bill.total.amount_minor, view.bill.due.amount_minor) == (1000, 1000)
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == 1000
    for bill in await bills_of(world):
        assert_adds_up(bill)
    assert (await world.balances())["receivable", "CNY"] == 0


async def test_whoever_left_within_the_grace_gets_the_second_bill_back(world: LaneWorld) -> None:
    stay = await enter(world)
    world.wait(minutes=40)
    await prepay.prepay(world.context, stay.driver_id, stay.session_id)
    world.wait(minutes=30)
    assert (await world.drive_out()).reason == "paid"
    [row] = await world.rows("SELECT entered_at FROM sessions")
    await correct(world, stay, Correction(left_at=row["entered_at"] + timedelta(minutes=50)))
    assert sorted(await standing(world)) == [("paid", 0, 2), ("paid", 1000, 1)]
    assert_adds_up((await bills_of(world))[-1])
    assert world.provider.captured("CNY") == 1000


@pytest.mark.parametrize(("grace_min", "second_minor"), [(5, 500), (15, 0)])
async def test_the_grace_of_a_correction_is_its_table_s(
    world: LaneWorld, grace_min: int, second_minor: int
) -> None:
    lane = world.entry
    body = RATE_TABLE | {"grace_after_payment": grace_min}
    async with world.context.database.begin() as unit:
        await tariffs.publish(unit, lane.operator_id, lane.place_id, currency="CNY", body=body)
    world.wait(seconds=1)
    stay = await enter(world)
    world.wait(minutes=55)
    await prepay.prepay(world.context, stay.driver_id, stay.session_id)
    world.wait(minutes=30)
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == 1500
    [row] = await world.rows("SELECT entered_at FROM sessions")
    # Ten minutes after the payment, and in the next block.
    await correct(world, stay, Correction(left_at=row["entered_at"] + timedelta(minutes=65)))
    assert world.provider.captured("CNY") == 1000 + second_minor


async def test_a_payment_under_way_comes_first(world: LaneWorld) -> None:
    stay = await enter(world)
    world.wait(minutes=45)
    world.provider.play(Fault.ACCEPT)
    presentation_id = await world.arrive(world.exit)
    await world.decide(world.exit, presentation_id, read_of(PLATE))
    with pytest.raises(PaymentInProgressError) as refusal:
        await correct(world, stay, WAIVE)
    assert refusal.value.retryable
    assert await world.count("bills") == 1
    assert await world.count("bill_corrections") == 0
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)
    world.wait(minutes=1)
    await settlement.sweep(world.context)
    await correct(world, stay, WAIVE)
    assert world.provider.captured("CNY") == 0


async def test_an_open_page_is_closed_first(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    world.wait(minutes=45)
    await world.decide(world.exit, await world.arrive(world.exit), read_of(PLATE))
    token = pay_token(world.context.vault, world.exit.operator_id, session_id)
    await checkout.start(world.context, token)
    await correct(world, Stay(uuid4(), session_id), WAIVE)
    [attempt] = await world.rows("SELECT number, state FROM payment_attempts")
    assert attempt["state"] == "failed"
    assert not world.provider.pay(attempt["number"])
    assert (await standing(world))[-1] == ("paid", 0, 2)


async def test_correcting_while_the_payment_settles(world: LaneWorld) -> None:
    stay = await enter(world)
    world.wait(minutes=45)
    world.provider.play(Fault.ACCEPT)
    await world.decide(world.exit, await world.arrive(world.exit), read_of(PLATE))
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.provider.settle(attempt["number"], OrderStatus.SUCCEEDED)
    world.wait(minutes=1)
    answers = await asyncio.gather(
        settlement.sweep(world.context),
        *(correct(world, stay, WAIVE) for _ in range(3)),
        return_exceptions=True,
    )
    assert all(
        isinstance(answer, (int, CorrectionOutcome, PaymentInProgressError)) for answer in answers
    )
    await correct(world, stay, WAIVE)
    assert world.provider.captured("CNY") == 0
    assert await world.balances() == {
        ("provider:fake", "CNY"): 0,
        ("receivable", "CNY"): 0,
        ("revenue", "CNY"): 0,
    }


async def test_nonsense_is_refused_and_changes_nothing(world: LaneWorld) -> None:
    stay = await paid_stay(world)
    [row] = await world.rows("SELECT entered_at, left_at FROM sessions")
    hour = timedelta(hours=1)
    for wrong, name in [
        (Correction(waived_lines=(9,)), "waivedLines"),
        (Correction(waived_lines=(-1,)), "waivedLines"),
        (Correction(waived_lines=(0,), left_at=row["left_at"]), "waivedLines"),
        (Correction(entered_at=row["entered_at"] - hour), "enteredAt"),
        (Correction(entered_at=row["entered_at"].replace(tzinfo=None)), "enteredAt"),
        (Correction(entered_at=row["left_at"] + hour), "leftAt"),
        (Correction(left_at=row["left_at"] + hour), "leftAt"),
        (Correction(left_at=row["entered_at"] - hour), "leftAt"),
    ]:
        with pytest.raises(InvalidInputError) as refusal:
            await correct(world, stay, wrong)
        assert refusal.value.field == name
    with pytest.raises(BillUnknownError):
        await correct(world, stay, Correction(waived_lines=(0,), bill_id=uuid4()))
    assert await standing(world) == [("paid", 2000, 1)]
    assert await world.rows("SELECT entered_at, left_at FROM sessions") == [row]
    assert await world.count("bill_corrections") == 0


async def test_another_operators_stay_is_not_found(world: LaneWorld) -> None:
    stay = await paid_stay(world)
    with pytest.raises(SessionUnknownError):
        await correct_stay(
            world.context,
            uuid4(),
            stay.session_id,
            WAIVE,
            correction_id="c1",
            by=BY,
            reason=REASON,
        )
    assert await standing(world) == [("paid", 2000, 1)]


REWRITES = (
    "total_minor = 1",
    "lines = '[]'",
    "basis = '{}'",
    "priced_until = now()",
    "issued_at = now()",
    "version = 7",
    "corrects_id = id",
    "rate_table_id = id",
    "currency = 'EUR'",
    "state = 'issued'",
    "state = 'owed'",
    "paid_at = now()",
    "paid_attempt_id = id",
)


async def test_an_issued_bill_cannot_be_rewritten(world: LaneWorld) -> None:
    await paid_stay(world)
    before = await bills_of(world)
    statements = [f"UPDATE bills SET {change}" for change in REWRITES]  # noqa: S608
    for statement in (*statements, "DELETE FROM bills"):
        with pytest.raises(Exception, match="rows are never changed or deleted"):
            await world.rows_changed(statement)
    assert await bills_of(world) == before
    # Who pays it, and whether a newer version counts, may change.
    await world.rows_changed("UPDATE bills SET driver_id = NULL, state = 'corrected'")


async def test_bills_are_of_a_stay_or_of_a_pass(world: LaneWorld) -> None:
    await paid_stay(world)
    with pytest.raises(ParkingError):
        await world.rows_changed(
            "INSERT INTO payment_attempts (operator_id, id, bill_id, kind, provider, number,"
            " amount_minor, currency, state, queries, sent_at, next_query_at)"
            " SELECT operator_id, bill_id, bill_id, kind, provider, number, amount_minor,"
            " currency, state, queries, sent_at, next_query_at FROM payment_attempts"
        )
    assert await world.count("payment_attempts") == 1
