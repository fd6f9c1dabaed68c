"""A driver says that it was not their car: believed at once, or left to a person."""

import asyncio
from dataclasses import replace

import pytest

from parking.disputes.errors import DisputesTooManyError, DisputeTooEarlyError, DisputeTooLateError
from parking.disputes.models import DisputeReason, DisputeState
from parking.disputes.rules import StaffCause
from parking.flows.disputes import dispute_decision, dispute_view
from parking.flows.payments import prepay, refunds
from parking.payments.errors import BillUnknownError
from parking.payments.fake import Fault
from tests.factories.disputes import MISREAD, bill_of, charged_stay, dispute, leave
from tests.factories.lane_world import PLATE, LaneWorld, read_of

CHARGED = {
    ("provider:fake", "CNY"): 1000,
    ("receivable", "CNY"): 0,
    ("revenue", "CNY"): -1000,
}
REFUNDED = {("provider:fake", "CNY"): 0, ("receivable", "CNY"): 0, ("revenue", "CNY"): 0}


async def test_a_misread_exit_is_refunded_at_once(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world, MISREAD)
    assert world.provider.captured("CNY") == 1000
    decided = await dispute(world, driver_id, session_id, comment="I was in Shanghai.")
    assert (decided.state, decided.staff_cause) == (DisputeState.AUTO_REFUNDED, None)
    assert (decided.refunded_minor, decided.currency) == (1000, "CNY")
    assert decided.evidence == {
        "entry": {"kind": "exact", "probability": 0.99, "threshold": 0.98},
        "exit": {"kind": "corrected", "probability": pytest.approx(0.7525), "threshold": 0.98},
    }
    assert await world.balances() == REFUNDED
    assert world.provider.captured("CNY") == 0
    told = await world.rows("SELECT type, payload FROM outbox ORDER BY version DESC LIMIT 4")
    decision = next(row["payload"] for row in told if row["type"] == "DisputeDecided")
    assert (decision["driver_id"], decision["state"]) == (str(driver_id), "auto_refunded")
    assert (decision["amount_minor"], decision["currency"]) == (1000, "CNY")
    assert PLATE not in str(decision)


async def test_a_sure_read_waits_for_a_person_and_nothing_moves(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world)
    waiting = await dispute(world, driver_id, session_id)
    assert (waiting.state, waiting.decision) == (DisputeState.OPEN, None)
    assert waiting.staff_cause == StaffCause.EVIDENCE_SUFFICES
    assert await world.balances() == CHARGED
    assert world.provider.captured("CNY") == 1000


async def test_a_calibrated_threshold_decides_instead(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world, PLATE, 0.97)
    world.context = replace(world.context, deciding_thresholds={"weights-1": 0.97})
    waiting = await dispute(world, driver_id, session_id)
    assert waiting.staff_cause == StaffCause.EVIDENCE_SUFFICES
    assert waiting.evidence["exit"]["threshold"] == 0.97
    assert await world.balances() == CHARGED


async def test_another_reason_waits_for_a_person(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world, MISREAD)
    waiting = await dispute(world, driver_id, session_id, DisputeReason.WRONG_RATE)
    assert (waiting.state, waiting.staff_cause) == (DisputeState.OPEN, StaffCause.REASON)
    assert await world.balances() == CHARGED


async def test_an_unsure_exact_read_is_refunded_too(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world, PLATE, 0.97)
    decided = await dispute(world, driver_id, session_id)
    assert decided.state == DisputeState.AUTO_REFUNDED
    assert await world.balances() == REFUNDED


async def test_again_and_at_once_it_is_one_dispute_and_one_refund(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world, MISREAD)
    found = await asyncio.gather(*(dispute(world, driver_id, session_id) for _ in range(4)))
    assert len({row.id for row in found}) == 1
    for row in found:
        again = await dispute_decision.carry_out(world.context, row.operator_id, row.id)
        assert (again.state, again.refunded_minor) == (DisputeState.AUTO_REFUNDED, 1000)
    assert await world.count("disputes") == 1
    assert await world.count("refunds") == 1
    assert world.provider.captured("CNY") == 0
    told = await world.rows("SELECT 1 AS one FROM outbox WHERE type = 'DisputeDecided'")
    assert len(told) == 1


async def test_the_third_automatic_refund_in_ninety_days_waits_for_a_person(
    world: LaneWorld,
) -> None:
    driver_id, first = await charged_stay(world, MISREAD)
    sessions = [first]
    for _ in range(3):
        world.wait(hours=5)
        sessions.append(await world.drive_in())
        world.wait(minutes=45)
        await leave(world, MISREAD)
    found = await asyncio.gather(*(dispute(world, driver_id, each) for each in sessions))
    # At once, so that none of them has seen another's refund.
    assert sorted(row.state for row in found) == ["auto_refunded", "auto_refunded", "open", "open"]
    assert [row.staff_cause for row in found if row.state == "open"] == ["too_many", "too_many"]
    assert world.provider.captured("CNY") == 2000


async def test_a_stay_paid_in_the_app_waits_for_a_person(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    session_id = await world.drive_in()
    world.wait(minutes=45)
    await prepay.prepay(world.context, driver_id, session_id)
    assert (await leave(world, MISREAD)).reason == "zero_due"
    waiting = await dispute(world, driver_id, session_id)
    assert (waiting.state, waiting.staff_cause) == (DisputeState.OPEN, StaffCause.PAID_BY_HAND)
    assert await world.balances() == CHARGED


async def test_a_refund_that_gets_no_answer_is_sent_until_it_does(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world, MISREAD)
    world.provider.play(Fault.LOSE_ANSWER_AFTER)
    decided = await dispute(world, driver_id, session_id)
    assert (decided.state, decided.refunded_minor) == (DisputeState.AUTO_REFUNDED, 1000)
    for _ in range(3):
        world.wait(minutes=1)
        await refunds.sweep(world.context)
    assert await world.balances() == REFUNDED
    assert world.provider.captured("CNY") == 0


async def test_nobody_elses_bill_and_no_guessed_one(world: LaneWorld) -> None:
    _, session_id = await charged_stay(world, MISREAD)
    stranger = await world.add_driver("沪B12345")
    with pytest.raises(BillUnknownError):
        await dispute(world, stranger, session_id)
    assert await world.count("disputes") == 0
    assert await world.count("driver_disputes") == 0


async def test_a_bill_of_a_running_stay_waits_for_its_end(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    session_id = await world.drive_in()
    world.wait(minutes=45)
    decision = await leave(world, MISREAD)
    assert decision.action == "pay"
    with pytest.raises(DisputeTooEarlyError):
        await dispute(world, driver_id, session_id)
    assert await world.count("disputes") == 0


async def test_an_old_bill_is_not_disputed(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world, MISREAD)
    world.wait(days=31)
    with pytest.raises(DisputeTooLateError):
        await dispute(world, driver_id, session_id)
    assert await world.balances() == CHARGED


async def test_the_eleventh_dispute_of_a_day_is_refused(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world)
    key = await bill_of(world, session_id)
    for _ in range(10):
        row = await dispute(world, driver_id, session_id, DisputeReason.OTHER)
        await dispute_view.withdraw(world.context, driver_id, row.id)
        world.wait(minutes=1)
    with pytest.raises(DisputesTooManyError) as refused:
        await dispute(world, driver_id, session_id, DisputeReason.OTHER)
    assert refused.value.retry_after_s == 24 * 3600 - 600
    assert await world.count("disputes") == 10
    assert key == await bill_of(world, session_id)


async def test_an_owed_bill_is_given_up_where_the_reads_do_not_prove_it(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    first = await world.drive_in()
    world.wait(minutes=45)
    # The plate comes in again: the first stay is set aside, its price owed; nobody was charged.
    presentation_id = await world.arrive(world.entry)
    await world.decide(world.entry, presentation_id, read_of(PLATE))
    await world.rows_changed("UPDATE observations SET confidence = 0.6")
    decided = await dispute(world, driver_id, first)
    assert (decided.state, decided.refunded_minor) == (DisputeState.AUTO_REFUNDED, 0)
    assert (await world.balances())["receivable", "CNY"] == 0
