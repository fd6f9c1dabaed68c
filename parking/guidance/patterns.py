"""Every query about how full pools usually are."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from parking.guidance.forecast import Hour, Persistence
from parking.kit.database import UnitOfWork

POOLS_PER_PAGE: Final = 500
ASKED_MAX: Final = 20_000
# The middle half of each hour, as the clock at the place says: a sample stands for all of it.
MINUTE_MIN: Final = 15
MINUTE_MAX: Final = 44
# Long enough that a pool is sampled once an hour, short enough that a late worker catches up.
SAMPLED_AGAIN_AFTER: Final = timedelta(minutes=35)

# A public pool that has no pattern yet gets one: from its first sample on it is due by time.
_ADD_MISSING: Final = text(
    """
    INSERT INTO pool_patterns (
        operator_id, pool_id, place_id, deviation, products, squares, sampled_at
    )
    SELECT pool.operator_id, pool.id, pool.place_id, NULL, 0, 0, '-infinity'
    FROM space_pools AS pool
    WHERE pool.id = pool.area_id AND NOT EXISTS (
        SELECT FROM pool_patterns AS pattern
        WHERE pattern.operator_id = pool.operator_id AND pattern.pool_id = pool.id
    )
    ON CONFLICT DO NOTHING
    """
)
# Locked, so that of two workers each samples other pools; the index knows which are due. What was
# sampled in the future was so by a clock that went wrong: it is not waited for.
_TAKE_DUE: Final = text(
    """
    SELECT pattern.operator_id, pattern.pool_id, pattern.deviation, pattern.products,
        pattern.squares, nullif(pattern.sampled_at, '-infinity') AS sampled_at,
        pool.spaces, pool.occupied + pool.kept AS taken, place.hour_of_week,
        hour.samples, hour.weight, hour.weight_squares, hour.mean, hour.squares AS hour_squares,
        hour.sampled_at AS hour_sampled_at
    FROM pool_patterns AS pattern
    JOIN space_pools AS pool
        ON pool.operator_id = pattern.operator_id AND pool.id = pattern.pool_id
    JOIN LATERAL (
        SELECT CAST(
            (extract(isodow FROM local_at) - 1) * 24 + extract(hour FROM local_at) AS integer
        ) AS hour_of_week, extract(minute FROM local_at) AS minute
        FROM (
            SELECT CAST(:now AS timestamptz) AT TIME ZONE timezone AS local_at FROM places
            WHERE operator_id = pattern.operator_id AND id = pattern.place_id
        ) AS clock
    ) AS place ON place.minute BETWEEN :minute_min AND :minute_max
    LEFT JOIN hour_patterns AS hour ON hour.operator_id = pattern.operator_id
        AND hour.pool_id = pattern.pool_id AND hour.hour_of_week = place.hour_of_week
    WHERE (pattern.sampled_at < :before OR pattern.sampled_at > :ahead) AND pool.spaces > 0
    ORDER BY pattern.sampled_at LIMIT :rows
    FOR UPDATE OF pattern SKIP LOCKED
    """
)
_KEEP_POOLS: Final = text(
    """
    UPDATE pool_patterns AS pattern SET
        deviation = given.deviation, products = given.products, squares = given.squares,
        sampled_at = :now
    FROM unnest(
        CAST(:operator_ids AS uuid[]), CAST(:pool_ids AS uuid[]),
        CAST(:deviations AS float8[]), CAST(:products AS float8[]), CAST(:squares AS float8[])
    ) AS given (operator_id, pool_id, deviation, products, squares)
    WHERE pattern.operator_id = given.operator_id AND pattern.pool_id = given.pool_id
    """
)
_KEEP_HOURS: Final = text(
    """
    INSERT INTO hour_patterns (
        operator_id, pool_id, hour_of_week, samples, weight, weight_squares, mean, squares,
        sampled_at
    )
    SELECT given.*, :now FROM unnest(
        CAST(:operator_ids AS uuid[]), CAST(:pool_ids AS uuid[]), CAST(:hours AS integer[]),
        CAST(:samples AS integer[]), CAST(:weights AS float8[]),
        CAST(:weight_squares AS float8[]), CAST(:means AS float8[]),
        CAST(:hour_squares AS float8[])
    ) AS given
    ON CONFLICT (operator_id, pool_id, hour_of_week) DO UPDATE SET
        samples = excluded.samples, weight = excluded.weight,
        weight_squares = excluded.weight_squares, mean = excluded.mean,
        squares = excluded.squares, sampled_at = excluded.sampled_at
    """
)
_FIND: Final = text(
    """
    SELECT pattern.operator_id, pattern.pool_id, pattern.deviation, pattern.products,
        pattern.squares, pattern.sampled_at, hour.hour_of_week, hour.samples, hour.weight,
        hour.weight_squares, hour.mean, hour.squares AS hour_squares,
        hour.sampled_at AS hour_sampled_at
    FROM unnest(
        CAST(:operator_ids AS uuid[]), CAST(:pool_ids AS uuid[]), CAST(:hours AS integer[])
    ) AS asked (operator_id, pool_id, hour_of_week)
    JOIN pool_patterns AS pattern
        ON pattern.operator_id = asked.operator_id AND pattern.pool_id = asked.pool_id
    JOIN hour_patterns AS hour ON hour.operator_id = asked.operator_id
        AND hour.pool_id = asked.pool_id AND hour.hour_of_week = asked.hour_of_week
    """
)

PoolKey = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class DuePool:
    """A pool whose hour is to be sampled.

    Attributes:
        share: Taken share now, 0 to 1, with what waits for cars with a reservation; cars beyond
            the supply do not count.
        hour: What is known of this hour of the week; None for nothing.
        persistence: None before the pool's first sample.
    """

    operator_id: UUID
    pool_id: UUID
    hour_of_week: int
    share: float
    hour: Hour | None
    persistence: Persistence | None


@dataclass(frozen=True, slots=True)
class Sampled:
    """What is known of a pool after a sample."""

    pool: DuePool
    hour: Hour
    persistence: Persistence


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is known of a pool: its persistence, and the hours that were asked for."""

    persistence: Persistence
    hours: Mapping[int, Hour]


async def add_missing(unit: UnitOfWork) -> None:
    """Give every public pool a pattern to fill."""
    await unit.run(_ADD_MISSING)


async def take_due(unit: UnitOfWork) -> list[DuePool]:
    """Lock pools whose hour is to be sampled, those that wait longest first."""
    values = {
        "now": unit.now(),
        "before": unit.now() - SAMPLED_AGAIN_AFTER,
        "ahead": unit.now() + SAMPLED_AGAIN_AFTER,
        "minute_min": MINUTE_MIN,
        "minute_max": MINUTE_MAX,
        "rows": POOLS_PER_PAGE,
    }
    return [_due(row) for row in await unit.run(_TAKE_DUE, values)]


async def keep(unit: UnitOfWork, sampled: Sequence[Sampled]) -> None:
    """Write what samples taught; two statements for all."""
    keys = {
        "operator_ids": [one.pool.operator_id for one in sampled],
        "pool_ids": [one.pool.pool_id for one in sampled],
        "now": unit.now(),
    }
    pools = {
        "deviations": [one.persistence.deviation for one in sampled],
        "products": [one.persistence.products for one in sampled],
        "squares": [one.persistence.squares for one in sampled],
    }
    hours = {
        "hours": [one.pool.hour_of_week for one in sampled],
        "samples": [one.hour.samples for one in sampled],
        "weights": [one.hour.weight for one in sampled],
        "weight_squares": [one.hour.weight_squares for one in sampled],
        "means": [one.hour.mean for one in sampled],
        "hour_squares": [one.hour.squares for one in sampled],
    }
    await unit.run(_KEEP_POOLS, keys | pools)
    await unit.run(_KEEP_HOURS, keys | hours)


async def find(
    unit: UnitOfWork, asked: Collection[tuple[UUID, UUID, int]]
) -> dict[PoolKey, Pattern]:
    """Return what is known of pools at hours: (operator, pool, hour of the week); one statement.

    A pool of which none of its hours is known is left out.
    """
    wanted = sorted(asked)[:ASKED_MAX]
    values = {
        "operator_ids": [operator_id for operator_id, _, _ in wanted],
        "pool_ids": [pool_id for _, pool_id, _ in wanted],
        "hours": [hour for _, _, hour in wanted],
    }
    hours: dict[PoolKey, dict[int, Hour]] = {}
    lasting: dict[PoolKey, Persistence] = {}
    for row in await unit.run(_FIND, values):
        key = (row.operator_id, row.pool_id)
        hours.setdefault(key, {})[row.hour_of_week] = _hour(row)
        lasting[key] = Persistence(row.deviation, row.products, row.squares, row.sampled_at)
    return {key: Pattern(lasting[key], known) for key, known in hours.items()}


def _due(row: Any) -> DuePool:  # noqa: ANN401 - a row of the driver
    sampled_at: datetime | None = row.sampled_at
    return DuePool(
        operator_id=row.operator_id,
        pool_id=row.pool_id,
        hour_of_week=row.hour_of_week,
        share=min(row.taken / row.spaces, 1.0),
        hour=None if row.samples is None else _hour(row),
        persistence=None
        if sampled_at is None
        else Persistence(row.deviation, row.products, row.squares, sampled_at),
    )


def _hour(row: Any) -> Hour:  # noqa: ANN401 - a row of the driver
    return Hour(
        row.samples,
        row.weight,
        row.weight_squares,
        row.mean,
        row.hour_squares,
        row.hour_sampled_at,
    )
