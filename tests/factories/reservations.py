"""Pools of the lane world's area, drivers with plates, and whether all counts add up."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from parking.drivers import consents
from parking.drivers.consent_models import ConsentKind
from parking.drivers.consent_texts import VERSIONS
from parking.flows.offers import offering, pools, reserving
from parking.kit.ids import new_id
from parking.offers.models import Reservation
from parking.offers.terms import PoolTerms
from tests.factories.lane_world import LaneWorld


async def add_pool(world: LaneWorld, *, spaces: int = 1, **terms: Any) -> UUID:  # noqa: ANN401 - any of the terms
    given = PoolTerms(name=str(terms.pop("name", "Evenings")), spaces=spaces, **terms)
    lane = world.entry
    return (await pools.create(world.context, lane.operator_id, lane.area_id, given)).id


async def reserve(
    world: LaneWorld, driver_id: UUID, pool_id: UUID, *, in_minutes: int = 0, minutes: int = 120
) -> Reservation:
    starts_at = world.clock.now() + timedelta(minutes=in_minutes)
    return await reserving.reserve(
        world.context,
        driver_id,
        world.entry.operator_id,
        pool_id,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=minutes),
    )


async def agree(world: LaneWorld, driver_id: UUID) -> None:
    kind = ConsentKind.MARKETING
    async with world.context.database.begin() as unit:
        await consents.give(unit, driver_id, kind, text_version=VERSIONS[kind])


async def offer(
    world: LaneWorld,
    driver_id: UUID,
    pool_id: UUID,
    *,
    in_minutes: int = 60,
    source: str = "staff",
    source_id: UUID | None = None,
) -> UUID | None:
    now = world.clock.now()
    async with world.context.database.begin() as unit:
        return await offering.offer_space(
            unit,
            world.entry.operator_id,
            pool_id,
            driver_id,
            arrives_from=now + timedelta(minutes=in_minutes),
            arrives_until=now + timedelta(minutes=in_minutes + 30),
            source=source,
            source_id=source_id or new_id(now),
        )


async def state_of(world: LaneWorld, reservation_id: UUID) -> str:
    [row] = await world.rows("SELECT state FROM reservations WHERE id = :id", id=reservation_id)
    return str(row["state"])


async def counts(world: LaneWorld) -> dict[str, int]:
    """Return an area's counts, after they were found to add up."""
    [pool] = await world.rows(
        "SELECT sum(waiting) AS waiting, sum(standing) AS standing, sum(kept) AS kept"
        " FROM right_pools"
    )
    [found] = await world.rows(
        "SELECT count(*) FILTER (WHERE is_waiting AND state IN ('held', 'confirmed')) AS waiting,"
        " count(*) FILTER (WHERE state IN ('arrived', 'overstayed')) AS standing,"
        " count(*) FILTER (WHERE is_waiting AND state NOT IN ('held', 'confirmed')) AS stray"
        " FROM reservations"
    )
    [area] = await world.rows(
        "SELECT occupied, kept, is_full, spaces FROM space_pools WHERE id = :id",
        id=world.entry.area_id,
    )
    assert found == {"waiting": pool["waiting"], "standing": pool["standing"], "stray": 0}
    assert area["kept"] == pool["kept"]
    if area["occupied"] + area["kept"] >= area["spaces"]:
        assert area["is_full"] is True
    assert area["occupied"] == await world.count("open_sessions")
    return {
        "occupied": area["occupied"],
        "kept": area["kept"],
        "waiting": int(pool["waiting"]),
        "standing": int(pool["standing"]),
    }
