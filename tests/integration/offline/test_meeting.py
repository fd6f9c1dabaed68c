"""Where decisions with network and without it meet over one car, or two lanes over one plate."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from parking.flows.context import ParkingContext
from parking.flows.lane_types import OpenCommand
from parking.flows.offline import reconcile
from parking.flows.payments import checkout
from parking.plates.service import plate_index
from tests.factories.lane_world import PLATE, VAULT, LaneWorld, read_of
from tests.factories.offline_lane import OfflineLaneBox
from tests.integration.gate_stage import Stage, fresh_id, observation, open_stage, presentation

AFTER = timedelta(seconds=2)


async def facts(world: LaneWorld) -> list[tuple[str, int, str]]:
    """Return each stay's state, with what its bill says."""
    rows = await world.rows(
        "SELECT s.state, b.total_minor, b.state AS bill FROM sessions s "
        "JOIN bills b ON b.session_id = s.id AND b.state <> 'void' ORDER BY s.entered_at"
    )
    return [(row["state"], row["total_minor"], row["bill"]) for row in rows]


async def test_a_car_that_was_asked_for_money_and_let_out_by_the_gate_owes_it_once(
    world: LaneWorld,
) -> None:
    await world.drive_in()
    world.wait(minutes=31)
    box = OfflineLaneBox(world, world.exit)
    at = world.clock.now()
    presentation_id = box.come(at)
    await box.send()
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert decision.action == "pay"
    box.decide(at + AFTER, presentation_id, PLATE)
    box.add("opened", at + 2 * AFTER, presentation_id)
    box.add("passed", at + 3 * AFTER, presentation_id)
    world.wait(hours=2)
    await box.send()
    assert await facts(world) == [("left", 1000, "owed")]
    [row] = await world.rows("SELECT left_at FROM sessions")
    assert row["left_at"] == at + 3 * AFTER


async def test_a_car_that_was_decided_on_first_by_the_bridge_keeps_that_stay(
    world: LaneWorld,
) -> None:
    box = OfflineLaneBox(world, world.entry)
    at = world.clock.now()
    presentation_id = box.come(at)
    await box.send()
    assert (await world.decide(world.entry, presentation_id, read_of(PLATE))).action == "open"
    box.decide(at + AFTER, presentation_id, PLATE)
    await box.send()
    assert await world.count("sessions") == 1
    [row] = await world.rows("SELECT state, session_id IS NULL AS nothing FROM offline_passages")
    assert (row["state"], row["nothing"]) == ("applied", False)


async def test_a_car_that_the_bridge_decides_on_at_the_same_moment_keeps_that_stay(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = OfflineLaneBox(world, world.entry)
    at = world.clock.now()
    presentation_id = box.come(at)
    await box.send()
    settle = reconcile.settle

    async def decided_meanwhile(
        context: ParkingContext, operator_id: UUID, place_id: UUID, plate_index: UUID
    ) -> int:
        if not await world.count("sessions"):
            await world.decide(world.entry, presentation_id, read_of(PLATE))
        return await settle(context, operator_id, place_id, plate_index)

    monkeypatch.setattr(reconcile, "settle", decided_meanwhile)
    box.decide(at + AFTER, presentation_id, PLATE)
    await box.send()
    [row] = await world.rows(
        "SELECT p.state, p.session_id = s.id AS same FROM offline_passages p, sessions s"
    )
    assert (row["state"], row["same"]) == ("applied", True)


async def test_a_car_that_stands_there_still_is_ordered_in_under_one_decision(
    world: LaneWorld,
) -> None:
    box = OfflineLaneBox(world, world.entry)
    at = world.clock.now()
    presentation_id = box.come(at)
    box.decide(at + AFTER, presentation_id, PLATE)
    world.wait(seconds=3)
    await box.send()
    decision = await world.decide(world.entry, presentation_id, read_of("京B99999"))
    assert (decision.action, await world.count("sessions")) == ("open", 1)
    [order] = await world.gate.pending_commands(world.entry, presentation_id)
    assert isinstance(order, OpenCommand)
    [row] = await world.rows("SELECT reason, session_id IS NULL AS nothing FROM presentations")
    assert (row["reason"], row["nothing"]) == ("offline", False)


async def test_an_exit_that_was_refused_with_network_is_settled_when_its_entry_comes(
    world: LaneWorld,
) -> None:
    entry = OfflineLaneBox(world, world.entry)
    entry.visit(PLATE, world.clock.now())
    world.wait(minutes=31)
    leaving = OfflineLaneBox(world, world.exit)
    at = world.clock.now()
    presentation_id = leaving.come(at)
    await leaving.send()
    refused = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert refused.reason == "no_session"
    leaving.decide(at + AFTER, presentation_id, PLATE)
    leaving.add("passed", at + 2 * AFTER, presentation_id)
    world.wait(minutes=1)
    await leaving.send()
    assert await facts(world) == []
    await entry.send()
    assert await facts(world) == [("left", 1000, "owed")]


async def test_many_that_settle_one_plate_at_once_settle_it_once(world: LaneWorld) -> None:
    start = world.clock.now()
    entry, leaving = OfflineLaneBox(world, world.entry), OfflineLaneBox(world, world.exit)
    entry.visit(PLATE, start)
    leaving.visit(PLATE, start + timedelta(minutes=31))
    world.wait(hours=1)
    key = (world.entry.operator_id, world.entry.place_id, plate_index(VAULT, PLATE))
    for box in (leaving, entry):
        sends = (box.send(), *(reconcile.settle(world.context, *key) for _ in range(5)))
        await asyncio.gather(*sends)
    await reconcile.settle(world.context, *key)
    assert await facts(world) == [("left", 1000, "owed")]
    assert sum((await world.balances()).values()) == 0


@pytest.fixture
async def stage(valkey_url: str, tmp_path: Path) -> AsyncGenerator[Stage]:
    async with open_stage(valkey_url, tmp_path) as opened:
        yield opened


async def test_what_comes_from_the_journal_is_recorded_and_opens_nothing(stage: Stage) -> None:
    presentation_id = fresh_id()
    came = presentation(1, presentation_id)
    decision: dict[str, Any] = {
        "event_id": str(fresh_id()),
        "seq": 3,
        "presentation_id": str(presentation_id),
        "command_id": str(fresh_id()),
        "choice": "open",
        "reason": "fallback",
        "observation_id": None,
        "policy_version": 1,
        "risk_minor": 0,
        "occupied_at": came["occurred_at"],
        "occurred_at": came["occurred_at"],
        "clock_uncertainty_ms": 10,
    }
    async with stage.connect() as agent:
        await agent.hello(next_seq=4)
        assert await agent.call("Presentation", came) == [3, "Presentation", {"last_seq": 1}]
        seen = observation(2, presentation_id)
        assert await agent.call("Observation", seen) == [3, "Observation", {"last_seq": 2}]
        for _ in range(2):
            answer = await agent.call("OfflineDecision", decision)
            assert answer == [3, "OfflineDecision", {"last_seq": 3}]
        # Anything that the bridge sent for the car would come before this answer.
        heard = await agent.call("Heartbeat", {"sent_at": came["occurred_at"]})
        assert heard[:2] == [3, "Heartbeat"]
    assert [one.reason for one in stage.service.offline_decisions] == ["fallback"]
    assert (stage.service.decide_calls, stage.service.commands) == ([], {})


async def test_times_that_disagree_with_their_ids_are_refused(stage: Stage) -> None:
    presentation_id = fresh_id()
    async with stage.connect() as agent:
        await agent.hello(next_seq=1)
        answer = await agent.call(
            "OfflineDecision",
            {
                "event_id": str(fresh_id()),
                "seq": 1,
                "presentation_id": str(presentation_id),
                "command_id": None,
                "choice": "keep_closed",
                "reason": "ask_staff",
                "observation_id": None,
                "policy_version": None,
                "risk_minor": 0,
                "occupied_at": "2020-01-01T00:00:00Z",
                "occurred_at": presentation(1, presentation_id)["occurred_at"],
                "clock_uncertainty_ms": None,
            },
        )
    assert (answer[0], answer[2], answer[4]["field"]) == (4, "PayloadInvalid", "occupied_at")
    assert stage.service.offline_decisions == []


async def test_a_car_that_is_let_out_while_its_page_is_open_owes_nothing_beside_it(
    world: LaneWorld,
) -> None:
    await world.drive_in()
    world.wait(minutes=31)
    box = OfflineLaneBox(world, world.exit)
    at = world.clock.now()
    presentation_id = box.come(at)
    await box.send()
    decision = await world.decide(world.exit, presentation_id, read_of(PLATE))
    assert decision.display.qr is not None
    await checkout.start(world.context, decision.display.qr.rsplit("/", 1)[1])
    box.decide(at + AFTER, presentation_id, PLATE)
    box.add("opened", at + 2 * AFTER, presentation_id)
    await box.send()
    assert await world.rows("SELECT state, total_minor FROM bills") == [
        {"state": "issued", "total_minor": 1000}
    ]
    box.add("passed", at + 3 * AFTER, presentation_id)
    await box.send()
    assert [row[0] for row in await facts(world)] == ["left"]
    assert await world.count("payment_attempts") == 1
