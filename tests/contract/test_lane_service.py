"""What the bridge relies on, kept by the domain and by the fake that stands in for it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from gate_bridge.fake_lane_service import FakeLaneService
from gate_bridge.port import LaneService
from parking.flows.lane_types import (
    Action,
    BarrierEvent,
    CommandState,
    Direction,
    FrameUpload,
    Heading,
    Lane,
    LaneEvent,
    ObservationMethod,
    OfflineDecision,
    PolicyPart,
    PresentationState,
    ReadSource,
    ReadState,
    TrackedCar,
)
from parking.kit.clock import Clock, ManualClock, SystemClock
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.lanes.errors import EventOutOfOrderError, PresentationUnknownError
from parking.lanes.service import COMMANDS_PER_PRESENTATION_MAX
from parking.places.errors import LaneUnknownError
from parking.plates.reads import PlateRead
from tests.factories.lane_world import open_lane_world

READ = PlateRead(text="京A88731", confidence=0.99, frames=2)
SOURCE = ReadSource(ObservationMethod.ANPR, "weights-1")


@dataclass
class Gate:
    """A service with a connected entry lane."""

    service: LaneService
    lane: Lane
    clock: Clock
    seq: int = 0

    def id(self) -> UUID:
        return new_id(self.clock.now())

    def event(self) -> LaneEvent:
        self.seq += 1
        return LaneEvent(self.id(), self.seq, self.clock.now())

    async def arrive(self) -> UUID:
        presentation_id = self.id()
        seq = await self.service.present(
            self.lane, self.event(), presentation_id, PresentationState.OCCUPIED
        )
        assert seq == self.seq
        return presentation_id


@asynccontextmanager
async def fake_gate() -> AsyncGenerator[Gate]:
    clock = ManualClock(SystemClock().now())
    service = FakeLaneService(clock)
    ids = [new_id(clock.now()) for _ in range(4)]
    lane = Lane(ids[0], ids[1], ids[2], ids[3], Direction.ENTRY, "Entry")
    service.add_lane(lane, "token")
    service.policies[lane.lane_id] = PolicyPart(
        version=1, chunks=1, public_key=b"k" * 32, signature=b"s" * 64, data=b"policy"
    )
    yield Gate(service, lane, clock)


@asynccontextmanager
async def real_gate(database_url: str, valkey_url: str) -> AsyncGenerator[Gate]:
    async with open_lane_world(database_url, valkey_url) as world:
        yield Gate(world.gate, world.entry, world.clock)


@pytest.fixture(params=["fake", "domain"])
async def gate(request: pytest.FixtureRequest) -> AsyncGenerator[Gate]:
    if request.param == "fake":
        opened = fake_gate()
    else:
        urls = (request.getfixturevalue("database_url"), request.getfixturevalue("valkey_url"))
        opened = real_gate(*urls)
    async with opened as made:
        await made.service.connect(made.lane, "bridge-1")
        yield made


async def test_a_wrong_token_and_an_unknown_lane_are_one_refusal(gate: Gate) -> None:
    for lane_id in (gate.lane.lane_id, gate.id()):
        with pytest.raises(LaneUnknownError):
            await gate.service.authenticate(lane_id, "wrong")


async def test_every_connection_has_a_higher_epoch_and_goes_on_after_the_last_event(
    gate: Gate,
) -> None:
    first = await gate.service.connect(gate.lane, "bridge-1")
    await gate.arrive()
    second = await gate.service.connect(gate.lane, "bridge-2")
    assert second.session_epoch == first.session_epoch + 1
    assert (first.last_seq, second.last_seq) == (0, 1)


async def test_events_are_taken_once_and_without_gaps(gate: Gate) -> None:
    await gate.arrive()
    event = gate.event()
    report = BarrierEvent(event, "opened", None, None)
    for _ in range(2):
        assert await gate.service.record_barrier_event(gate.lane, report) == 2
    late = LaneEvent(gate.id(), 4, gate.clock.now())
    with pytest.raises(EventOutOfOrderError) as caught:
        await gate.service.record_observation(gate.lane, late, gate.id(), READ, "camera")
    assert (caught.value.last_seq, caught.value.retryable) == (2, True)
    assert (await gate.service.connect(gate.lane, "bridge-1")).last_seq == 2


async def test_a_frame_may_be_stored_again(gate: Gate) -> None:
    presentation_id = await gate.arrive()
    frame = FrameUpload(gate.id(), presentation_id, gate.clock.now(), "image/jpeg", b"x")
    for _ in range(2):
        await gate.service.store_frame(gate.lane, frame)


async def test_a_presentation_that_was_never_reported_is_not_decided_on(gate: Gate) -> None:
    unknown = gate.id()
    with pytest.raises(PresentationUnknownError):
        await gate.service.decide(gate.lane, unknown, READ, SOURCE)
    assert await gate.service.resume(gate.lane, unknown) is None
    assert list(await gate.service.pending_commands(gate.lane, unknown)) == []


async def test_a_decision_is_made_once_and_found_again(gate: Gate) -> None:
    presentation_id = await gate.arrive()
    assert await gate.service.resume(gate.lane, presentation_id) is None
    first = await gate.service.decide(gate.lane, presentation_id, READ, SOURCE)
    again = await gate.service.decide(gate.lane, presentation_id, READ, SOURCE)
    found = await gate.service.resume(gate.lane, presentation_id)
    assert found is not None
    for decision in (first, again, found):
        assert decision.action == first.action
        assert (decision.command is None) == (decision.action is not Action.OPEN)
        if decision.command is not None and first.command is not None:
            assert decision.command.command_id == first.command.command_id
            assert decision.command.presentation_id == presentation_id


async def test_an_answered_order_is_not_pending(gate: Gate) -> None:
    presentation_id = await gate.arrive()
    decision = await gate.service.decide(gate.lane, presentation_id, READ, SOURCE)
    assert decision.command is not None
    [pending] = await gate.service.pending_commands(gate.lane, presentation_id)
    assert pending.command_id == decision.command.command_id
    for _ in range(2):
        await gate.service.command_answered(
            gate.lane, pending.command_id, CommandState.ACCEPTED, None
        )
    assert list(await gate.service.pending_commands(gate.lane, presentation_id)) == []


async def test_a_rejected_order_is_renewed_a_limited_number_of_times(gate: Gate) -> None:
    presentation_id = await gate.arrive()
    await gate.service.decide(gate.lane, presentation_id, READ, SOURCE)
    orders = set[UUID]()
    for number in range(COMMANDS_PER_PRESENTATION_MAX):
        [pending] = await gate.service.pending_commands(gate.lane, presentation_id)
        orders.add(pending.command_id)
        assert len(orders) == number + 1
        await gate.service.command_answered(
            gate.lane, pending.command_id, CommandState.REJECTED, "expired"
        )
    assert list(await gate.service.pending_commands(gate.lane, presentation_id)) == []


async def test_what_a_gate_decided_by_itself_is_taken_once_and_without_gaps(gate: Gate) -> None:
    presentation_id = await gate.arrive()
    decision = OfflineDecision(
        event=gate.event(),
        presentation_id=presentation_id,
        command_id=None,
        is_open=False,
        reason="ask_staff",
        observation_id=None,
        policy_version=1,
        risk_minor=0,
        occupied_at=gate.clock.now(),
        clock_uncertainty_ms=None,
    )
    for _ in range(2):
        assert await gate.service.record_offline_decision(gate.lane, decision) == 2
    late = replace(decision, event=LaneEvent(gate.id(), 4, gate.clock.now()))
    with pytest.raises(EventOutOfOrderError) as caught:
        await gate.service.record_offline_decision(gate.lane, late)
    assert caught.value.last_seq == 2
    # It decided nothing that the bridge would have to carry out.
    assert await gate.service.resume(gate.lane, presentation_id) is None


async def test_a_policy_comes_in_parts_and_not_twice(gate: Gate) -> None:
    for _ in range(2):
        assert await gate.service.refresh_policies([gate.lane]) == {gate.lane.lane_id: 1}
        assert await gate.service.refresh_policy(gate.lane) == 1
    first = await gate.service.policy_part(gate.lane, 0, 0)
    assert (first.version, first.chunk, first.chunks) == (1, 0, 1)
    assert (len(first.public_key), len(first.signature), bool(first.data)) == (32, 64, True)
    known = await gate.service.policy_part(gate.lane, 1, 0)
    assert known == PolicyPart(version=1)
    with pytest.raises(InvalidInputError, match="chunk"):
        await gate.service.policy_part(gate.lane, 0, 1)


async def test_it_says_that_it_is_ready(gate: Gate) -> None:
    assert await gate.service.ready()


async def test_a_car_that_nobody_can_read_is_left_to_staff_and_decided_on_all_the_same(
    gate: Gate,
) -> None:
    presentation_id = await gate.arrive()
    for _ in range(2):
        await gate.service.report_unreadable(gate.lane, presentation_id)
    await gate.service.report_unreadable(gate.lane, gate.id())
    assert await gate.service.resume(gate.lane, presentation_id) is None
    decision = await gate.service.decide(gate.lane, presentation_id, READ, SOURCE)
    assert decision.action is Action.OPEN


async def test_areas_that_nobody_counted_are_not_full(gate: Gate) -> None:
    asked = {(gate.lane.operator_id, gate.lane.area_id), (gate.id(), gate.id())}
    assert await gate.service.full_areas(asked) == set()
    assert await gate.service.full_areas(set()) == set()


async def test_an_observation_may_say_how_its_car_drives(gate: Gate) -> None:
    presentation_id = await gate.arrive()
    for number, heading in enumerate(Heading, start=2):
        car = TrackedCar(heading, ReadState.UPDATED, "271", is_backfill=heading is Heading.AWAY)
        event = gate.event()
        for _ in range(2):
            seq = await gate.service.record_observation(
                gate.lane, event, presentation_id, READ, "camera", car
            )
            assert seq == number
