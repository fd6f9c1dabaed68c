"""How each lane's agent is: written by the bridges, many lanes at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import text

from parking.kit.database import UnitOfWork

REPORTS_MAX: Final = 500

# Rows in one order: two bridges that report the same lanes must not wait for each other. A lane
# that does not exist (any more) is left out, so that it takes no other lane's report with it.
_WRITE: Final = text(
    """
    INSERT INTO lane_health AS known (
        operator_id, lane_id, session_epoch, bridge, agent_version, connected_at, last_seen_at,
        ended_at, close_code, queue_depth, oldest_queued_at, clock_offset_ms,
        clock_uncertainty_ms, barrier, policy_version, devices
    )
    SELECT told.operator_id, told.lane_id, told.session_epoch, told.bridge, told.agent_version,
           told.connected_at, told.last_seen_at, told.ended_at, told.close_code,
           told.queue_depth, told.oldest_queued_at, told.clock_offset_ms,
           told.clock_uncertainty_ms, told.barrier, told.policy_version, told.devices
    FROM jsonb_to_recordset(CAST(:reports AS jsonb)) AS told (
        operator_id uuid, lane_id uuid, session_epoch integer, bridge text, agent_version text,
        connected_at timestamptz, last_seen_at timestamptz, ended_at timestamptz,
        close_code integer, queue_depth integer, oldest_queued_at timestamptz,
        clock_offset_ms integer, clock_uncertainty_ms integer, barrier text,
        policy_version text, devices jsonb
    )
    JOIN access_lanes
      ON access_lanes.operator_id = told.operator_id AND access_lanes.id = told.lane_id
    ORDER BY 1, 2
    ON CONFLICT (operator_id, lane_id) DO UPDATE SET
        session_epoch = excluded.session_epoch,
        bridge = excluded.bridge,
        agent_version = excluded.agent_version,
        connected_at = excluded.connected_at,
        last_seen_at = excluded.last_seen_at,
        ended_at = excluded.ended_at,
        close_code = excluded.close_code,
        queue_depth = excluded.queue_depth,
        oldest_queued_at = excluded.oldest_queued_at,
        clock_offset_ms = excluded.clock_offset_ms,
        clock_uncertainty_ms = excluded.clock_uncertainty_ms,
        barrier = excluded.barrier,
        policy_version = excluded.policy_version,
        devices = excluded.devices
    WHERE (known.session_epoch, known.last_seen_at)
       <= (excluded.session_epoch, excluded.last_seen_at)
    """
)


@dataclass(frozen=True, slots=True)
class DeviceSignal:
    """How a device at a lane is.

    Attributes:
        last_signal_at: When it was heard last; None for never since its agent started.
        clock_offset_ms: How far its clock is ahead of its agent's; None where unknown.
    """

    name: str
    last_signal_at: datetime | None
    clock_offset_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCondition:
    """What an agent says of itself; None is "did not say".

    Attributes:
        oldest_queued_at: Of the events in its journal that the bridge has not committed.
        clock_offset_ms: How far its own clock is ahead of the bridge's.
    """

    queue_depth: int | None = None
    oldest_queued_at: datetime | None = None
    clock_offset_ms: int | None = None
    clock_uncertainty_ms: int | None = None
    barrier: str | None = None
    policy_version: str | None = None
    devices: tuple[DeviceSignal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneReport:
    """How one connection of a lane is, or how it ended."""

    operator_id: UUID
    lane_id: UUID
    session_epoch: int
    bridge: str
    agent_version: str
    connected_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None = None
    close_code: int | None = None
    condition: AgentCondition = AgentCondition()


_OF_CONNECTION: Final = tuple(
    field.name for field in fields(LaneReport) if field.name != "condition"
)
_OF_AGENT: Final = tuple(field.name for field in fields(AgentCondition))


async def write_reports(unit: UnitOfWork, reports: Sequence[LaneReport]) -> None:
    """Keep reports of different lanes; an older one, or one of an older connection, does nothing.

    Raises:
        ValueError: more than REPORTS_MAX.
    """
    if len(reports) > REPORTS_MAX:
        raise ValueError(f"reports: at most {REPORTS_MAX}")
    if reports:
        # The database's driver has a UUID class of its own, which is written as text.
        rows = orjson.dumps(list(map(_row, reports)), default=str)
        await unit.run(_WRITE, {"reports": rows.decode()})


def _row(report: LaneReport) -> dict[str, object]:
    # What stays as it is needs no copy: hundreds of lanes are written each second.
    row = {name: getattr(report, name) for name in _OF_CONNECTION}
    return row | {name: getattr(report.condition, name) for name in _OF_AGENT}
