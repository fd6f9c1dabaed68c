"""Offers of spaces: held or not, answered once, and gone when their time is over."""

import asyncio
from uuid import UUID

import pytest

from parking.drivers import consents
from parking.drivers.consent_models import ConsentKind
from parking.flows.offers import life, offering, reserving
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id
from parking.offers.errors import NoSpaceLeftError, OfferClosedError, OfferUnknownError
from tests.factories.lane_world import PLATE, LaneWorld
from tests.factories.reservations import add_pool, agree, counts, offer, reserve, state_of
from tests.integration.flows.test_occupancy import come


async def offered(world: LaneWorld, pool_id: UUID, *, in_minutes: int = 60) -> UUID:
    driver_id = await world.add_driver()
    await agree(world, driver_id)
    offer_id = await offer(world, driver_id, pool_id, in_minutes=in_minutes)
    assert offer_id is not None
    return offer_id


async def of_offer(world: LaneWorld, offer_id: UUID) -> tuple[UUID, str]:
    [row] = await world.rows(
        "SELECT driver_id, state FROM space_offers WHERE id = :id", id=offer_id
    )
    return row["driver_id"], row["state"]


async def test_an_open_offer_holds_its_space_and_is_accepted_once(world: LaneWorld) -> None:
    pool_id = await add_pool(world)
    offer_id = await offered(world, pool_id)
    driver_id, _ = await of_offer(world, offer_id)
    stranger_id = await world.add_driver("京B00001")
    with pytest.raises(NoSpaceLeftError):
        await reserve(world, stranger_id, pool_id, in_minutes=60)
    operator_id = world.entry.operator_id
    with pytest.raises(OfferUnknownError):
        await offering.accept(world.context, stranger_id, operator_id, offer_id)
    taken = await asyncio.gather(
        *(offering.accept(world.context, driver_id, operator_id, offer_id) for _ in range(20))
    )
    assert len({row.id for row in taken}) == 1
    assert await state_of(world, taken[0].id) == "confirmed"
    assert await world.count("reservations") == 1
    with pytest.raises(OfferClosedError):
        await offering.decline(world.context, driver_id, operator_id, offer_id)
    assert (await of_offer(world, offer_id))[1] == "accepted"


async def test_of_500_offers_of_one_space_that_are_accepted_at_once_one_is(
    world: LaneWorld,
) -> None:
    pool_id = await add_pool(world, holds_offers=False)
    now = world.clock.now()
    drivers = [new_id(now) for _ in range(500)]
    await world.rows_changed(
        "INSERT INTO drivers (id, locale, created_at)"
        " SELECT unnest(CAST(:ids AS uuid[])), 'en', :now",
        ids=drivers,
        now=now,
    )
    source_id = new_id(now)
    for driver_id in drivers[:1]:
        await agree(world, driver_id)
        assert await offer(world, driver_id, pool_id, source_id=source_id) is not None
    await world.rows_changed(
        "INSERT INTO space_offers SELECT operator_id, gen_random_uuid(), place_id, pool_id,"
        " given.id, source, source_id, state, version, arrives_from, arrives_until,"
        " ends_at, expires_at, offered_at, decided_at"
        " FROM space_offers, unnest(CAST(:ids AS uuid[])) AS given (id)",
        ids=drivers[1:],
    )
    rows = await world.rows("SELECT id, driver_id FROM space_offers")

    async def accept(offer_id: UUID, driver_id: UUID) -> str:
        try:
            operator_id = world.entry.operator_id
            await offering.accept(world.context, driver_id, operator_id, offer_id)
        except ParkingError as error:
            return error.code
        return "accepted"

    answers = await asyncio.gather(*(accept(row["id"], row["driver_id"]) for row in rows))
    assert len(answers) == 500
    assert answers.count("accepted") == 1
    assert answers.count("NO_SPACE_LEFT") == 499
    states = await world.rows("SELECT state, count(*) AS n FROM space_offers GROUP BY 1 ORDER BY 1")
    assert states == [{"state": "accepted", "n": 1}, {"state": "open", "n": 499}]


async def test_an_offer_that_expires_gives_its_space_back(world: LaneWorld) -> None:
    pool_id = await add_pool(world, offer_s=600)
    offer_id = await offered(world, pool_id, in_minutes=0)
    assert (await counts(world))["kept"] == 1
    # Who has not accepted is a stranger at the gate.
    await world.rows_changed(
        "UPDATE space_pools SET spaces = 1, is_full = true, keeps_closed = true"
    )
    assert await come(world, PLATE) == "full"
    world.wait(seconds=599)
    assert await life.sweep(world.context) == 0
    world.wait(seconds=1)
    driver_id, _ = await of_offer(world, offer_id)
    with pytest.raises(OfferClosedError):
        await offering.accept(world.context, driver_id, world.entry.operator_id, offer_id)
    assert await life.sweep(world.context) == 1
    assert await life.sweep(world.context) == 0
    assert (await of_offer(world, offer_id))[1] == "expired"
    assert await counts(world) == {"occupied": 0, "kept": 0, "waiting": 0, "standing": 0}
    assert await come(world, PLATE) == "entered"


async def test_nobody_is_offered_anything_without_consent_or_twice(world: LaneWorld) -> None:
    pool_id = await add_pool(world, spaces=3)
    driver_id = await world.add_driver()
    assert await offer(world, driver_id, pool_id) is None
    await agree(world, driver_id)
    source_id = new_id(world.clock.now())
    first = await offer(world, driver_id, pool_id, source_id=source_id, source="campaign")
    again = await offer(world, driver_id, pool_id, source_id=source_id, source="campaign")
    assert first is not None
    assert again == first
    assert await offer(world, driver_id, new_id(world.clock.now())) is None
    async with world.context.database.begin() as unit:
        await consents.withdraw(unit, driver_id, ConsentKind.MARKETING)
    assert await offer(world, driver_id, pool_id) is None
    assert await world.count("space_offers") == 1
    told = await world.rows("SELECT type FROM outbox WHERE type LIKE 'SpaceOffer%'")
    assert [row["type"] for row in told] == ["SpaceOfferChanged"]


async def test_a_pool_without_space_offers_nothing(world: LaneWorld) -> None:
    pool_id = await add_pool(world)
    await offered(world, pool_id)
    second_id = await world.add_driver("京B00001")
    await agree(world, second_id)
    assert await offer(world, second_id, pool_id) is None
    assert await world.count("space_offers") == 1


async def test_who_deletes_the_account_keeps_no_space(world: LaneWorld) -> None:
    pool_id = await add_pool(world)
    driver_id = await world.add_driver()
    reserved = await reserve(world, driver_id, pool_id)
    async with world.context.database.begin() as unit:
        await reserving.end_all(unit, driver_id)
    assert await state_of(world, reserved.id) == "cancelled"
    assert (await counts(world))["kept"] == 0
