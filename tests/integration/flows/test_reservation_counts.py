"""Whatever happens in whatever order, also when a process dies in between: the counts add up."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final
from uuid import UUID

import pytest

from parking.flows.offers import life, offering, reserving
from parking.kit.errors import ParkingError
from tests.factories.lane_world import LaneWorld, read_of
from tests.factories.reservations import add_pool, agree, counts, offer, reserve

STEPS: Final = 60
PLATES: Final = tuple(f"京D{number:05}" for number in range(6))


class KilledError(Exception):
    """The process died before the commit."""


class Story:
    """Six drivers, two pools, five spaces, and a clock."""

    def __init__(self, world: LaneWorld, dice: random.Random) -> None:
        self.world = world
        self.dice = dice
        self.drivers: dict[UUID, str] = {}
        self.pools: list[UUID] = []
        self.inside: set[str] = set()

    async def begin(self) -> None:
        for plate in PLATES:
            driver_id = await self.world.add_driver(plate)
            await agree(self.world, driver_id)
            self.drivers[driver_id] = plate
        for name, holds in (("held", True), ("first come", False)):
            pool_id = await add_pool(
                self.world,
                name=name,
                spaces=2,
                risk_basis_points=1000,
                holds_offers=holds,
                ahead_s_max=7200,
                stay_s_max=7200,
            )
            self.pools.append(pool_id)
        await self.world.rows_changed("UPDATE right_pools SET shown = 20, missed = 40")
        await self.world.rows_changed("UPDATE space_pools SET keeps_closed = true")

    async def step(self) -> None:
        acts: list[Callable[[], Awaitable[object]]] = [
            self.reserve,
            self.offer,
            self.answer,
            self.cancel,
            self.drive,
            self.drive,
            self.back_out,
            self.die,
            self.wait,
        ]
        with suppress(ParkingError, KilledError):
            await self.dice.choice(acts)()
        if self.dice.random() < 0.5:
            await life.sweep(self.world.context)

    async def reserve(self) -> None:
        driver_id = self.dice.choice(list(self.drivers))
        minutes = self.dice.choice([0, 5, 30])
        await reserve(self.world, driver_id, self.dice.choice(self.pools), in_minutes=minutes)

    async def offer(self) -> None:
        driver_id = self.dice.choice(list(self.drivers))
        minutes = self.dice.choice([0, 40])
        await offer(self.world, driver_id, self.dice.choice(self.pools), in_minutes=minutes)

    async def answer(self) -> None:
        rows = await self.world.rows("SELECT id, driver_id FROM space_offers ORDER BY id")
        if rows:
            row = self.dice.choice(rows)
            say = offering.accept if self.dice.random() < 0.7 else offering.decline
            operator_id = self.world.entry.operator_id
            await say(self.world.context, row["driver_id"], operator_id, row["id"])

    async def cancel(self) -> None:
        rows = await self.world.rows("SELECT id, driver_id FROM reservations ORDER BY id")
        if rows:
            row = self.dice.choice(rows)
            operator_id = self.world.entry.operator_id
            await reserving.cancel(self.world.context, row["driver_id"], operator_id, row["id"])

    async def drive(self) -> None:
        plate = self.dice.choice(PLATES)
        if plate in self.inside:
            if (await self.world.drive_out(plate)).action == "open":
                self.inside.discard(plate)
            return
        arriving = await self.world.arrive(self.world.entry)
        decision = await self.world.decide(self.world.entry, arriving, read_of(plate))
        if decision.action == "open":
            await self.world.barrier(self.world.entry, arriving, "opened", "passed")
            self.inside.add(plate)
        await self.world.clear(self.world.entry, arriving)

    async def back_out(self) -> None:
        plate = self.dice.choice(PLATES)
        if plate not in self.inside:
            arriving = await self.world.arrive(self.world.entry)
            decision = await self.world.decide(self.world.entry, arriving, read_of(plate))
            if decision.action == "open":
                await self.world.barrier(self.world.entry, arriving, "opened", "backed_out")
            await self.world.clear(self.world.entry, arriving)

    async def die(self) -> None:
        """Die before the commit of a step that was due."""
        rows = await self.world.rows(
            "SELECT operator_id, id FROM reservations WHERE due_at IS NOT NULL ORDER BY id"
        )
        self.world.wait(minutes=self.dice.choice([0, 20]))
        if rows:
            row = self.dice.choice(rows)
            async with self.world.context.database.begin() as unit:
                await life.advance(unit, row["operator_id"], row["id"])
                raise KilledError

    async def wait(self) -> None:
        self.world.wait(minutes=self.dice.choice([1, 10, 45]))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_counts_add_up_after_every_step(world: LaneWorld, seed: int) -> None:
    story = Story(world, random.Random(seed))  # noqa: S311 - the same story each time
    await story.begin()
    for _ in range(STEPS):
        await story.step()
        await counts(world)
    # In the end nothing waits for anybody.
    for plate in list(story.inside):
        await world.drive_out(plate)
    world.wait(hours=30)
    await life.sweep(world.context)
    await life.sweep(world.context)
    found = await counts(world)
    assert found["kept"] == found["waiting"] == 0
    assert await world.rows("SELECT id FROM reservations WHERE due_at IS NOT NULL") == []
    states = {str(row["state"]) for row in await world.rows("SELECT state FROM reservations")}
    assert states <= {"left", "cancelled", "expired", "no_show", "failed", "overstayed"}
