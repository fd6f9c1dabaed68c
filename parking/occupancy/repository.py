"""Every query about pools of spaces. One statement counts; the row is locked until the commit."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CursorResult, text, tuple_
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.occupancy.models import OccupancyCount, SpacePool

POOLS_READ_MAX: Final = 500
AREAS_ASKED_MAX: Final = 5000

# An area's public pool has the area's id, and is made when its first car comes.
_ENTER_PUBLIC: Final = text(
    """
    INSERT INTO space_pools AS pool (
        operator_id, id, place_id, area_id, spaces, occupied, kept, is_full,
        reopen_free, keeps_closed, below_zero, overflowed, counted_at
    )
    SELECT operator_id, id, place_id, id, supply, 1, 0, supply <= 1, 1, false, 0, 0, :now
    FROM identified_areas WHERE operator_id = :operator_id AND id = :area_id
    ON CONFLICT (operator_id, id) DO UPDATE SET
        occupied = pool.occupied + 1,
        overflowed = pool.overflowed + CAST(pool.occupied >= pool.spaces AS integer),
        is_full = pool.is_full OR pool.occupied + pool.kept + 1 >= pool.spaces,
        counted_at = :now
    WHERE CAST(:is_inside AS boolean) OR NOT (pool.keeps_closed AND pool.is_full)
    RETURNING id, spaces, occupied, is_full, is_full AND occupied + kept = spaces AS has_changed
    """
)
_ENTER_RESERVED: Final = text(
    """
    UPDATE space_pools SET
        occupied = occupied + 1, is_full = is_full OR occupied + 1 >= spaces, counted_at = :now
    WHERE operator_id = :operator_id AND id = (
        SELECT id FROM space_pools
        WHERE operator_id = :operator_id AND area_id = :area_id
            AND specification_id = ANY(:specification_ids) AND occupied < spaces
        ORDER BY id LIMIT 1 FOR UPDATE
    )
    RETURNING id, spaces, occupied, is_full, false AS has_changed
    """
)
_LEAVE: Final = text(
    """
    UPDATE space_pools SET
        occupied = greatest(occupied - 1, 0),
        below_zero = below_zero + CAST(occupied = 0 AS integer),
        is_full = is_full AND spaces - kept - greatest(occupied - 1, 0) < reopen_free,
        counted_at = :now
    WHERE operator_id = :operator_id AND id = :pool_id
    RETURNING id, spaces, occupied, is_full, specification_id IS NULL AND NOT is_full
        AND spaces - kept - occupied = reopen_free AS has_changed
    """
)
# Of a public pool: the row is locked before it is read, so that its sign is known as it was.
_KEEP: Final = text(
    """
    WITH before AS (
        SELECT operator_id, id, is_full FROM space_pools
        WHERE operator_id = :operator_id AND id = :area_id FOR UPDATE
    )
    UPDATE space_pools AS pool SET
        kept = pool.kept + :kept,
        occupied = pool.occupied + :came,
        overflowed = pool.overflowed
            + CAST(:came > 0 AND pool.occupied >= pool.spaces AS integer),
        is_full = pool.occupied + :came + pool.kept + :kept >= pool.spaces
            OR (
                pool.is_full AND pool.spaces - pool.occupied - :came - pool.kept - :kept
                    < pool.reopen_free
            ),
        counted_at = :now
    FROM before WHERE pool.operator_id = before.operator_id AND pool.id = before.id
    RETURNING pool.id, pool.spaces, pool.occupied, pool.kept, pool.keeps_closed,
        pool.is_full <> before.is_full AS has_changed
    """
)
_ENSURE_PUBLIC: Final = text(
    """
    INSERT INTO space_pools (
        operator_id, id, place_id, area_id, spaces, occupied, kept, is_full,
        reopen_free, keeps_closed, below_zero, overflowed, counted_at
    )
    SELECT operator_id, id, place_id, id, supply, 0, 0, false, 1, false, 0, 0, :now
    FROM identified_areas WHERE operator_id = :operator_id AND id = :area_id
    ON CONFLICT DO NOTHING
    """
)
# A night whose hour nobody was at work in is made up for soon, or left out.
_DUE: Final = text(
    """
    SELECT pool.operator_id, pool.id, CAST(place.local_at AS date) AS local_day
    FROM space_pools pool
    JOIN LATERAL (
        SELECT CAST(:now AS timestamptz) AT TIME ZONE timezone AS local_at FROM places
        WHERE operator_id = pool.operator_id AND id = pool.place_id
    ) place ON true
    WHERE pool.recount_hour IS NOT NULL
        AND (pool.operator_id, pool.id) > (:after_operator, :after_id)
        AND extract(hour FROM place.local_at) - pool.recount_hour BETWEEN 0 AND :late_hours
        AND (pool.recounted_on IS NULL OR pool.recounted_on < CAST(place.local_at AS date))
    ORDER BY pool.operator_id, pool.id LIMIT :rows
    """
)


@dataclass(frozen=True, slots=True)
class DueRecount:
    """An area whose counts are to be set to its open stays.

    Attributes:
        local_day: The day at the place.
    """

    operator_id: UUID
    area_id: UUID
    local_day: date


@dataclass(frozen=True, slots=True)
class Counted:
    """A pool after a car was counted.

    Attributes:
        has_changed: Whether the public sign may say something else now.
    """

    pool_id: UUID
    has_changed: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """An area's public spaces after what is kept of them changed.

    Attributes:
        kept: Spaces that wait for cars with a reservation.
    """

    counted: Counted
    spaces: int
    occupied: int
    kept: int
    keeps_closed: bool


async def keep(
    unit: UnitOfWork, operator_id: UUID, area_id: UUID, *, kept: int, came: int = 0
) -> Kept:
    """Keep more of an area's public spaces for reservations, or fewer, and count who came for one.

    Args:
        unit: The transaction.
        operator_id: Whose area it is.
        area_id: The area; its public pool exists.
        kept: How many more are kept.
        came: How many cars came in, whatever the sign says.
    """
    values = {
        "operator_id": operator_id,
        "area_id": area_id,
        "kept": kept,
        "came": came,
        "now": unit.now(),
    }
    row = (await unit.run(_KEEP, values)).one()
    counted = Counted(row.id, bool(row.has_changed))
    return Kept(counted, row.spaces, row.occupied, row.kept, bool(row.keeps_closed))


async def ensure_public(unit: UnitOfWork, operator_id: UUID, area_id: UUID) -> None:
    """Make an area's public pool before its first car comes."""
    values = {"operator_id": operator_id, "area_id": area_id, "now": unit.now()}
    await unit.run(_ENSURE_PUBLIC, values)


async def enter_public(
    unit: UnitOfWork, operator_id: UUID, area_id: UUID, *, is_inside: bool
) -> Counted | None:
    """Count a car in an area's public spaces; None where it is full and keeps closed.

    Args:
        unit: The transaction.
        operator_id: Whose area it is.
        area_id: The area.
        is_inside: Whether the car is in already, so that it counts in any case.
    """
    values = {"operator_id": operator_id, "area_id": area_id, "is_inside": is_inside}
    return _counted(await unit.run(_ENTER_PUBLIC, values | {"now": unit.now()}))


async def enter_reserved(
    unit: UnitOfWork, operator_id: UUID, area_id: UUID, specification_ids: Collection[UUID]
) -> Counted | None:
    """Count a car in spaces that are kept for one of these passes; None where none is free."""
    values = {
        "operator_id": operator_id,
        "area_id": area_id,
        "specification_ids": list(specification_ids),
        "now": unit.now(),
    }
    return _counted(await unit.run(_ENTER_RESERVED, values))


async def leave(unit: UnitOfWork, operator_id: UUID, pool_id: UUID) -> Counted | None:
    """Count a car out; never below nothing. None where there is no such pool."""
    values = {"operator_id": operator_id, "pool_id": pool_id, "now": unit.now()}
    return _counted(await unit.run(_LEAVE, values))


async def lock_occupied(unit: UnitOfWork, operator_id: UUID, pool_id: UUID) -> int:
    """Lock a pool as counting does; returns how many are counted there, nobody without a pool."""
    statement = (
        select(SpacePool.occupied)
        .where(col(SpacePool.operator_id) == operator_id, col(SpacePool.id) == pool_id)
        .with_for_update()
    )
    return (await unit.session.exec(statement)).one_or_none() or 0


async def find_pool(unit: UnitOfWork, operator_id: UUID, pool_id: UUID) -> SpacePool | None:
    """Return a pool, as it stands now."""
    return await unit.session.get(SpacePool, (operator_id, pool_id), populate_existing=True)


async def lock_pools(unit: UnitOfWork, operator_id: UUID, area_id: UUID) -> Sequence[SpacePool]:
    """Lock an area's pools in the order of their ids, with its public one, made if need be.

    Nothing else may be locked by this transaction: see `UnitOfWork.at_end`.
    """
    await ensure_public(unit, operator_id, area_id)
    statement = (
        select(SpacePool)
        .where(col(SpacePool.operator_id) == operator_id)
        .where(col(SpacePool.area_id) == area_id)
        .order_by(col(SpacePool.id))
        .limit(POOLS_READ_MAX)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).all()


async def list_pools(
    unit: UnitOfWork, operator_id: UUID, place_ids: Collection[UUID]
) -> Sequence[SpacePool]:
    """Return the pools of places."""
    statement = (
        select(SpacePool)
        .where(col(SpacePool.operator_id) == operator_id)
        .where(col(SpacePool.place_id).in_(list(place_ids)))
        .order_by(col(SpacePool.area_id), col(SpacePool.id))
        .limit(POOLS_READ_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def find_full(
    unit: UnitOfWork, areas: Collection[tuple[UUID, UUID]]
) -> set[tuple[UUID, UUID]]:
    """Return those of some (operator, area) whose public sign says full."""
    asked = sorted(areas)
    full: set[tuple[UUID, UUID]] = set()
    for start in range(0, len(asked), AREAS_ASKED_MAX):
        statement = (
            select(SpacePool.operator_id, SpacePool.area_id)
            # A public pool has its area's id.
            .where(
                tuple_(col(SpacePool.operator_id), col(SpacePool.id)).in_(
                    asked[start : start + AREAS_ASKED_MAX]
                )
            )
            .where(col(SpacePool.is_full))
        )
        full.update((row[0], row[1]) for row in await unit.session.exec(statement))
    return full


async def list_due_recounts(
    unit: UnitOfWork, *, after: tuple[UUID, UUID], late_hours: int, rows: int
) -> list[DueRecount]:
    """Return areas whose hour it is at their place, and that were not recounted today.

    Args:
        unit: The transaction.
        after: The operator and the area that the last page ended with.
        late_hours: How many hours after its own an area may still be recounted.
        rows: At most so many.
    """
    operator_id, area_id = after
    values = {
        "now": unit.now(),
        "after_operator": operator_id,
        "after_id": area_id,
        "late_hours": late_hours,
        "rows": rows,
    }
    found = await unit.run(_DUE, values)
    return [DueRecount(row.operator_id, row.id, row.local_day) for row in found]


async def list_counts(
    unit: UnitOfWork, operator_id: UUID, pool_id: UUID, *, rows: int
) -> Sequence[OccupancyCount]:
    """Return the newest recounts of a pool, newest first."""
    statement = (
        select(OccupancyCount)
        .where(col(OccupancyCount.operator_id) == operator_id)
        .where(col(OccupancyCount.pool_id) == pool_id)
        .order_by(col(OccupancyCount.id).desc())
        .limit(rows)
    )
    return (await unit.session.exec(statement)).all()


def _counted(result: CursorResult[Any]) -> Counted | None:
    row = result.one_or_none()
    return None if row is None else Counted(row.id, bool(row.has_changed))
