"""What staff decide about a doubt: nothing follows from what is refused, and no two decide."""

from typing import Any
from uuid import UUID

import pytest

from parking.flows.lane_types import ObservationMethod, ReadSource
from parking.flows.payments import correction
from parking.flows.payments.correction import CorrectionOutcome
from parking.flows.reviews import review_decision
from parking.flows.reviews.review_decision import Verdict
from parking.kit.errors import InvalidInputError
from parking.reviews.errors import (
    CorrectionRefusedError,
    ReviewClaimedError,
    ReviewClosedError,
)
from parking.reviews.models import ReviewActionKind
from tests.factories.lane_world import PLATE, LaneWorld, read_of

WRONG = "京A88781"
GUESS = ReadSource(ObservationMethod.ANPR, "weights-1", is_fallback=True)


async def correct(world: LaneWorld, review_id: UUID, **given: Any) -> Verdict:  # noqa: ANN401
    words: dict[str, Any] = {"plate": PLATE, "by": "Ada", "reason": "seen"} | given
    return await review_decision.correct_plate(
        world.context, world.entry.operator_id, review_id, **words
    )


async def paid_on_a_guess(world: LaneWorld) -> UUID:
    """Let a driver pay for a stay whose plate was a guess; returns the review."""
    await world.permit(await world.add_driver(WRONG))
    car = await world.arrive(world.entry)
    await world.gate.decide(world.entry, car, read_of(WRONG, 0.7), GUESS)
    await world.barrier(world.entry, car, "opened", "passed")
    await world.clear(world.entry, car)
    world.wait(hours=1)
    assert (await world.drive_out(WRONG)).reason == "paid"
    return await the_review(world)


async def the_review(world: LaneWorld) -> UUID:
    [review] = await world.rows("SELECT id FROM misread_reviews")
    review_id: UUID = review["id"]
    return review_id


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
async def test_a_reason_that_cannot_be_kept_gives_no_money_back(
    world: LaneWorld, reason: str
) -> None:
    review_id = await paid_on_a_guess(world)
    with pytest.raises(InvalidInputError, match="reason"):
        await correct(world, review_id, reason=reason, waive=True)
    assert await world.count("refunds") == 0
    assert await world.count("review_actions") == 0
    assert await world.rows("SELECT state, claimed_by FROM misread_reviews") == [
        {"state": "open", "claimed_by": None}
    ]


async def test_nobody_says_that_the_lane_was_right_while_its_money_goes_back(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    review_id = await paid_on_a_guess(world)
    correct_stay = correction.correct_stay

    async def beside_bob(*given: Any, **named: Any) -> CorrectionOutcome:  # noqa: ANN401
        with pytest.raises(ReviewClaimedError):
            await review_decision.close(
                world.context,
                world.entry.operator_id,
                review_id,
                ReviewActionKind.CONFIRMED,
                by="Bob",
                note=None,
            )
        return await correct_stay(*given, **named)

    monkeypatch.setattr(correction, "correct_stay", beside_bob)
    verdict = await correct(world, review_id, waive=True)
    assert (verdict.review.state, verdict.review.closed_by) == ("resolved", "Ada")
    assert await world.rows("SELECT state, amount_minor FROM refunds") == [
        {"state": "succeeded", "amount_minor": 1000}
    ]
    assert await world.rows("SELECT kind, acted_by FROM review_actions") == [
        {"kind": "corrected", "acted_by": "Ada"}
    ]
    with pytest.raises(ReviewClosedError):
        await correct(world, review_id, waive=True)
    assert await world.count("refunds") == 1


async def test_a_car_that_was_let_in_after_the_doubt_gets_the_plate_that_staff_read(
    world: LaneWorld,
) -> None:
    car = await world.arrive(world.entry)
    await world.gate.report_unreadable(world.entry, car)
    assert (await world.decide(world.entry, car, read_of(WRONG))).action == "open"
    await world.barrier(world.entry, car, "opened", "passed")
    driver_id = await world.add_driver(PLATE)
    verdict = await correct(world, await the_review(world))
    assert verdict.review.state == "resolved"
    assert await world.rows("SELECT driver_id, state FROM sessions") == [
        {"driver_id": driver_id, "state": "active"}
    ]


async def test_such_a_car_that_has_left_is_refused_and_its_doubt_stays_open(
    world: LaneWorld,
) -> None:
    car = await world.arrive(world.entry)
    await world.gate.report_unreadable(world.entry, car)
    await world.decide(world.entry, car, read_of(WRONG))
    await world.barrier(world.entry, car, "opened", "passed")
    await world.clear(world.entry, car)
    world.wait(minutes=5)
    assert (await world.drive_out(WRONG)).reason == "zero_due"
    stays = await world.rows("SELECT state, plate_index, version FROM sessions")
    with pytest.raises(CorrectionRefusedError, match="not_inside"):
        await correct(world, await the_review(world))
    assert await world.rows("SELECT state, plate_index, version FROM sessions") == stays
    assert await world.rows("SELECT state, session_id FROM misread_reviews") == [
        {"state": "open", "session_id": None}
    ]
    assert await world.count("review_actions") == 0


async def test_a_lanes_doubt_about_the_car_of_another_moves_no_stay(world: LaneWorld) -> None:
    car = await world.arrive(world.second_entry)
    assert (await world.decide(world.second_entry, car, read_of(WRONG))).action == "open"
    await world.barrier(world.entry, car, "passed")
    stays = await world.rows("SELECT state, plate_index, version FROM sessions")
    verdict = await correct(world, await the_review(world))
    assert (verdict.review.state, verdict.review.session_id) == ("resolved", None)
    assert await world.rows("SELECT state, plate_index, version FROM sessions") == stays
