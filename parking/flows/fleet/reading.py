"""Reads the fleet in one statement, for who runs the installation and for an operator's staff."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text

from parking.flows.context import ParkingContext
from parking.flows.fleet.status import Contact, LaneStatus
from parking.kit.columns import Json
from parking.kit.ids import floor_id
from parking.lanes.health import AgentCondition, DeviceSignal
from parking.places.models import Direction

LANES_MAX: Final = 10_000
# Orders of older cars are not looked for; their cars have left.
COMMANDS_OF: Final = timedelta(hours=1)
# An answer that is on its way is not missing.
ANSWER_WITHIN: Final = timedelta(seconds=10)

_FLEET: Final = text(
    """
    SELECT lane.operator_id, operators.name AS operator, lane.place_id, places.name AS place,
           lane.id AS lane_id, lane.name AS lane, lane.direction,
           health.session_epoch, health.bridge, health.agent_version, health.connected_at,
           health.last_seen_at, health.ended_at, health.close_code, health.queue_depth,
           health.oldest_queued_at, health.clock_offset_ms, health.clock_uncertainty_ms,
           health.barrier, health.policy_version, health.devices,
           certificates.expires_at AS certificate_expires_at,
           COALESCE(commands.unanswered, 0) AS commands_unanswered
    FROM access_lanes AS lane
    JOIN operators ON operators.id = lane.operator_id
    JOIN places ON places.operator_id = lane.operator_id AND places.id = lane.place_id
    LEFT JOIN lane_health AS health
      ON health.operator_id = lane.operator_id AND health.lane_id = lane.id
    LEFT JOIN (
        SELECT operator_id, lane_id, max(not_after) AS expires_at
        FROM gate_certificates WHERE revoked_at IS NULL GROUP BY operator_id, lane_id
    ) AS certificates
      ON certificates.operator_id = lane.operator_id AND certificates.lane_id = lane.id
    LEFT JOIN (
        SELECT recent.operator_id, recent.lane_id, count(*) AS unanswered
        FROM operators AS one
        CROSS JOIN LATERAL (
            SELECT operator_id, lane_id FROM gate_commands
            WHERE gate_commands.operator_id = one.id AND gate_commands.id >= :first_command_id
              AND gate_commands.state = 'issued' AND gate_commands.issued_at <= :issued_until
        ) AS recent
        WHERE CAST(:operator_id AS uuid) IS NULL OR one.id = :operator_id
        GROUP BY recent.operator_id, recent.lane_id
    ) AS commands
      ON commands.operator_id = lane.operator_id AND commands.lane_id = lane.id
    WHERE (CAST(:operator_id AS uuid) IS NULL OR lane.operator_id = :operator_id)
      AND (CAST(:place AS text) IS NULL OR places.id::text = :place
           OR strpos(lower(places.name), lower(:place)) > 0)
      AND (CAST(:places AS uuid[]) IS NULL OR lane.place_id = ANY(CAST(:places AS uuid[])))
    ORDER BY places.name, lane.name, lane.id
    LIMIT :lanes
    """
).columns(devices=Json)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Every lane that was asked for, those with the worst problems first.

    Attributes:
        is_whole: False where there are more than LANES_MAX lanes.
    """

    taken_at: datetime
    lanes: tuple[LaneStatus, ...]
    is_whole: bool


async def read_fleet(
    context: ParkingContext,
    *,
    operator_id: UUID | None = None,
    place: str | None = None,
    places: Collection[UUID] | None = None,
) -> Fleet:
    """Return how the lanes are.

    Args:
        context: The domain.
        operator_id: Whose; None for the whole installation, which no request may ask for.
        place: Id or a part of the name of the places; None for all.
        places: None but these; None for all.
    """
    async with context.database.begin() as unit:
        now = unit.now()
        values = {
            "operator_id": operator_id,
            "place": place,
            "places": None if places is None else list(places),
            "first_command_id": floor_id(now - COMMANDS_OF),
            "issued_until": now - ANSWER_WITHIN,
            "lanes": LANES_MAX + 1,
        }
        rows = (await unit.run(_FLEET, values)).all()
    lanes = sorted((_status(row, now) for row in rows[:LANES_MAX]), key=lambda lane: lane.rank)
    return Fleet(now, tuple(lanes), len(rows) <= LANES_MAX)


def _status(row: Row[Any], now: datetime) -> LaneStatus:
    return LaneStatus(
        operator_id=row.operator_id,
        operator=row.operator,
        place_id=row.place_id,
        place=row.place,
        lane_id=row.lane_id,
        lane=row.lane,
        direction=Direction(row.direction),
        contact=None if row.session_epoch is None else _contact(row),
        condition=_condition(row),
        certificate_expires_at=row.certificate_expires_at,
        commands_unanswered=row.commands_unanswered,
        taken_at=now,
    )


def _contact(row: Row[Any]) -> Contact:
    return Contact(
        session_epoch=row.session_epoch,
        bridge=row.bridge,
        agent_version=row.agent_version,
        connected_at=row.connected_at,
        last_seen_at=row.last_seen_at,
        ended_at=row.ended_at,
        close_code=row.close_code,
    )


def _condition(row: Row[Any]) -> AgentCondition:
    return AgentCondition(
        queue_depth=row.queue_depth,
        oldest_queued_at=row.oldest_queued_at,
        clock_offset_ms=row.clock_offset_ms,
        clock_uncertainty_ms=row.clock_uncertainty_ms,
        barrier=row.barrier,
        policy_version=row.policy_version,
        devices=tuple(map(_device, row.devices or ())),
    )


def _device(told: dict[str, Any]) -> DeviceSignal:
    at = told["last_signal_at"]
    return DeviceSignal(
        told["name"],
        None if at is None else datetime.fromisoformat(at),
        told.get("clock_offset_ms"),
    )
