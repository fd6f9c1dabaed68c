"""The true car comes to an exit after another one left on its plate."""

from uuid import UUID

import pytest

from parking.disputes.models import Dispute, DisputeState
from parking.flows.context import ParkingContext
from parking.flows.disputes import dispute_decision, dispute_misread, dispute_view
from tests.factories.disputes import MISREAD, charged_stay, dispute, leave
from tests.factories.lane_world import PLATE, LaneWorld

REFUNDED = {("provider:fake", "CNY"): 0, ("receivable", "CNY"): 0, ("revenue", "CNY"): 0}


async def come_late(
    world: LaneWorld, text: str = PLATE, confidence: float = 0.99, *, with_picture: bool = True
) -> None:
    """Bring a car without a stay to the exit, and let the worker look into it."""
    decision = await leave(world, text, confidence, with_picture=with_picture)
    assert (decision.action, decision.reason) == ("refuse", "no_session")
    world.wait(seconds=10)
    await dispute_misread.sweep(world.context)
    assert await world.count("misread_suspicions") == 0


async def only(world: LaneWorld) -> Dispute:
    async with world.context.database.begin() as unit:
        [row] = await world.rows("SELECT operator_id, id FROM disputes")
        found = await unit.session.get(Dispute, (row["operator_id"], row["id"]))
    assert found is not None
    return found


async def test_the_wrongly_charged_stay_is_refunded_once(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world, MISREAD)
    world.wait(minutes=30)
    for _ in range(2):
        await come_late(world)
        world.wait(minutes=5)
    found = await only(world)
    assert (found.state, found.opened_by) == (DisputeState.AUTO_REFUNDED, "system")
    assert (found.driver_id, found.session_id) == (driver_id, session_id)
    assert (found.refunded_minor, found.is_review_due) == (1000, True)
    assert await world.balances() == REFUNDED
    assert world.provider.captured("CNY") == 0
    [told] = await world.rows("SELECT payload FROM outbox WHERE type = 'DisputeDecided'")
    assert told["payload"]["driver_id"] == str(driver_id)


@pytest.mark.parametrize(
    ("left_as", "left_sure", "later", "later_sure", "minutes", "with_picture", "cause"),
    [
        # The earlier car proved the plate: whoever shows it now was never inside.
        (PLATE, 0.99, PLATE, 0.99, 30, True, "none"),
        # Another plate, and too late.
        (MISREAD, 0.99, "沪B12345", 0.99, 30, True, "none"),
        (MISREAD, 0.99, PLATE, 0.99, 24 * 60 + 1, True, "none"),
        # For a person.
        (MISREAD, 0.99, PLATE, 0.97, 30, True, "no_evidence"),
        (MISREAD, 0.99, PLATE, 0.99, 30, False, "no_pictures"),
        (MISREAD, 0.99, PLATE, 0.99, 1, True, "too_soon"),
    ],
)
async def test_what_is_not_refunded_by_itself(
    world: LaneWorld,
    left_as: str,
    left_sure: float,
    later: str,
    later_sure: float,
    minutes: int,
    *,
    with_picture: bool,
    cause: str,
) -> None:
    await charged_stay(world, left_as, left_sure)
    world.wait(minutes=minutes)
    await come_late(world, later, later_sure, with_picture=with_picture)
    if cause == "none":
        assert await world.count("disputes") == 0
    else:
        found = await only(world)
        assert (found.state, found.staff_cause) == (DisputeState.OPEN, cause)
        assert found.is_review_due
    assert world.provider.captured("CNY") == 1000
    assert await world.count("refunds") == 0


async def test_a_person_looks_at_it_and_the_first_name_stays(world: LaneWorld) -> None:
    await charged_stay(world, MISREAD)
    world.wait(minutes=30)
    await come_late(world)
    found = await only(world)
    key = (found.operator_id, found.id)
    for name in ("Ada", "Bob"):
        view = await dispute_view.review(world.context, *key, staff_name=name)
        assert (view.row.is_review_due, view.row.reviewed_by) == (False, "Ada")
    case = await dispute_view.find_case(world.context, *key)
    assert case is not None
    assert case.later is not None
    assert case.later.facts is not None
    assert (case.later.facts.text, len(case.later.pictures)) == (PLATE, 1)
    assert "later_car" in [moment.kind for moment in case.timeline]


async def test_whoever_decides_has_looked(world: LaneWorld) -> None:
    await charged_stay(world, MISREAD)
    world.wait(minutes=30)
    await come_late(world, with_picture=False)
    found = await only(world)
    decided = await dispute_decision.resolve(
        world.context,
        found.operator_id,
        found.id,
        kind=dispute_decision.REJECT,
        remedy=None,
        words="It was your car.",
        staff_name="Ada",
    )
    assert (decided.state, decided.is_review_due) == (DisputeState.REJECTED, False)
    assert decided.reviewed_by == "Ada"


async def test_a_plate_that_nobody_bound_has_nobody_to_refund(world: LaneWorld) -> None:
    await come_late(world, "沪B12345")
    assert await world.count("disputes") == 0


async def test_the_later_car_comes_to_a_dispute_that_waits(world: LaneWorld) -> None:
    driver_id, session_id = await charged_stay(world, MISREAD)
    await world.rows_changed("UPDATE observations SET confidence = 0.999, characters = '[]'")
    await world.rows_changed("UPDATE bills SET presentation_id = NULL")
    waiting = await dispute(world, driver_id, session_id)
    assert waiting.staff_cause == "paid_by_hand"
    world.wait(minutes=30)
    await come_late(world)
    found = await only(world)
    assert (found.id, found.state) == (waiting.id, DisputeState.OPEN)
    assert found.is_review_due
    later = await world.rows("SELECT id FROM presentations ORDER BY occupied_at DESC LIMIT 1")
    assert found.later_presentation_id == later[0]["id"]
    assert isinstance(found.later_presentation_id, UUID)


async def test_two_workers_look_into_it_once(world: LaneWorld) -> None:
    await charged_stay(world, MISREAD)
    world.wait(minutes=30)
    await leave(world)
    rows = await world.rows("SELECT operator_id, presentation_id FROM misread_suspicions")
    key = (rows[0]["operator_id"], rows[0]["presentation_id"])
    for _ in range(2):
        await dispute_misread.look_into(world.context, *key)
    assert await world.count("disputes") == 1
    assert await world.count("refunds") == 1


async def test_a_car_that_breaks_the_search_keeps_no_other_waiting(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for plate in (PLATE, "沪B12345"):
        await leave(world, plate)
    looked_at: list[UUID] = []

    async def break_down(context: ParkingContext, operator_id: UUID, presentation_id: UUID) -> None:
        looked_at.append(presentation_id)
        raise RuntimeError("a defect")

    monkeypatch.setattr(dispute_misread, "look_into", break_down)
    for _ in range(dispute_misread.TRIES_MAX):
        world.wait(minutes=1)
        assert await dispute_misread.sweep(world.context) == 2
    assert len(set(looked_at)) == 2
    assert await world.count("misread_suspicions") == 0
