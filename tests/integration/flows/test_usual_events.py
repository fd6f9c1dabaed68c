"""The events of a usual car: one statement each, with the outcome of a unit of work."""

import asyncio
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from parking.flows import arrival_facts
from parking.flows.arrival_facts import ArrivalFacts
from parking.flows.lane import LaneFlows
from parking.flows.lane_types import BarrierEvent, CommandState, Lane, PresentationState
from parking.flows.usual_events import UsualEvents
from parking.kit.database import Database, UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.lanes.errors import EventOutOfOrderError
from parking.offline import repository as offline
from tests.factories.lane_world import PLATE, VAULT, LaneWorld, read_of
from tests.factories.statements import collected

OTHER_PLATE = "粤B12345"
TABLES = (
    "lane_connections",
    "lane_events",
    "presentations",
    "gate_commands",
    "sessions",
    "outbox",
    "space_pools",
    "misread_reviews",
)


async def everything(world: LaneWorld) -> dict[str, list[str]]:
    return {
        table: [
            row["row"]
            for row in await world.rows(f"SELECT t::text AS row FROM {table} t ORDER BY 1")  # noqa: S608
        ]
        for table in TABLES
    }


async def let_in(world: LaneWorld, plate: str = PLATE) -> UUID:
    presentation_id = await world.arrive(world.entry)
    await world.decide(world.entry, presentation_id, read_of(plate))
    return presentation_id


def moved(world: LaneWorld, lane: Lane, presentation_id: UUID | None, kind: str) -> BarrierEvent:
    return BarrierEvent(world.event(lane), kind, presentation_id, None, "Ann", "checked")


async def whole_stay(world: LaneWorld, gate: LaneFlows, plate: str) -> dict[str, Any]:
    """Bring a car in and out through `gate`; returns all that was written of it, without ids."""
    at = replace(world, gate=gate)
    cars: list[UUID] = []
    for lane in (world.entry, world.exit):
        car = await at.arrive(lane)
        cars.append(car)
        read = read_of(plate)
        await gate.record_observation(lane, world.event(lane), car, read, "camera-1")
        decision = await at.decide(lane, car, read)
        assert decision.command is not None
        command_id = decision.command.command_id
        await gate.command_answered(lane, command_id, CommandState.ACCEPTED, None)
        for kind in ("opening", "opened", "passed"):
            await gate.record_barrier_event(lane, moved(world, lane, car, kind))
        await at.clear(lane, car)
    [found] = await world.rows("SELECT session_id FROM presentations WHERE id = :id", id=cars[0])
    reads = {
        "events": "SELECT lane_id, kind, command_id, detail, occurred_at, received_at,"
        " read_sealed IS NULL AS is_bare FROM lane_events WHERE presentation_id IN"
        " (SELECT id FROM presentations WHERE session_id = :stay) ORDER BY lane_id, seq",
        "stay": "SELECT state, version, entered_at, left_at, rate_table_id, circumstances,"
        " driver_id FROM sessions WHERE id = :stay",
        "segments": "SELECT area_id, rate_table_id, started_at, ended_at FROM segments"
        " WHERE session_id = :stay",
        "cars": "SELECT lane_id, place_id, state, occupied_at, cleared_at, action, reason,"
        " commands, has_newer_read, decided_at FROM presentations WHERE session_id = :stay"
        " ORDER BY lane_id",
        "commands": "SELECT state, reason, rejection, issued_at, answered_at FROM gate_commands"
        " WHERE session_id = :stay ORDER BY lane_id",
        "told": "SELECT owner_id, type, version, payload, occurred_at, attempts, next_at, done_at"
        " FROM outbox WHERE subject_id = :stay ORDER BY version",
    }
    written = {name: await world.rows(sql, stay=found["session_id"]) for name, sql in reads.items()}
    lanes = await world.rows(
        "SELECT last_seq % 6 AS rest, heard_at FROM lane_connections ORDER BY lane_id"
    )
    return written | {"lanes": lanes}


async def test_a_usual_car_is_kept_as_in_a_unit_of_work(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = await whole_stay(world, world.gate, PLATE)
    slow_gate = LaneFlows(world.context)

    async def unasked(unit: UnitOfWork, lane: Lane, *_: object) -> ArrivalFacts:
        return await arrival_facts.unasked(unit, lane)

    usual = UsualEvents(world.context.database)

    async def nothing(*_: object) -> bool:
        return False

    monkeypatch.setattr(usual, "_keep", nothing)
    monkeypatch.setattr(slow_gate, "_usual", usual)
    monkeypatch.setattr(arrival_facts, "find", unasked)
    slow = await whole_stay(world, slow_gate, OTHER_PLATE)
    assert slow == quick
    assert [event["kind"] for event in quick["events"][:6]] == [
        "presentation",
        "observation",
        "opening",
        "opened",
        "passed",
        "presentation",
    ]
    assert [told["type"] for told in quick["told"]] == [
        "SessionEntered",
        "GateOpened",
        "GateOpened",
        "SessionEnded",
    ]


async def test_a_usual_car_costs_one_statement_an_event(world: LaneWorld) -> None:
    lane = world.entry
    with collected(world.context.database) as seen:
        car = await world.arrive(lane)
        read = read_of(PLATE)
        await world.gate.record_observation(lane, world.event(lane), car, read, "camera-1")
    assert len(seen) == 2
    decision = await world.decide(lane, car, read)
    assert decision.command is not None
    with collected(world.context.database) as seen:
        await world.gate.command_answered(
            lane, decision.command.command_id, CommandState.ACCEPTED, None
        )
        await world.barrier(lane, car, "opened", "passed")
        await world.clear(lane, car)
    assert len(seen) == 4
    assert not [text for text in seen if "FOR UPDATE" in text]


async def test_events_again_change_nothing(world: LaneWorld) -> None:
    lane = world.entry
    sent: list[BarrierEvent] = []
    came = world.event(lane)
    car = new_id(world.clock.now())
    await world.gate.present(lane, came, car, PresentationState.OCCUPIED)
    seen = world.event(lane)
    await world.gate.record_observation(lane, seen, car, read_of(PLATE), "camera-1")
    await world.decide(lane, car, read_of(PLATE))
    for kind in ("opened", "passed"):
        sent.append(moved(world, lane, car, kind))
        await world.gate.record_barrier_event(lane, sent[-1])
    left = world.event(lane)
    await world.gate.present(lane, left, car, PresentationState.CLEARED)
    before = await everything(world)
    gate = world.gate
    again = [
        await gate.present(lane, came, car, PresentationState.OCCUPIED),
        await gate.record_observation(lane, seen, car, read_of(PLATE), "camera-1"),
        *[await gate.record_barrier_event(lane, event) for event in sent],
        await gate.present(lane, left, car, PresentationState.CLEARED),
    ]
    assert again == [1, 2, 3, 4, 5]
    assert await everything(world) == before


@pytest.mark.parametrize("what", ["came", "left", "read", "opened", "passed", "opening"])
async def test_an_event_after_a_gap_keeps_nothing(world: LaneWorld, what: str) -> None:
    car = await let_in(world)
    await world.barrier(world.entry, car, "opened")
    before = await everything(world)
    world.event(world.entry)
    event = world.event(world.entry)
    gate, lane = world.gate, world.entry
    calls = {
        "came": lambda: gate.present(
            lane, event, new_id(event.occurred_at), PresentationState.OCCUPIED
        ),
        "left": lambda: gate.present(lane, event, car, PresentationState.CLEARED),
        "read": lambda: gate.record_observation(lane, event, car, read_of(PLATE), "camera-1"),
    }
    with pytest.raises(EventOutOfOrderError) as raised:
        await calls.get(
            what,
            lambda: gate.record_barrier_event(lane, BarrierEvent(event, what, car, None)),
        )()
    assert raised.value.last_seq == 2
    assert await everything(world) == before


async def test_an_event_of_a_known_id_moves_the_number_and_nothing_else(world: LaneWorld) -> None:
    car = await let_in(world)
    opened = moved(world, world.entry, car, "opened")
    await world.gate.record_barrier_event(world.entry, opened)
    before = await everything(world)
    again = replace(opened, event=replace(opened.event, seq=world.event(world.entry).seq))
    assert await world.gate.record_barrier_event(world.entry, again) == 3
    after = await everything(world)
    assert after.pop("lane_connections") != before.pop("lane_connections")
    assert after == before


async def test_what_cannot_be_stored_is_refused_and_the_next_event_is_not(
    world: LaneWorld,
) -> None:
    car = await let_in(world)
    before = await everything(world)
    event = moved(world, world.entry, car, "opened")
    with pytest.raises(InvalidInputError):
        await world.gate.record_barrier_event(world.entry, replace(event, reason="a\0b"))
    assert await everything(world) == before
    assert await world.gate.record_barrier_event(world.entry, event) == 2


async def test_one_event_at_two_bridges_at_once_is_kept_once(
    world: LaneWorld, database_url: str
) -> None:
    """Ten cars' openings, each told by both bridges while the other's are under way."""
    other = Database(database_url, clock=world.clock, vault=VAULT)
    gates = (world.gate, LaneFlows(replace(world.context, database=other)))
    try:
        for number in range(10):
            car = await let_in(world, f"京A0000{number}")
            opened = moved(world, world.entry, car, "opened")
            passed = moved(world, world.entry, car, "passed")
            seqs = await asyncio.gather(
                *(gate.record_barrier_event(world.entry, opened) for gate in gates)
            )
            assert seqs == [opened.event.seq] * 2
            seqs = await asyncio.gather(
                *(gate.record_barrier_event(world.entry, passed) for gate in gates),
            )
            assert seqs == [passed.event.seq] * 2
            await world.rows_changed("UPDATE space_pools SET occupied = 0, is_full = false")
    finally:
        await other.close()
    told = await world.rows("SELECT count(*) AS n FROM outbox WHERE type = 'GateOpened'")
    assert told == [{"n": 10}]
    assert await world.rows("SELECT DISTINCT version FROM sessions") == [{"version": 2}]
    assert await world.count("lane_events") == 30
    assert await world.count("misread_reviews") == 0


async def test_events_of_a_lane_all_at_once_are_kept_in_their_order(world: LaneWorld) -> None:
    """Who comes too early is told so and comes again; nothing is kept twice or in between."""
    car = await let_in(world)
    waiting = [moved(world, world.entry, car, kind) for kind in ("opening", "opened", "passed")]
    while waiting:
        results = await asyncio.gather(
            *(world.gate.record_barrier_event(world.entry, event) for event in waiting),
            return_exceptions=True,
        )
        left: list[BarrierEvent] = [
            event
            for event, result in zip(waiting, results, strict=True)
            if isinstance(result, EventOutOfOrderError)
        ]
        assert len(left) < len(waiting)
        waiting = left
    rows = await world.rows("SELECT seq, kind FROM lane_events ORDER BY seq")
    assert [row["kind"] for row in rows] == ["presentation", "opening", "opened", "passed"]
    assert [row["seq"] for row in rows] == [1, 2, 3, 4]


async def test_a_car_whose_stay_was_cancelled_is_left_to_staff_when_it_passes(
    world: LaneWorld,
) -> None:
    car = await let_in(world)
    await world.barrier(world.entry, car, "backed_out", "passed")
    reviews = await world.rows("SELECT kind FROM misread_reviews")
    assert reviews == [{"kind": "undecided_passage"}]


@pytest.mark.parametrize("kind", ["entry", "exit"])
async def test_a_car_without_a_stay_is_not_let_go_by_the_quick_way(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What its gate decided by itself may still come, and must know that the car went away."""
    lane = world.entry if kind == "entry" else world.exit
    car = await world.arrive(lane)
    told: list[tuple[UUID, bool]] = []

    async def note(
        _unit: UnitOfWork, _operator_id: UUID, presentation_id: UUID, *, is_withdrawn: bool
    ) -> bool:
        told.append((presentation_id, is_withdrawn))
        return False

    monkeypatch.setattr(offline, "note_motion", note)
    await world.clear(lane, car)
    assert told == [(car, True)]
    assert await world.rows("SELECT state FROM presentations") == [{"state": "cleared"}]


async def test_another_lanes_car_and_command_are_left_alone(world: LaneWorld) -> None:
    car = await let_in(world)
    [command] = await world.rows("SELECT id FROM gate_commands")
    before = await everything(world)
    await world.barrier(world.second_entry, car, "opened")
    await world.clear(world.second_entry, car)
    await world.gate.command_answered(
        world.second_entry, command["id"], CommandState.REJECTED, "expired"
    )
    after = await everything(world)
    for table in ("presentations", "sessions", "outbox", "gate_commands"):
        assert after[table] == before[table], table


async def test_an_acceptance_is_never_taken_back(world: LaneWorld) -> None:
    await let_in(world)
    [command] = await world.rows("SELECT id FROM gate_commands")
    gate, lane = world.gate, world.entry
    await gate.command_answered(lane, command["id"], CommandState.REJECTED, "expired")
    rows = "SELECT state, rejection, answered_at FROM gate_commands"
    at = world.clock.now()
    assert await world.rows(rows) == [
        {"state": "rejected", "rejection": "expired", "answered_at": at}
    ]
    await gate.command_answered(lane, command["id"], CommandState.ACCEPTED, None)
    world.wait(minutes=1)
    await gate.command_answered(lane, command["id"], CommandState.REJECTED, "expired")
    assert await world.rows(rows) == [{"state": "accepted", "rejection": None, "answered_at": at}]


async def test_the_relay_is_woken_for_an_opening_only(world: LaneWorld) -> None:
    car = await let_in(world)
    woken: list[int] = []

    async def wake() -> None:
        woken.append((await world.rows("SELECT max(seq) AS seq FROM lane_events"))[0]["seq"])

    world.context.database.after_events = wake
    await world.barrier(world.entry, car, "opening", "opened", "passed")
    # After the commit: whoever is woken sees what there is.
    assert woken == [3]


async def test_a_read_is_sealed(world: LaneWorld) -> None:
    car = await world.arrive(world.entry)
    event = world.event(world.entry)
    await world.gate.record_observation(world.entry, event, car, read_of(PLATE), "camera-1")
    [row] = await world.rows("SELECT detail, read_sealed FROM lane_events WHERE seq = 2")
    assert PLATE not in json.dumps(row["detail"], ensure_ascii=False)
    assert PLATE in VAULT.open(row["read_sealed"], context="read")
