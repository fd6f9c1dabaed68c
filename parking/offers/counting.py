"""The counts of a pool: who is waited for, who stands there, and what the gates keep for it.

Rows are locked in one order: the reservation, its pool, the area's public spaces.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.kit.database import UnitOfWork

# The row is locked before it is read: what others counted meanwhile is in `before`.
_SHIFT: Final = text("""
    WITH before AS (
        SELECT operator_id, id, kept FROM right_pools
        WHERE operator_id = :operator_id AND id = :pool_id FOR UPDATE
    )
    UPDATE right_pools AS pool SET
        waiting = pool.waiting + :waiting,
        standing = pool.standing + :standing,
        kept = least(
            pool.waiting + :waiting, greatest(pool.spaces - pool.standing - :standing, 0)
        ),
        shown = pool.shown + :shown,
        missed = pool.missed + :missed
    FROM before WHERE pool.operator_id = before.operator_id AND pool.id = before.id
    RETURNING pool.kept - before.kept AS kept
""")
_ARRIVE: Final = text("""
    WITH before AS (
        SELECT operator_id, id, is_waiting, state FROM reservations
        WHERE operator_id = :operator_id AND id = :reservation_id
            AND state IN ('confirmed', 'no_show')
            AND kept_from <= :came_at AND kept_until > :came_at
        FOR UPDATE
    )
    UPDATE reservations AS reservation SET state = 'arrived', version = reservation.version + 1,
        session_id = :session_id, arrived_at = :came_at, ended_at = NULL,
        due_at = reservation.ends_at, is_waiting = false
    FROM before
    WHERE reservation.operator_id = before.operator_id AND reservation.id = before.id
    RETURNING reservation.pool_id, before.is_waiting AS was_waiting,
        before.state = 'no_show' AS was_missed
""")
_FAIL: Final = text("""
    UPDATE reservations SET state = 'failed', version = version + 1, ended_at = :now,
        due_at = :now, is_waiting = false
    WHERE operator_id = :operator_id AND id = :reservation_id
""")


@dataclass(frozen=True, slots=True)
class Shift:
    """How a pool's counts change."""

    waiting: int = 0
    standing: int = 0
    shown: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Came:
    """A reservation whose driver came.

    Attributes:
        was_missed: Whether it was given up before anybody told that the driver had come in time.
    """

    pool_id: UUID
    was_waiting: bool
    was_missed: bool


async def shift(unit: UnitOfWork, operator_id: UUID, pool_id: UUID, change: Shift) -> int:
    """Change a pool's counts; returns how many more spaces the gates are to keep for it."""
    values = {
        "operator_id": operator_id,
        "pool_id": pool_id,
        "waiting": change.waiting,
        "standing": change.standing,
        "shown": change.shown,
        "missed": change.missed,
    }
    return int((await unit.run(_SHIFT, values)).scalar_one())


async def arrive(
    unit: UnitOfWork, operator_id: UUID, reservation_id: UUID, session_id: UUID, came_at: datetime
) -> Came | None:
    """Let a reservation be that of a stay; None where its car was not expected when it came."""
    values = {
        "operator_id": operator_id,
        "reservation_id": reservation_id,
        "session_id": session_id,
        "came_at": came_at,
    }
    row = (await unit.run(_ARRIVE, values)).one_or_none()
    return None if row is None else Came(row.pool_id, bool(row.was_waiting), bool(row.was_missed))


async def fail(unit: UnitOfWork, operator_id: UUID, reservation_id: UUID) -> None:
    """Note that its driver came and found no space."""
    await unit.run(
        _FAIL,
        {"operator_id": operator_id, "reservation_id": reservation_id, "now": unit.now()},
    )
