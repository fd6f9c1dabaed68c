"""How a lane's report is kept, by the domain and by the fake that stands in for it."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from gate_bridge.fake_lane_service import FakeLaneService
from parking.flows.lane_types import AgentCondition, DeviceSignal, Direction, Lane, LaneReport
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.ids import new_id
from parking.lanes.health import REPORTS_MAX, write_reports
from tests.factories.lane_world import LaneWorld, open_lane_world

KEPT = text("SELECT * FROM lane_health")


def a_report(lane: Lane, at: datetime) -> LaneReport:
    return LaneReport(
        operator_id=lane.operator_id,
        lane_id=lane.lane_id,
        session_epoch=7,
        bridge="bridge-1",
        agent_version="agent/1",
        connected_at=at,
        last_seen_at=at,
        condition=AgentCondition(
            queue_depth=3,
            oldest_queued_at=at,
            clock_offset_ms=-12,
            clock_uncertainty_ms=1,
            barrier="up",
            policy_version="9",
            devices=(DeviceSignal("camera", at, 90_000), DeviceSignal("relay", None)),
        ),
    )


def the_reports(report: LaneReport) -> list[tuple[LaneReport, bool]]:
    """Return reports to tell after `report`, and whether each is to be kept."""
    later = report.last_seen_at + timedelta(seconds=10)
    return [
        (replace(report, last_seen_at=report.last_seen_at - timedelta(seconds=1)), False),
        (replace(report, session_epoch=6, last_seen_at=later, bridge="old"), False),
        (replace(report, last_seen_at=later, ended_at=later, close_code=1006), True),
        (replace(report, session_epoch=8, bridge="bridge-2"), True),
        (replace(report, last_seen_at=later + timedelta(hours=1), ended_at=later), False),
    ]


async def test_the_fake_keeps_the_newest_report_of_the_newest_connection() -> None:
    clock = ManualClock(SystemClock().now())
    service = FakeLaneService(clock)
    some = new_id(clock.now())
    lane = Lane(some, some, some, some, Direction.ENTRY, "Entry")
    report = a_report(lane, clock.now())
    await service.report_health([report])
    kept = report
    for told, is_kept in the_reports(report):
        await service.report_health([told])
        kept = told if is_kept else kept
        assert service.health == {lane.lane_id: kept}


async def _kept(world: LaneWorld) -> list[dict[str, Any]]:
    async with world.context.database.begin() as unit:
        rows = [dict(row) for row in (await unit.run(KEPT)).mappings()]
    return [
        row | {"devices": json.loads(row["devices"])} if isinstance(row["devices"], str) else row
        for row in rows
    ]


async def test_the_domain_keeps_the_newest_report_of_the_newest_connection(
    database_url: str, valkey_url: str
) -> None:
    async with open_lane_world(database_url, valkey_url) as world:
        report = a_report(world.entry, world.clock.now())
        await world.gate.report_health([report])
        at = report.last_seen_at
        [row] = await _kept(world)
        assert row == {
            "operator_id": world.entry.operator_id,
            "lane_id": world.entry.lane_id,
            "session_epoch": 7,
            "bridge": "bridge-1",
            "agent_version": "agent/1",
            "connected_at": at,
            "last_seen_at": at,
            "ended_at": None,
            "close_code": None,
            "queue_depth": 3,
            "oldest_queued_at": at,
            "clock_offset_ms": -12,
            "clock_uncertainty_ms": 1,
            "barrier": "up",
            "policy_version": "9",
            "devices": [
                {"name": "camera", "last_signal_at": at.isoformat(), "clock_offset_ms": 90_000},
                {"name": "relay", "last_signal_at": None, "clock_offset_ms": None},
            ],
        }
        kept = report
        for told, is_kept in the_reports(report):
            await world.gate.report_health([told])
            kept = told if is_kept else kept
            [row] = await _kept(world)
            assert (row["session_epoch"], row["bridge"]) == (kept.session_epoch, kept.bridge)
            assert (row["last_seen_at"], row["ended_at"]) == (kept.last_seen_at, kept.ended_at)
            assert row["close_code"] == kept.close_code


async def test_a_lane_that_is_not_there_costs_no_other_lane_its_report(
    database_url: str, valkey_url: str
) -> None:
    async with open_lane_world(database_url, valkey_url) as world:
        report = a_report(world.entry, world.clock.now())
        gone = replace(report, lane_id=new_id(world.clock.now()))
        other = replace(report, lane_id=world.exit.lane_id)
        await world.gate.report_health([other, gone, report])
        kept = {row["lane_id"] for row in await _kept(world)}
        assert kept == {world.entry.lane_id, world.exit.lane_id}
        async with world.context.database.begin() as unit:
            with pytest.raises(ValueError, match="reports: at most 500"):
                await write_reports(unit, [report] * (REPORTS_MAX + 1))
