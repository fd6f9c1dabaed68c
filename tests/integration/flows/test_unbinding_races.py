"""Unbinding while something else happens to the plate: what stands afterwards, exactly."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from parking.drivers.models import Driver
from parking.flows.binding import unbind
from parking.kit.ids import new_id
from parking.payments.port import ChargeOrder, ChargeResult
from parking.plates import repository as plate_rows
from parking.plates import service as plates
from parking.plates.errors import ClaimInReviewError
from parking.plates.service import BoundPlate, LanePresentation, PlateClaim
from tests.factories.blocked import until_blocked
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.pass_desk import PassDesk


@pytest.fixture
async def holder(world: LaneWorld) -> UUID:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    return driver_id


async def binding_of(world: LaneWorld, driver_id: UUID) -> UUID:
    [row] = await world.rows(
        "SELECT binding_id FROM driver_plates WHERE driver_id = :d AND unbound_at IS NULL",
        d=driver_id,
    )
    return row["binding_id"]


@asynccontextmanager
async def unbinding(world: LaneWorld, driver_id: UUID) -> AsyncGenerator[None]:
    """Hold the plate unbound in a transaction that commits when the block ends."""
    binding_id = await binding_of(world, driver_id)
    async with world.context.database.begin() as unit:
        await plates.unbind_plate(unit, driver_id, binding_id)
        await unit.session.flush()
        yield


async def exit_of(world: LaneWorld) -> tuple[str, int, UUID | None]:
    """Drive the car out; returns what the gate did, what was taken, and whose stay it was."""
    car = await world.arrive(world.exit)
    decision = await world.decide(world.exit, car, read_of(PLATE))
    [row] = await world.rows("SELECT driver_id FROM sessions ORDER BY id DESC LIMIT 1")
    return decision.action, world.provider.captured("CNY"), row["driver_id"]


async def claimed_by_rival(world: LaneWorld) -> tuple[UUID, PlateClaim, str]:
    """Let another driver claim the plate and see the lane's code."""
    async with world.context.database.begin() as unit:
        rival = Driver(id=new_id(unit.now()), created_at=unit.now())
        unit.session.add(rival)
        claimed = await plates.claim_plate(unit, rival.id, PLATE)
    lane = world.second_exit
    where = LanePresentation(lane.operator_id, lane.lane_id, new_id(world.clock.now()))
    async with world.context.database.begin() as unit:
        code = await plates.issue_lane_code(unit, PLATE, where)
    assert code is not None
    return rival.id, claimed, code


async def test_an_entry_that_saw_the_binding_charges_nobody_at_the_exit(
    world: LaneWorld, holder: UUID
) -> None:
    async with unbinding(world, holder):
        # The entry does not wait: it goes by what is committed.
        session_id = await world.drive_in()
        [row] = await world.rows("SELECT driver_id FROM sessions WHERE id = :id", id=session_id)
        assert row["driver_id"] == holder
    world.wait(minutes=45)
    assert await exit_of(world) == ("pay", 0, None)
    assert await world.count("driver_stays") == 0


async def test_an_entry_at_the_same_moment(world: LaneWorld, holder: UUID) -> None:
    binding_id = await binding_of(world, holder)
    car = await world.arrive(world.entry)
    decision, _ = await asyncio.gather(
        world.decide(world.entry, car, read_of(PLATE)), unbind(world.context, holder, binding_id)
    )
    assert decision.action == "open"
    await world.barrier(world.entry, car, "opened", "passed")
    await world.clear(world.entry, car)
    world.wait(minutes=45)
    assert await exit_of(world) == ("pay", 0, None)


async def test_an_exit_before_the_commit_charges_and_the_next_one_does_not(
    world: LaneWorld, holder: UUID
) -> None:
    await world.drive_in()
    world.wait(minutes=45)
    async with unbinding(world, holder):
        assert await exit_of(world) == ("open", 1000, holder)
    await world.rows_changed("DELETE FROM open_sessions")
    world.wait(minutes=1)
    await world.drive_in()
    world.wait(minutes=45)
    assert await exit_of(world) == ("pay", 1000, None)


async def test_a_charge_under_way_is_finished_once(
    world: LaneWorld, holder: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver unbinds while the provider takes the money for a gate that asked before."""
    await world.drive_in()
    world.wait(minutes=45)
    binding_id = await binding_of(world, holder)
    charge = world.provider.charge

    async def charge_late(order: ChargeOrder) -> ChargeResult:
        await unbind(world.context, holder, binding_id)
        return await charge(order)

    monkeypatch.setattr(world.provider, "charge", charge_late)
    assert await exit_of(world) == ("open", 1000, holder)
    bills = await world.rows("SELECT state, driver_id FROM bills")
    assert bills == [{"state": "paid", "driver_id": holder}]
    assert sum((await world.balances()).values()) == 0


async def test_a_claim_that_waits_for_the_unbinding_gets_the_plate(
    world: LaneWorld, holder: UUID
) -> None:
    rival, claimed, code = await claimed_by_rival(world)

    async def confirm() -> Any:  # noqa: ANN401 - a plate or a refusal
        async with world.context.database.begin() as unit:
            return await plates.confirm_claim(unit, rival, claimed.claim_id, code)

    async with unbinding(world, holder):
        confirming = asyncio.create_task(confirm())
        await until_blocked(world, confirming)
    assert isinstance(await confirming, BoundPlate)
    rows = await world.rows("SELECT driver_id FROM plate_bindings WHERE unbound_at IS NULL")
    assert [row["driver_id"] for row in rows] == [rival]
    told = await world.rows("SELECT count(*) AS n FROM outbox WHERE type = 'PlatePaymentPaused'")
    assert told[0]["n"] == 0


async def test_an_unbinding_that_waits_for_a_claim_ends_what_it_contests(
    world: LaneWorld, holder: UUID
) -> None:
    rival, claimed, code = await claimed_by_rival(world)
    binding_id = await binding_of(world, holder)
    async with world.context.database.begin() as unit:
        refused = await plates.confirm_claim(unit, rival, claimed.claim_id, code)
        assert isinstance(refused, ClaimInReviewError)
        await unit.session.flush()
        unbound = asyncio.create_task(unbind(world.context, holder, binding_id))
        await until_blocked(world, unbound)
    await unbound
    async with world.context.database.begin() as unit:
        index = plates.plate_index(unit.vault, PLATE)
        assert await plate_rows.find_active(unit, index) is None
        [waiting] = await plates.list_claims(unit, rival)
    assert (waiting.in_review, waiting.is_contested) == (True, True)


async def test_a_pass_is_renewed_once_and_without_the_plate(world: LaneWorld, holder: UUID) -> None:
    desk = PassDesk(world)
    product = await desk.add_product()
    right_id = await desk.buy(holder, product)
    before = world.provider.captured("CNY")
    renewal = (await desk.right(right_id))["paid_until"]
    binding_id = await binding_of(world, holder)
    world.clock.advance(renewal - world.clock.now())
    await asyncio.gather(desk.work(), unbind(world.context, holder, binding_id))
    await desk.work()
    charged = world.provider.captured("CNY") - before
    assert (charged, (await desk.right(right_id))["paid_until"] > renewal) == (30_000, True)
    left = await world.rows("SELECT removed_at IS NULL AS stands FROM right_plates")
    assert [row["stands"] for row in left] == [False]
    # Not covered: the car is a stranger's now.
    await world.drive_in()
    world.wait(minutes=45)
    assert await exit_of(world) == ("pay", before + 30_000, None)
