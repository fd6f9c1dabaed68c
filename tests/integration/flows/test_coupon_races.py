"""Coupons under rush: exactly as many as there are, for each driver as many as allowed."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from parking.coupons import service
from parking.coupons.errors import (
    CouponCodeUnknownError,
    CouponExhaustedError,
    CouponLimitReachedError,
    CouponTriesExceededError,
)
from parking.coupons.models import CouponCode, CouponDefinition, DefinitionState
from parking.flows.coupons.granting import claim_coupon, grant_coupon, sweep
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id
from tests.factories.lane_world import LaneWorld

CODE = "SPRING-7KX2-QWMA"


async def define(world: LaneWorld, *, code_max: int = 1_000, **terms: Any) -> UUID:  # noqa: ANN401
    now = world.clock.now()
    operator_id, definition_id = world.entry.operator_id, new_id(now)
    async with world.context.database.begin() as unit:
        fields: dict[str, Any] = {
            "kind": "amount",
            "value": 500,
            "currency": "CNY",
            "valid_until": now + timedelta(days=30),
        }
        unit.session.add(
            CouponDefinition(
                operator_id=operator_id,
                id=definition_id,
                name="Spring",
                valid_from=now - timedelta(days=1),
                state=DefinitionState.ACTIVE,
                created_by="Ada",
                created_at=now,
                **(fields | terms),
            )
        )
        await unit.session.flush()
        unit.session.add(
            CouponCode(
                operator_id=operator_id,
                id=new_id(now),
                definition_id=definition_id,
                digest=service.digest_of(unit, CODE),
                claims_max=code_max,
                created_by="Ada",
                created_at=now,
            )
        )
    return definition_id


async def claims(world: LaneWorld, drivers: list[UUID]) -> Counter[str]:
    # As many at once as the pool has connections; the rest wait here, not in the pool.
    room = asyncio.Semaphore(8)

    async def one(driver_id: UUID) -> str:
        async with room:
            try:
                await claim_coupon(world.context, driver_id, CODE)
            except ParkingError as error:
                return error.code
        return "got"

    return Counter(await asyncio.gather(*map(one, drivers)))


async def counted(world: LaneWorld) -> tuple[int, int, int]:
    [row] = await world.rows(
        "SELECT (SELECT claims FROM coupon_definitions) AS definition,"
        " (SELECT claims FROM coupon_codes) AS code, (SELECT count(*) FROM driver_coupons"
        " WHERE state IN ('available', 'reserved', 'used')) AS held"
    )
    return row["definition"], row["code"], row["held"]


async def test_five_hundred_at_once_take_the_last_ten(world: LaneWorld) -> None:
    await define(world, claims_max=10)
    answers = await claims(world, [uuid4() for _ in range(500)])
    assert answers == {"got": 10, "COUPON_EXHAUSTED": 490}
    assert await counted(world) == (10, 10, 10)


async def test_a_code_serves_no_more_than_it_may(world: LaneWorld) -> None:
    await define(world, code_max=3)
    answers = await claims(world, [uuid4() for _ in range(12)])
    assert answers == {"got": 3, "COUPON_CODE_UNKNOWN": 9}
    assert await counted(world) == (3, 3, 3)


async def test_one_driver_at_many_phones_gets_one(world: LaneWorld) -> None:
    definition_id = await define(world)
    driver_id = uuid4()
    assert await claims(world, [driver_id] * 12) == {"got": 12}
    assert await counted(world) == (1, 1, 1)
    async with world.context.database.begin() as unit:
        given = await grant_coupon(
            unit,
            world.entry.operator_id,
            definition_id,
            driver_id,
            source="campaign",
            source_id=new_id(unit.now()),
        )
    assert given is None
    assert await counted(world) == (1, 1, 1)


async def test_a_grant_is_one_however_often_it_is_sent(world: LaneWorld) -> None:
    definition_id = await define(world, driver_max=5)
    driver_id, source_id = uuid4(), new_id(world.clock.now())

    async def give() -> UUID | None:
        async with world.context.database.begin() as unit:
            return await grant_coupon(
                unit,
                world.entry.operator_id,
                definition_id,
                driver_id,
                source="campaign",
                source_id=source_id,
            )

    given = set(await asyncio.gather(*(give() for _ in range(6))))
    assert len(given) == 1
    assert await counted(world) == (1, 0, 1)
    async with world.context.database.begin() as unit:
        stranger = await grant_coupon(
            unit, uuid4(), definition_id, driver_id, source="campaign", source_id=source_id
        )
    assert stranger is None


async def test_what_nobody_used_in_time_can_be_had_again(world: LaneWorld) -> None:
    await define(world, claims_max=1, valid_days=2)
    first, second = uuid4(), uuid4()
    await claim_coupon(world.context, first, CODE)
    with pytest.raises(CouponExhaustedError):
        await claim_coupon(world.context, second, CODE)
    world.wait(minutes=2 * 24 * 60 + 1)
    assert (await sweep(world.context), await sweep(world.context)) == (1, 0)
    assert await counted(world) == (0, 0, 0)
    await claim_coupon(world.context, second, CODE)
    assert await counted(world) == (1, 1, 1)


async def test_who_guesses_is_stopped_before_the_right_one(world: LaneWorld) -> None:
    await define(world)
    driver_id = uuid4()
    for number in range(service.TRIES_PER_DAY_MAX):
        with pytest.raises(CouponCodeUnknownError):
            await claim_coupon(world.context, driver_id, f"GUESS-{number}")
    with pytest.raises(CouponTriesExceededError):
        await claim_coupon(world.context, driver_id, CODE)
    assert await counted(world) == (0, 0, 0)
    world.wait(minutes=24 * 60)
    await claim_coupon(world.context, driver_id, "spring 7kx2 qwma")
    assert await counted(world) == (1, 1, 1)


@pytest.mark.parametrize("state", ["draft", "paused", "ended"])
async def test_only_a_definition_that_runs_gives(world: LaneWorld, state: str) -> None:
    await define(world)
    await world.rows_changed("UPDATE coupon_definitions SET state = :state", state=state)
    with pytest.raises((CouponExhaustedError, CouponLimitReachedError)):
        await claim_coupon(world.context, uuid4(), CODE)
    assert await counted(world) == (0, 0, 0)
