"""The policies of one place's lanes, made together: each is its own lane's all the same."""

from dataclasses import replace
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from parking.flows.lane_types import POLICY_LANES_MAX, Lane
from parking.flows.offline import policy
from parking.kit.errors import InvalidInputError
from parking.offline import service
from parking.offline.bundle import (
    Fallback,
    PolicyBundle,
    PolicyRefusedError,
    Right,
    encode,
    open_bundle,
)
from parking.plates import vehicles
from parking.plates.vehicles import VehicleEntry
from tests.factories.lane_world import PLATE, LaneWorld
from tests.factories.statements import collected


def all_lanes(world: LaneWorld) -> list[Lane]:
    return [world.entry, world.exit, world.second_exit, world.second_entry]


async def opened(world: LaneWorld, lane: Lane, *, as_lane: Lane | None = None) -> PolicyBundle:
    part = await world.gate.policy_part(lane, 0, 0)
    key = Ed25519PublicKey.from_public_bytes(part.public_key)
    return open_bundle(part.data, part.signature, key, lane_id=(as_lane or lane).lane_id)


async def register(world: LaneWorld, plate: str) -> None:
    async with world.context.database.begin() as unit:
        await vehicles.record_vehicles(
            unit, world.entry.operator_id, [VehicleEntry(plate)], by="Ada"
        )


async def test_each_lane_gets_a_policy_of_its_own_that_no_other_lane_takes(
    world: LaneWorld,
) -> None:
    await register(world, "京B12345")
    versions = await world.gate.refresh_policies(all_lanes(world))
    assert versions == {lane.lane_id: 1 for lane in all_lanes(world)}
    found = [await opened(world, lane) for lane in all_lanes(world)]
    assert [bundle.lane_id for bundle in found] == [lane.lane_id for lane in all_lanes(world)]
    assert len({bundle.hash_key for bundle in found}) == 4
    first, second = found[0], found[3]
    # The same plate, and nothing in common to compare.
    for bundle in (first, second):
        known = bundle.find("京B12345")
        assert known is not None
        assert known.right is Right.REGISTERED
    assert not set(first.plates) & set(second.plates)
    with pytest.raises(PolicyRefusedError, match="lane_id"):
        await opened(world, world.entry, as_lane=world.second_entry)


async def test_only_lanes_whose_policy_says_something_else_get_a_new_version(
    world: LaneWorld,
) -> None:
    lanes = all_lanes(world)
    await world.gate.refresh_policies(lanes)
    await world.drive_in()
    exits = {world.exit.lane_id: 2, world.second_exit.lane_id: 2}
    entries = {world.entry.lane_id: 1, world.second_entry.lane_id: 1}
    assert await world.gate.refresh_policies(lanes) == exits | entries
    assert (await opened(world, world.second_exit)).find(PLATE) is not None
    async with world.context.database.begin() as unit:
        setting = await service.setting_of(
            unit, world.exit.operator_id, world.exit.lane_id, world.exit.direction
        )
        setting.fallback = Fallback.OPEN
        await service.choose(unit, setting)
    changed = {world.exit.lane_id: 3}
    assert await world.gate.refresh_policies(lanes) == exits | entries | changed
    found = [(await opened(world, lane)).fallback for lane in (world.exit, world.second_exit)]
    assert found == [Fallback.OPEN, Fallback.ASK_STAFF]


async def test_one_look_asks_as_much_for_four_lanes_as_for_two(world: LaneWorld) -> None:
    lanes = all_lanes(world)
    await world.gate.refresh_policies(lanes)
    asked: list[int] = []
    for some in (lanes[:2], lanes):
        with collected(world.context.database) as seen:
            await world.gate.refresh_policies(some)
        asked.append(len(seen))
        assert not [one for one in seen if "INSERT" in one]
    assert asked == [12, 12]


async def test_a_list_that_is_too_long_costs_the_other_lanes_nothing(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = [world.entry, world.exit]
    await world.gate.refresh_policies(lanes)
    await register(world, "京B12345")

    def refuse_lists(bundle: PolicyBundle) -> bytes:
        if bundle.plates:
            raise InvalidInputError("plates", "fewer plates")
        return encode(bundle)

    monkeypatch.setattr(policy.bundles, "encode", refuse_lists)
    # What is stored says what is not true any more: nobody is told of it.
    assert await world.gate.refresh_policies(lanes) == {
        world.entry.lane_id: 0,
        world.exit.lane_id: 1,
    }
    with pytest.raises(InvalidInputError, match="plates"):
        await world.gate.refresh_policy(world.entry)
    assert (await opened(world, world.entry)).plates == {}


async def test_lanes_of_two_places_or_too_many_are_refused(world: LaneWorld) -> None:
    for lanes in (
        [world.entry, replace(world.exit, place_id=uuid4())],
        [world.entry] * (POLICY_LANES_MAX + 1),
    ):
        with pytest.raises(InvalidInputError, match="lanes"):
            await world.gate.refresh_policies(lanes)
    assert await world.count("offline_policies") == 0
    assert await world.gate.refresh_policies([]) == {}
