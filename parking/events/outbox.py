"""Events commit with their rows, are leased for delivery, and stay readable for those who missed.

An event is published at least once: a consumer that dies before `mark_done` gets it again when
its lease ends.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text, update
from sqlmodel import col, select

from parking.events.envelope import Event
from parking.events.models import OutboxRow
from parking.kit.database import UnitOfWork

LEASE = timedelta(seconds=4)
LEASE_ROWS_MAX = 100
# Later leases last longer, so that a consumer in trouble is not flooded.
LEASE_GROWTH_MAX = 8
CATCH_UP_MAX = 200

_LEASE = text(
    """
    UPDATE outbox SET attempts = attempts + 1,
        next_at = :now + :lease * least(attempts + 1, :growth)
    FROM (
        SELECT owner_id, id FROM outbox WHERE done_at IS NULL AND next_at <= :now
        ORDER BY next_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE outbox.owner_id = due.owner_id AND outbox.id = due.id
    RETURNING outbox.owner_id, outbox.id, outbox.type, outbox.subject_id, outbox.version,
        outbox.payload, outbox.occurred_at, outbox.attempts
    """
)


def append(unit: UnitOfWork, event: Event) -> None:
    """Add an event to the transaction of `unit`."""
    unit.has_events = True
    unit.session.add(
        OutboxRow(
            owner_id=event.owner_id,
            id=event.id,
            type=event.type,
            subject_id=event.subject_id,
            version=event.version,
            payload=event.payload,
            occurred_at=event.occurred_at,
            next_at=unit.now(),
        )
    )


async def lease(unit: UnitOfWork) -> list[tuple[Event, int]]:
    """Take up to LEASE_ROWS_MAX due events for a while; returns each with its attempt's number."""
    rows = await unit.run(
        _LEASE,
        {
            "now": unit.now(),
            "lease": LEASE,
            "growth": LEASE_GROWTH_MAX,
            "rows": LEASE_ROWS_MAX,
        },
    )
    leased = [(_event(row), int(row.attempts)) for row in rows]
    return sorted(leased, key=lambda pair: pair[0].id)


async def mark_done(unit: UnitOfWork, owner_id: UUID, event_id: UUID) -> bool:
    """Say that every consumer has the event; returns whether it was still open."""
    statement = (
        update(OutboxRow)
        .where(col(OutboxRow.owner_id) == owner_id, col(OutboxRow.id) == event_id)
        .where(col(OutboxRow.done_at).is_(None))
        .values(done_at=unit.now())
    )
    return (await unit.run(statement)).rowcount == 1


async def find(unit: UnitOfWork, owner_id: UUID, event_id: UUID) -> Event | None:
    """Return one event, if it exists."""
    row = await unit.session.get(OutboxRow, (owner_id, event_id))
    return None if row is None else _event(row)


async def since_version(
    unit: UnitOfWork, owner_id: UUID, subject_id: UUID, version: int
) -> Sequence[Event]:
    """Return what happened to a subject after `version`, oldest first, at most CATCH_UP_MAX."""
    statement = (
        select(OutboxRow)
        .where(col(OutboxRow.owner_id) == owner_id, col(OutboxRow.subject_id) == subject_id)
        .where(col(OutboxRow.version) > version)
        .order_by(col(OutboxRow.version))
        .limit(CATCH_UP_MAX)
    )
    return [_event(row) for row in await unit.session.exec(statement)]


def _event(row: Any) -> Event:  # noqa: ANN401 - a row class or a result row, with the same names
    occurred_at: datetime = row.occurred_at
    return Event(
        id=row.id,
        type=row.type,
        owner_id=row.owner_id,
        subject_id=row.subject_id,
        occurred_at=occurred_at,
        payload=row.payload,
        version=row.version,
    )
