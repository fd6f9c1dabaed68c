"""Events commit with their rows, are leased for delivery, and stay readable for those who missed.

An event is published at least once: a consumer that dies before `mark_done` gets it again when
its lease ends, up to ATTEMPTS_MAX times. An event that nobody could take is parked: it stays,
open and visible, until `resume_parked`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Update, func, text, tuple_, update
from sqlmodel import col, select

from parking.events.envelope import Event
from parking.events.models import OutboxRow
from parking.kit.database import UnitOfWork

LEASE = timedelta(seconds=4)
LEASE_ROWS_MAX = 100
# Later leases last longer, so that a consumer in trouble is not flooded.
LEASE_GROWTH_MAX = 8
# With the growing lease, about nine minutes of trying.
ATTEMPTS_MAX = 20
CATCH_UP_MAX = 200
# Far enough to never come due by itself; the index of due events then passes over it.
PARKED_UNTIL = datetime(9999, 1, 1, tzinfo=UTC)

_LEASE = text(
    """
    UPDATE outbox SET attempts = attempts + 1,
        next_at = :now + CAST(:lease AS interval) * least(attempts + 1, :growth)
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


@dataclass(frozen=True, slots=True)
class LeasedEvent:
    """An event that is ours to deliver until its lease ends.

    Attributes:
        attempt: Counts from 1; more than ATTEMPTS_MAX means that nobody could take it.
    """

    event: Event
    attempt: int


async def lease(unit: UnitOfWork) -> list[LeasedEvent]:
    """Take up to LEASE_ROWS_MAX due events for a while, oldest first."""
    rows = await unit.run(
        _LEASE,
        {
            "now": unit.now(),
            "lease": LEASE,
            "growth": LEASE_GROWTH_MAX,
            "rows": LEASE_ROWS_MAX,
        },
    )
    leased = [LeasedEvent(_event(row), int(row.attempts)) for row in rows]
    return sorted(leased, key=lambda one: one.event.id)


async def release(unit: UnitOfWork, leased: Sequence[LeasedEvent], until: datetime) -> None:
    """Give leases back until a later time; the attempt does not count, for none was made."""
    await unit.run(_open_rows(leased).values(attempts=OutboxRow.attempts - 1, next_at=until))


async def park(unit: UnitOfWork, leased: Sequence[LeasedEvent]) -> None:
    """Stop trying, without forgetting."""
    await unit.run(_open_rows(leased).values(next_at=PARKED_UNTIL))


async def finish(unit: UnitOfWork, leased: Sequence[LeasedEvent]) -> None:
    """Say that every consumer has these events."""
    await unit.run(_open_rows(leased).values(done_at=unit.now()))


async def claim(
    unit: UnitOfWork, owner_id: UUID, event_id: UUID, *, attempt: int, until: datetime
) -> Event | None:
    """Prolong the lease of an attempt that now begins its work.

    Returns None if the event is done or a later attempt has it: at most one attempt works on an
    event before `until`.
    """
    if not await postpone(unit, owner_id, event_id, attempt=attempt, until=until):
        return None
    return await find(unit, owner_id, event_id)


async def postpone(
    unit: UnitOfWork, owner_id: UUID, event_id: UUID, *, attempt: int, until: datetime
) -> bool:
    """Let the next attempt begin at `until`; returns whether this attempt still had the event."""
    statement = (
        update(OutboxRow).where(*_is_attempt(owner_id, event_id, attempt)).values(next_at=until)
    )
    return (await unit.run(statement)).rowcount == 1


async def mark_done(unit: UnitOfWork, owner_id: UUID, event_id: UUID) -> bool:
    """Say that every consumer has the event; returns whether it was still open."""
    statement = (
        update(OutboxRow)
        .where(col(OutboxRow.owner_id) == owner_id, col(OutboxRow.id) == event_id)
        .where(col(OutboxRow.done_at).is_(None))
        .values(done_at=unit.now())
    )
    return (await unit.run(statement)).rowcount == 1


async def count_parked(unit: UnitOfWork) -> int:
    """Return how many events wait for a person."""
    parked = select(func.count()).select_from(OutboxRow).where(*_IS_PARKED)
    return (await unit.session.exec(parked)).one()


async def resume_parked(unit: UnitOfWork) -> int:
    """Try every parked event again from the first attempt on; returns how many there were."""
    statement = update(OutboxRow).where(*_IS_PARKED).values(attempts=0, next_at=unit.now())
    unit.has_events = True
    return (await unit.run(statement)).rowcount


async def find(unit: UnitOfWork, owner_id: UUID, event_id: UUID) -> Event | None:
    """Return one event, if it exists."""
    row = await unit.session.get(OutboxRow, (owner_id, event_id))
    return None if row is None else _event(row)


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


_IS_PARKED = (col(OutboxRow.done_at).is_(None), col(OutboxRow.next_at) >= PARKED_UNTIL)


def _is_attempt(owner_id: UUID, event_id: UUID, attempt: int) -> tuple[ColumnElement[bool], ...]:
    return (
        col(OutboxRow.owner_id) == owner_id,
        col(OutboxRow.id) == event_id,
        col(OutboxRow.attempts) == attempt,
        col(OutboxRow.done_at).is_(None),
    )


def _open_rows(leased: Sequence[LeasedEvent]) -> Update:
    # The attempt is compared too: a lease that ended meanwhile belongs to another relay.
    keys = [(one.event.owner_id, one.event.id, one.attempt) for one in leased]
    row_key = tuple_(col(OutboxRow.owner_id), col(OutboxRow.id), col(OutboxRow.attempts))
    return update(OutboxRow).where(row_key.in_(keys), col(OutboxRow.done_at).is_(None))
