"""What usual cars cause at a lane: each event in one statement, a transaction by itself.

A car causes half a dozen events, and nearly always nothing is to be decided about them. Each
statement here does all or nothing: where more is to follow, it keeps nothing, and the use case
goes on in a transaction of its own. Where it keeps an event, it saw every earlier one of the lane:
the lane's number must be the one before, when the statement begins and when it has the lock.
"""

import json
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from parking.events.types import EventType
from parking.flows.lane_types import BarrierEvent, Direction, Lane, LaneEvent, PresentationState
from parking.flows.passage import BACKED_OUT, MOVED_KINDS, OPENED_KINDS, PASSED, TAILGATE
from parking.flows.reads import EVENT_OBSERVATION, SealedRead
from parking.kit.database import Database
from parking.kit.ids import new_id
from parking.kit.one_statement import OneStatement
from parking.lanes.models import CommandState
from parking.lanes.service import EVENT_PRESENTATION, heard_at

_FOLLOWED: Final = OPENED_KINDS | {PASSED, BACKED_OUT, TAILGATE}
# `{usual}` says that nothing else follows. Rows are locked in LOCK_ORDER: the connection first.
_KEEP: Final = """
    WITH moved AS (
        UPDATE lane_connections
        SET last_seq = :seq, heard_at = coalesce(:heard_at, lane_connections.heard_at)
        WHERE operator_id = :operator_id AND lane_id = :lane_id AND last_seq = :seq - 1{usual}
        RETURNING 1
    ), kept AS (
        INSERT INTO lane_events (operator_id, id, lane_id, seq, kind, presentation_id,
            command_id, detail, read_sealed, occurred_at, received_at)
        SELECT :operator_id, :event_id, :lane_id, :seq, CAST(:kind AS text), :presentation_id,
            CAST(:command_id AS uuid), CAST(:detail AS jsonb), CAST(:read_sealed AS bytea),
            :occurred_at, CAST(:now AS timestamptz)
        WHERE EXISTS (SELECT FROM moved)
        ON CONFLICT DO NOTHING RETURNING 1
    ){more}
    SELECT EXISTS (SELECT FROM kept)
"""
_CAR: Final = "operator_id = :operator_id AND id = :presentation_id AND lane_id = :lane_id"
_CAME: Final = """, came AS (
        INSERT INTO presentations (operator_id, id, lane_id, place_id, state, occupied_at,
            commands, has_newer_read)
        SELECT :operator_id, :presentation_id, :lane_id, CAST(:place_id AS uuid), 'occupied',
            CAST(:came_at AS timestamptz), 0, false
        WHERE EXISTS (SELECT FROM kept)
        ON CONFLICT DO NOTHING RETURNING 1
    ), gone AS (
        UPDATE presentations SET state = 'cleared', cleared_at = :came_at
        WHERE operator_id = :operator_id AND lane_id = :lane_id AND id <> :presentation_id
            AND cleared_at IS NULL AND EXISTS (SELECT FROM came)
    )"""
# A car that leaves an entry before its gate moved never came in.
_IS_THROUGH: Final = f"""
            AND EXISTS (SELECT FROM presentations WHERE {_CAR} AND session_id IS NOT NULL)
            AND (:is_exit OR EXISTS (
                SELECT FROM lane_events
                WHERE operator_id = :operator_id AND lane_id = :lane_id
                    AND presentation_id = :presentation_id AND kind = ANY (:moved_kinds)))"""  # noqa: S608 - constants only
_LEFT: Final = f""", cleared AS (
        UPDATE presentations SET state = 'cleared', cleared_at = :occurred_at
        WHERE {_CAR} AND cleared_at IS NULL AND EXISTS (SELECT FROM kept)
    )"""  # noqa: S608 - constants only
_STAY: Final = """presentations AS car
        JOIN sessions AS stay ON stay.operator_id = car.operator_id AND stay.id = car.session_id
        JOIN places AS place ON place.operator_id = stay.operator_id AND place.id = stay.place_id
        WHERE car.operator_id = :operator_id AND car.id = :presentation_id
            AND car.lane_id = :lane_id"""
_HAS_STAY: Final = f"""
            AND EXISTS (SELECT FROM {_STAY})"""
_IS_LET_IN: Final = f"""
            AND EXISTS (SELECT FROM {_STAY} AND stay.state <> 'cancelled')"""
# As `parking.sessions.events.tell` does.
_OPENED: Final = f""", told AS (
        UPDATE sessions SET version = sessions.version + 1
        FROM (SELECT stay.operator_id, stay.id, car.reason, place.name, place.timezone,
            place.currency FROM {_STAY}) AS stay
        WHERE sessions.operator_id = stay.operator_id AND sessions.id = stay.id
            AND EXISTS (SELECT FROM kept)
        RETURNING sessions.id, sessions.version, jsonb_build_object(
            'driver_id', sessions.driver_id, 'place_id', sessions.place_id,
            'place_name', stay.name, 'timezone', stay.timezone, 'currency', stay.currency,
            'lane_id', :lane_id, 'direction', CAST(:direction AS text),
            'reason', coalesce(stay.reason, ''), 'channels', jsonb_build_array()) AS payload
    ), announced AS (
        INSERT INTO outbox (owner_id, id, type, subject_id, version, payload, occurred_at,
            attempts, next_at)
        SELECT :operator_id, CAST(:outbox_id AS uuid), CAST(:type AS text), told.id,
            told.version, told.payload, :now, 0, :now
        FROM told
    )"""  # noqa: S608 - constants only

# An acceptance is never taken back; another lane's command is none of this one's business.
_ANSWERED: Final = OneStatement("""
    WITH answered AS (
        UPDATE gate_commands SET state = :state, rejection = :rejection, answered_at = :now
        WHERE operator_id = :operator_id AND id = :command_id AND lane_id = :lane_id
            AND state <> 'accepted'
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM answered)
""")


def _one(usual: str = "", more: str = "") -> OneStatement:
    return OneStatement(_KEEP.format(usual=usual, more=more))


_RECORD: Final = _one()
_OCCUPIED: Final = _one(more=_CAME)
_CLEARED: Final = _one(_IS_THROUGH, _LEFT)
_BARRIER_OPENED: Final = _one(_HAS_STAY, _OPENED)
_ENTRY_PASSED: Final = _one(_IS_LET_IN)


class UsualEvents:
    """Keeps events; each call returns whether it did, and with that all that follows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def came(
        self, lane: Lane, event: LaneEvent, presentation_id: UUID, came_at: datetime
    ) -> bool:
        """Keep that a car came, which means that the one before is gone."""
        values = self._presented(lane, event, presentation_id, PresentationState.OCCUPIED)
        return await self._keep(_OCCUPIED, values | {"place_id": lane.place_id, "came_at": came_at})

    async def left(self, lane: Lane, event: LaneEvent, presentation_id: UUID) -> bool:
        """Keep that a car left which had been let through."""
        values = self._presented(lane, event, presentation_id, PresentationState.CLEARED)
        is_exit = lane.direction == Direction.EXIT
        return await self._keep(
            _CLEARED, values | {"is_exit": is_exit, "moved_kinds": [*MOVED_KINDS]}
        )

    async def read(
        self, lane: Lane, event: LaneEvent, presentation_id: UUID, read: SealedRead
    ) -> bool:
        """Keep a camera's read that corrects nothing."""
        values = self._values(lane, event, EVENT_OBSERVATION, presentation_id, read.detail)
        return await self._keep(_RECORD, values | {"read_sealed": read.sealed})

    async def barrier(self, lane: Lane, event: BarrierEvent) -> bool:
        """Keep what the barrier of a car with a stay did, if the stay goes on as it is."""
        detail = {"operator": event.operator, "reason": event.reason}
        values = self._values(lane, event.event, event.kind, event.presentation_id, detail)
        values["command_id"] = event.command_id
        if event.kind in OPENED_KINDS:
            told = {
                "direction": lane.direction,
                "outbox_id": new_id(values["now"]),
                "type": EventType.GATE_OPENED,
            }
            is_kept = await self._keep(_BARRIER_OPENED, values | told)
            if is_kept:
                await self._database.wake_relay()
            return is_kept
        if event.kind == PASSED and lane.direction == Direction.ENTRY:
            return await self._keep(_ENTRY_PASSED, values)
        return event.kind not in _FOLLOWED and await self._keep(_RECORD, values)

    async def answered(
        self, lane: Lane, command_id: UUID, state: CommandState, reason: str | None
    ) -> None:
        """Write down what the lane answered to a command."""
        values = {
            "operator_id": lane.operator_id,
            "lane_id": lane.lane_id,
            "command_id": command_id,
            "state": state,
            "rejection": reason if state == CommandState.REJECTED else None,
            "now": self._database.clock.now(),
        }
        await self._database.run_alone(_ANSWERED, values)

    def _presented(
        self, lane: Lane, event: LaneEvent, presentation_id: UUID, state: PresentationState
    ) -> dict[str, Any]:
        return self._values(lane, event, EVENT_PRESENTATION, presentation_id, {"state": state})

    def _values(
        self,
        lane: Lane,
        event: LaneEvent,
        kind: str,
        presentation_id: UUID | None,
        detail: dict[str, Any],
    ) -> dict[str, Any]:
        now = self._database.clock.now()
        return {
            "operator_id": lane.operator_id,
            "lane_id": lane.lane_id,
            "event_id": event.event_id,
            "seq": event.seq,
            "kind": kind,
            "presentation_id": presentation_id,
            "command_id": None,
            "detail": json.dumps(detail),
            "read_sealed": None,
            "occurred_at": event.occurred_at,
            "now": now,
            "heard_at": heard_at(kind, event.occurred_at, now),
        }

    async def _keep(self, statement: OneStatement, values: dict[str, Any]) -> bool:
        return bool((await self._database.run_alone(statement, values))[0])
