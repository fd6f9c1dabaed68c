"""What a lane's signed policy says, built from what the operator's rows say."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from parking.flows.lane_types import Lane, PolicyPart
from parking.flows.offline import listing
from parking.kit.errors import InvalidInputError
from parking.offline import service
from parking.offline.bundle import (
    Fallback,
    ListedPlate,
    PolicyBundle,
    Right,
    RiskCap,
    open_bundle,
)
from parking.offline.models import OfflineSetting
from parking.payments import credit
from parking.plates import vehicles
from parking.plates.vehicles import VehicleEntry
from tests.factories.credit import allow_credit
from tests.factories.lane_world import PLATE, SIGNER, LaneWorld
from tests.factories.pass_desk import PassDesk


async def fetched(world: LaneWorld, lane: Lane) -> PolicyBundle:
    """Return the lane's newest policy, as an agent gets it."""
    version = await world.gate.refresh_policy(lane)
    first = await world.gate.policy_part(lane, 0, 0)
    raw = first.data
    for number in range(1, first.chunks):
        raw += (await world.gate.policy_part(lane, 0, number)).data
    key = Ed25519PublicKey.from_public_bytes(first.public_key)
    bundle = open_bundle(raw, first.signature, key, lane_id=lane.lane_id)
    assert bundle.version == first.version == version
    return bundle


def known(bundle: PolicyBundle, plate: str) -> ListedPlate:
    found = bundle.find(plate)
    assert found is not None
    return found


async def test_the_defaults_open_an_entry_and_keep_an_exit_to_its_list(world: LaneWorld) -> None:
    entry, leaving = await fetched(world, world.entry), await fetched(world, world.exit)
    assert (entry.fallback, leaving.fallback) == (Fallback.OPEN, Fallback.ASK_STAFF)
    assert (entry.direction, leaving.direction) == ("entry", "exit")
    # A day at this place costs 30 CNY; 20 cars of that may be let out.
    assert (leaving.car_risk_minor, leaving.cap) == (3000, RiskCap(20, 60_000))
    assert leaving.valid_until - leaving.valid_from == timedelta(hours=24)
    assert entry.hash_key != leaving.hash_key
    [row] = await world.rows(
        "SELECT signing_key FROM offline_policies WHERE lane_id = :id", id=world.exit.lane_id
    )
    assert row["signing_key"] in SIGNER.keys


async def test_a_policy_that_says_the_same_keeps_its_version_until_it_is_half_old(
    world: LaneWorld,
) -> None:
    first = await fetched(world, world.entry)
    world.wait(hours=11.9)
    assert await world.gate.refresh_policy(world.entry) == first.version == 1
    world.wait(hours=0.2)
    renewed = await fetched(world, world.entry)
    assert (renewed.version, renewed.issued_at) == (2, first.issued_at + timedelta(hours=12.1))
    assert renewed.hash_key != first.hash_key


async def test_an_agent_that_has_it_gets_nothing_and_no_part_beyond_the_last(
    world: LaneWorld,
) -> None:
    assert await world.gate.policy_part(world.entry, 0, 0) == PolicyPart(version=0)
    await world.gate.refresh_policy(world.entry)
    have = await world.gate.policy_part(world.entry, 1, 0)
    assert (have.version, have.chunks, have.data) == (1, 0, b"")
    with pytest.raises(InvalidInputError, match="chunk"):
        await world.gate.policy_part(world.entry, 0, 1)


async def test_an_exit_knows_which_stays_owe_nothing_and_until_when(world: LaneWorld) -> None:
    await world.drive_in()
    came = world.clock.now()
    early = known(await fetched(world, world.exit), PLATE)
    assert (early.right, early.risk_minor) == (Right.NOTHING_DUE, 0)
    assert early.until is not None
    assert timedelta(minutes=9.9) <= early.until - came <= timedelta(minutes=10, seconds=1)
    world.wait(minutes=11)
    late = known(await fetched(world, world.exit), PLATE)
    # Nobody may let it owe, so nobody asks how much.
    assert (late.right, late.risk_minor, late.limit_minor) == (Right.UNPAID, 0, 0)
    async with world.context.database.begin() as unit:
        setting = await service.setting_of(
            unit, world.exit.operator_id, world.exit.lane_id, world.exit.direction
        )
        setting.fallback = Fallback.OPEN
        await service.choose(unit, setting)
    # At most what is due when the policy ends, a day later: a day's cap, and the next day's.
    assert known(await fetched(world, world.exit), PLATE).risk_minor == 6000
    assert (await fetched(world, world.entry)).find(PLATE) is None


@pytest.mark.parametrize(("limit", "right"), [(6000, Right.CREDIT), (5999, Right.UNPAID)])
async def test_credit_is_listed_where_it_reaches_to_the_end(
    world: LaneWorld, limit: int, right: Right
) -> None:
    await allow_credit(world, first_minor=limit)
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    await world.drive_in()
    world.wait(minutes=11)
    found = known(await fetched(world, world.exit), PLATE)
    assert (found.right, found.risk_minor, found.limit_minor) == (right, 6000, limit)


async def test_credit_without_a_permission_or_frozen_is_not_listed(world: LaneWorld) -> None:
    await allow_credit(world, first_minor=9000)
    driver_id = await world.add_driver()
    await world.drive_in()
    world.wait(minutes=11)
    assert known(await fetched(world, world.exit), PLATE).right is Right.UNPAID
    await world.permit(driver_id)
    assert known(await fetched(world, world.exit), PLATE).right is Right.CREDIT
    async with world.context.database.begin() as unit:
        await credit.freeze(unit, world.exit.operator_id, driver_id, "CNY", reason="test")
    assert known(await fetched(world, world.exit), PLATE).right is Right.UNPAID


async def test_an_entry_knows_registered_vehicles(world: LaneWorld) -> None:
    async with world.context.database.begin() as unit:
        await vehicles.record_vehicles(
            unit, world.entry.operator_id, [VehicleEntry("京B-12345")], by="Ada"
        )
    assert known(await fetched(world, world.entry), "京B12345").right is Right.REGISTERED
    assert (await fetched(world, world.exit)).find("京B12345") is None


async def test_a_pass_is_listed_for_its_hours_at_both_ends(world: LaneWorld) -> None:
    desk = PassDesk(world)
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    product = await desk.add_product()
    await desk.buy(driver_id, product)
    for lane in (world.entry, world.exit):
        assert known(await fetched(world, lane), PLATE).right is Right.PASS
    await world.drive_in()
    world.wait(hours=2)
    inside = known(await fetched(world, world.exit), PLATE)
    assert (inside.right, inside.risk_minor) == (Right.NOTHING_DUE, 0)


async def test_a_long_policy_comes_in_parts_and_lists_no_more_than_it_may(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "ENTRIES_MAX", 1500)
    async with world.context.database.begin() as unit:
        many = [VehicleEntry(f"京A{number:05d}") for number in range(1600)]
        await vehicles.record_vehicles(unit, world.entry.operator_id, many, by="Ada")
    assert len((await fetched(world, world.entry)).plates) == 1500
    assert (await world.gate.policy_part(world.entry, 0, 0)).chunks == 3


async def test_the_operator_chooses_within_bounds(world: LaneWorld) -> None:
    lane = world.exit
    chosen = OfflineSetting(
        operator_id=lane.operator_id,
        lane_id=lane.lane_id,
        fallback=Fallback.OPEN,
        valid_hours=8,
        cars_max=3,
        car_risk_minor=1000,
        changed_by="Ada",
        changed_at=world.clock.now(),
    )
    async with world.context.database.begin() as unit:
        await service.choose(unit, chosen)
    bundle = await fetched(world, lane)
    assert (bundle.fallback, bundle.cap) == (Fallback.OPEN, RiskCap(3, 3000))
    assert bundle.valid_until - bundle.valid_from == timedelta(hours=8)
    for field, value in (("valid_hours", 73), ("valid_hours", 0), ("cars_max", 1001)):
        with pytest.raises(InvalidInputError, match=field):
            async with world.context.database.begin() as unit:
                await service.choose(unit, chosen.model_copy(update={field: value}))
    assert (await fetched(world, lane)).cap == RiskCap(3, 3000)
