"""A plate that two drivers have proven: nobody is charged, and nobody learns of the other."""

from uuid import UUID

import pytest

from parking.drivers.models import Driver
from parking.flows.binding import adopt_open_stays, unbind
from parking.flows.payments import collection
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id
from parking.payments.fake import Fault
from parking.plates import service as plates
from parking.plates.errors import ClaimInReviewError
from parking.plates.service import BoundPlate, LanePresentation, PlateClaim
from tests.factories.credit import allow_credit
from tests.factories.lane_world import PLATE, LaneWorld, read_of


async def add_driver(world: LaneWorld) -> UUID:
    async with world.context.database.begin() as unit:
        driver = Driver(id=new_id(unit.now()), created_at=unit.now())
        unit.session.add(driver)
    return driver.id


async def claim(world: LaneWorld, driver_id: UUID, plate: str = PLATE) -> PlateClaim:
    async with world.context.database.begin() as unit:
        return await plates.claim_plate(unit, driver_id, plate)


async def prove(world: LaneWorld, driver_id: UUID, claimed: PlateClaim) -> object:
    """Type in what a lane shows."""
    lane = world.second_exit
    where = LanePresentation(lane.operator_id, lane.lane_id, new_id(world.clock.now()))
    async with world.context.database.begin() as unit:
        code = await plates.issue_lane_code(unit, claimed.plate, where)
    assert code is not None
    async with world.context.database.begin() as unit:
        return await plates.confirm_claim(unit, driver_id, claimed.claim_id, code)


async def decide(world: LaneWorld, claimed: PlateClaim, *, is_approved: bool) -> None:
    key = claimed.plate_index, claimed.claim_id
    async with world.context.database.begin() as unit:
        if is_approved:
            await plates.approve_claim(unit, *key, staff_name="Ada")
        else:
            await plates.refuse_claim(unit, *key, staff_name="Ada")


async def seen_by(world: LaneWorld, driver_id: UUID) -> tuple[list[tuple[str, bool]], int]:
    """What a driver sees of their plates, and how many claims of theirs wait."""
    async with world.context.database.begin() as unit:
        bound = await plates.list_plates(unit, driver_id)
        claims = await plates.list_claims(unit, driver_id)
    return [(plate.plate, plate.is_paused) for plate in bound], len(claims)


async def told(world: LaneWorld, driver_id: UUID) -> list[tuple[str, dict[str, str]]]:
    rows = await world.rows(
        "SELECT type, payload FROM outbox WHERE owner_id = :owner AND type LIKE 'Plate%' "
        "ORDER BY id",
        owner=driver_id,
    )
    return [(row["type"], row["payload"]) for row in rows]


@pytest.fixture
async def holder(world: LaneWorld) -> UUID:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    return driver_id


@pytest.fixture
async def rival(world: LaneWorld) -> UUID:
    return await add_driver(world)


async def drive(world: LaneWorld) -> tuple[str, UUID | None]:
    """Bring the car to the exit after a stay; returns what happens there and whose stay it was."""
    session_id = await world.drive_in()
    world.wait(minutes=45)
    presentation_id = await world.arrive(world.exit)
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    [row] = await world.rows("SELECT driver_id FROM sessions WHERE id = :id", id=session_id)
    if decision.action == "open":
        await world.barrier(world.exit, presentation_id, "opened", "passed")
    await world.clear(world.exit, presentation_id)
    await world.rows_changed("DELETE FROM open_sessions")
    return decision.action, row["driver_id"]


async def test_nobody_is_charged_until_staff_refuse_the_claim(
    world: LaneWorld, holder: UUID, rival: UUID
) -> None:
    assert await drive(world) == ("open", holder)
    claimed = await claim(world, rival)
    # A mere claim stops nobody's payment: it takes no more than typing a plate.
    assert await drive(world) == ("open", holder)
    assert isinstance(await prove(world, rival, claimed), ClaimInReviewError)
    captured = world.provider.captured("CNY")
    assert await drive(world) == ("pay", None)
    assert world.provider.captured("CNY") == captured
    assert await seen_by(world, holder) == ([(PLATE, True)], 0)
    assert await seen_by(world, rival) == ([], 1)
    world.wait(days=2)
    await decide(world, claimed, is_approved=False)
    assert await drive(world) == ("open", holder)
    assert await seen_by(world, holder) == ([(PLATE, False)], 0)
    mine = {"driver_id": str(holder)}
    assert await told(world, holder) == [
        ("PlatePaymentPaused", mine),
        ("PlatePaymentResumed", mine),
    ]
    assert await told(world, rival) == [
        ("PlateClaimRefused", {"driver_id": str(rival), "refusal": "other"})
    ]


async def test_staff_approve_and_the_plate_is_the_others(
    world: LaneWorld, holder: UUID, rival: UUID
) -> None:
    claimed = await claim(world, rival)
    await prove(world, rival, claimed)
    world.wait(seconds=1)
    await decide(world, claimed, is_approved=True)
    assert await drive(world) == ("pay", rival)
    assert await seen_by(world, holder) == ([], 0)
    assert await seen_by(world, rival) == ([(PLATE, False)], 0)
    assert [kind for kind, _ in await told(world, holder)] == [
        "PlatePaymentPaused",
        "PlateUnbound",
    ]


async def test_a_stay_under_way_is_paid_by_hand_too(
    world: LaneWorld, holder: UUID, rival: UUID
) -> None:
    session_id = await world.drive_in()
    await prove(world, rival, await claim(world, rival))
    # Nobody watches from now on where the car is.
    assert await adopt_open_stays(world.context, PLATE) == 0
    world.wait(minutes=45)
    assert (await world.drive_out()).action == "pay"
    assert world.provider.captured("CNY") == 0
    [row] = await world.rows("SELECT driver_id FROM sessions WHERE id = :id", id=session_id)
    assert row["driver_id"] is None
    listed = await world.rows(
        "SELECT count(*) AS n FROM driver_stays WHERE driver_id = :d", d=holder
    )
    assert listed[0]["n"] == 0


async def test_what_is_owed_is_not_collected_meanwhile(
    world: LaneWorld, holder: UUID, rival: UUID
) -> None:
    await allow_credit(world)
    await world.drive_in()
    world.wait(minutes=45)
    world.provider.play(Fault.DECLINE)
    assert (await world.drive_out()).reason == "credit"
    claimed = await claim(world, rival)
    await prove(world, rival, claimed)
    world.wait(hours=2)
    assert await collection.sweep(world.context) == 1
    assert world.provider.captured("CNY") == 0
    await decide(world, claimed, is_approved=False)
    world.wait(days=1, minutes=1)
    assert await collection.sweep(world.context) == 1
    assert world.provider.captured("CNY") == 1000
    assert await seen_by(world, holder) == ([(PLATE, False)], 0)


async def test_two_who_contest_and_one_refused(world: LaneWorld, holder: UUID, rival: UUID) -> None:
    third = await add_driver(world)
    claims = [(who, await claim(world, who)) for who in (rival, third)]
    for who, claimed in claims:
        assert isinstance(await prove(world, who, claimed), ClaimInReviewError)
    await decide(world, claims[0][1], is_approved=False)
    assert await seen_by(world, holder) == ([(PLATE, True)], 0)
    world.wait(seconds=1)
    await decide(world, claims[1][1], is_approved=False)
    assert await seen_by(world, holder) == ([(PLATE, False)], 0)
    assert [kind for kind, _ in await told(world, holder)] == [
        "PlatePaymentPaused",
        "PlatePaymentResumed",
    ]


async def test_what_nobody_decides_on_ends_after_thirty_days(
    world: LaneWorld, holder: UUID, rival: UUID
) -> None:
    await prove(world, rival, await claim(world, rival))
    world.wait(days=29, hours=23)
    assert await seen_by(world, holder) == ([(PLATE, True)], 0)
    world.wait(hours=1)
    assert await seen_by(world, holder) == ([(PLATE, False)], 0)
    assert await seen_by(world, rival) == ([], 0)


async def test_the_holder_may_unbind_while_it_is_contested(
    world: LaneWorld, holder: UUID, rival: UUID
) -> None:
    claimed = await claim(world, rival)
    await prove(world, rival, claimed)
    async with world.context.database.begin() as unit:
        [mine] = await plates.list_plates(unit, holder)
    await unbind(world.context, holder, mine.binding_id)
    assert await seen_by(world, holder) == ([], 0)
    # The claim stays with staff: its driver does not learn by it that somebody gave the plate up.
    assert await seen_by(world, rival) == ([], 1)
    world.wait(seconds=1)
    await decide(world, claimed, is_approved=True)
    assert await seen_by(world, rival) == ([(PLATE, False)], 0)


async def test_a_spy_without_the_car_learns_nothing(
    world: LaneWorld, holder: UUID, rival: UUID
) -> None:
    """Every answer about a plate that is bound, contested, and nobody's is the same."""
    free, bound, contested = "AB1", PLATE, "AB3"
    third = await world.add_driver(contested)
    await prove(world, rival, await claim(world, rival, contested))
    assert await seen_by(world, third) == ([("AB3", True)], 0)
    spy = await add_driver(world)
    answers: list[list[object]] = []
    for plate in (free, bound, contested):
        told_of: list[object] = []
        claimed = await claim(world, spy, plate)
        told_of.append((claimed.in_review, claimed.expires_at, claimed.pictures))
        for _ in range(6):
            async with world.context.database.begin() as unit:
                refused = await plates.confirm_claim(unit, spy, claimed.claim_id, "x")
            assert isinstance(refused, ParkingError)
            told_of.append((refused.code, str(refused), vars(refused)))
        again = await claim(world, spy, plate)
        told_of.append((again.in_review, again.expires_at))
        answers.append(told_of)
    assert answers[0] == answers[1] == answers[2]
    assert await told(world, spy) == []
    assert await told(world, holder) == []
    assert [kind for kind, _ in await told(world, third)] == ["PlatePaymentPaused"]


async def test_who_unbinds_and_binds_again_during_a_contest_stays_frozen(
    world: LaneWorld, holder: UUID, rival: UUID
) -> None:
    contesting = await claim(world, rival)
    await prove(world, rival, contesting)
    [binding] = await world.rows("SELECT id FROM plate_bindings WHERE unbound_at IS NULL")
    await unbind(world.context, holder, binding["id"])
    assert isinstance(bound := await prove(world, holder, await claim(world, holder)), BoundPlate)
    assert bound.is_paused
    assert await seen_by(world, holder) == ([(PLATE, True)], 0)
    # Of one commit, two have no order.
    assert sorted(kind for kind, _ in await told(world, holder)) == [
        "PlateBound",
        "PlatePaymentPaused",
        "PlatePaymentPaused",
        "PlateUnbound",
    ]
    await decide(world, contesting, is_approved=False)
    assert await seen_by(world, holder) == ([(PLATE, False)], 0)
