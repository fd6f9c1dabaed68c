"""Places around a position, nearest first, with what is counted there: one statement.

The index on positions gives what lies in one box or two; that is measured by the haversine
formula, as `parking.kit.geography.distance_m` does it. Distances are whole millimetres, so that
a page goes on exactly where the last one ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from parking.kit.database import UnitOfWork
from parking.kit.geography import EARTH_RADIUS_M, MICRO, Position, boxes_around
from parking.places.positions import Entrance, Whereabouts

PLACES_READ_MAX: Final = 201
_MILLIMETRES: Final = 1000

# Sorted before anything else is looked up, and kept so by OFFSET 0: of a whole city only as many
# places are counted as the page takes, and what is full has no rate table to look for.
NEAREST: Final = """
    WITH measured AS (
        SELECT position.*, CAST(round(2 * CAST(:radius_of_earth_mm AS float8) * asin(least(1, sqrt(
            power(sin((radians(latitude) - center_latitude) / 2), 2) + cos(center_latitude)
            * cos(radians(latitude)) * power(sin((radians(longitude) - center_longitude) / 2), 2)
        )))) AS bigint) AS distance_mm
        FROM (
            SELECT radians(CAST(:latitude AS float8)) AS center_latitude,
                radians(CAST(:longitude AS float8)) AS center_longitude
        ) AS center
        CROSS JOIN LATERAL (
            SELECT *, latitude_microdegrees / CAST(1e6 AS float8) AS latitude,
                longitude_microdegrees / CAST(1e6 AS float8) AS longitude
            FROM place_positions
            WHERE point(longitude_microdegrees, latitude_microdegrees)
                    <@ box(point(:west, :south), point(:east, :north))
                OR point(longitude_microdegrees, latitude_microdegrees)
                    <@ box(point(:west_2, :south_2), point(:east_2, :north_2))
        ) AS position
    )
    SELECT near.operator_id, near.place_id, near.distance_mm, near.latitude_microdegrees,
        near.longitude_microdegrees, near.address, near.entrances,
        place.name, place.timezone, place.currency, counted.free, counted.spaces,
        rate_table.id AS rate_table_id
    FROM (
        SELECT * FROM measured
        WHERE distance_mm <= CAST(:radius_mm AS bigint)
            AND (distance_mm, operator_id, place_id) > (
                CAST(:after_mm AS bigint), CAST(:after_operator AS uuid), CAST(:after_place AS uuid)
            )
        ORDER BY distance_mm, operator_id, place_id OFFSET 0
    ) AS near
    JOIN places AS place ON place.operator_id = near.operator_id AND place.id = near.place_id
    JOIN LATERAL (
        SELECT CAST(coalesce(sum(coalesce(pool.spaces, area.supply)), 0) AS integer) AS spaces,
            CAST(coalesce(sum(greatest(
                coalesce(pool.spaces, area.supply) - coalesce(pool.occupied + pool.kept, 0), 0
            )) FILTER (WHERE NOT coalesce(pool.is_full AND pool.keeps_closed, false)), 0)
                AS integer) AS free
        FROM identified_areas AS area
        LEFT JOIN space_pools AS pool
            ON pool.operator_id = area.operator_id AND pool.id = area.id
        WHERE area.operator_id = near.operator_id AND area.place_id = near.place_id
    ) AS counted ON counted.free >= CAST(:free_min AS integer)
    LEFT JOIN LATERAL (
        SELECT id FROM rate_tables
        WHERE rate_tables.operator_id = near.operator_id
            AND rate_tables.place_id = near.place_id AND effective_at <= :arrives_at
        ORDER BY effective_at DESC, version DESC LIMIT 1
    ) AS rate_table ON true
    ORDER BY near.distance_mm, near.operator_id, near.place_id
    LIMIT :rows
"""
_NEAREST: Final = text(NEAREST)
_AREAS: Final = text(
    """
    SELECT area.operator_id, area.id, area.place_id, area.name,
        coalesce(pool.spaces, area.supply) AS spaces,
        coalesce(pool.occupied + pool.kept, 0) AS taken,
        coalesce(pool.is_full AND pool.keeps_closed, false) AS is_closed
    FROM unnest(CAST(:operator_ids AS uuid[]), CAST(:place_ids AS uuid[]))
        AS asked (operator_id, place_id)
    JOIN identified_areas AS area
        ON area.operator_id = asked.operator_id AND area.place_id = asked.place_id
    LEFT JOIN space_pools AS pool ON pool.operator_id = area.operator_id AND pool.id = area.id
    ORDER BY area.operator_id, area.id LIMIT :rows
    """
)
AREAS_READ_MAX: Final = 5000
_NOWHERE: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class After:
    """Where a page goes on: behind this place."""

    distance_mm: int
    operator_id: UUID
    place_id: UUID


BEGINNING: Final = After(-1, _NOWHERE, _NOWHERE)


@dataclass(frozen=True, slots=True)
class NearRow:
    """A place with its distance and its counts.

    Attributes:
        free: Public spaces with no car on them, that wait for none, and whose area lets cars in.
        rate_table_id: The version in force at arrival; None where there is none.
    """

    operator_id: UUID
    place_id: UUID
    distance_mm: int
    whereabouts: Whereabouts
    name: str
    timezone: str
    currency: str
    free: int
    spaces: int
    rate_table_id: UUID | None

    @property
    def key(self) -> tuple[UUID, UUID]:
        """Return the operator and the place."""
        return self.operator_id, self.place_id


@dataclass(frozen=True, slots=True)
class AreaCount:
    """An area's public spaces, as counted.

    Attributes:
        taken: Cars that stand there, and spaces that wait for one with a reservation.
        is_closed: Whether its gates let nobody in: full, and not yet empty enough to reopen.
    """

    operator_id: UUID
    area_id: UUID
    place_id: UUID
    name: str
    spaces: int
    taken: int
    is_closed: bool

    @property
    def free(self) -> int:
        """Return how many spaces a car would get now."""
        return 0 if self.is_closed else max(self.spaces - self.taken, 0)

    @property
    def share(self) -> float:
        """Return the taken share; cars beyond the supply do not count."""
        return min(self.taken / self.spaces, 1.0) if self.spaces else 1.0


def values_of(center: Position, radius_m: int) -> dict[str, object]:
    """Return what `NEAREST` takes for a circle."""
    first, *rest = boxes_around(center, radius_m)
    second = rest[0] if rest else first
    boxes = (("", first), ("_2", second))
    return {
        "latitude": center.latitude,
        "longitude": center.longitude,
        "radius_of_earth_mm": EARTH_RADIUS_M * _MILLIMETRES,
        "radius_mm": radius_m * _MILLIMETRES,
        **{
            f"{side}{suffix}": getattr(box, side) * MICRO
            for suffix, box in boxes
            for side in ("south", "west", "north", "east")
        },
    }


async def list_nearest(
    unit: UnitOfWork,
    center: Position,
    *,
    radius_m: int,
    free_min: int,
    arrives_at: datetime,
    after: After,
    rows: int,
) -> list[NearRow]:
    """Return places around a position, nearest first.

    Args:
        unit: The transaction.
        center: Where to be near.
        radius_m: How far away at most.
        free_min: How many public spaces must be free now.
        arrives_at: Whose rate table counts.
        after: Where the last page ended.
        rows: At most so many, and never more than PLACES_READ_MAX.
    """
    values = values_of(center, radius_m) | {
        "free_min": free_min,
        "arrives_at": arrives_at,
        "after_mm": after.distance_mm,
        "after_operator": after.operator_id,
        "after_place": after.place_id,
        "rows": min(rows, PLACES_READ_MAX),
    }
    return [_near(row) for row in await unit.run(_NEAREST, values)]


async def list_areas(
    unit: UnitOfWork, places: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], list[AreaCount]]:
    """Return what is counted in the areas of many places, by (operator, place); one statement."""
    values = {
        "operator_ids": [operator_id for operator_id, _ in places],
        "place_ids": [place_id for _, place_id in places],
        "rows": AREAS_READ_MAX,
    }
    found: dict[tuple[UUID, UUID], list[AreaCount]] = {}
    for row in await unit.run(_AREAS, values):
        area = AreaCount(
            row.operator_id, row.id, row.place_id, row.name, row.spaces, row.taken, row.is_closed
        )
        found.setdefault((row.operator_id, row.place_id), []).append(area)
    return found


def _near(row: Any) -> NearRow:  # noqa: ANN401 - a row of the driver
    return NearRow(
        operator_id=row.operator_id,
        place_id=row.place_id,
        distance_mm=row.distance_mm,
        whereabouts=Whereabouts(
            Position(row.latitude_microdegrees, row.longitude_microdegrees),
            row.address,
            tuple(Entrance.from_json(one) for one in row.entrances),
        ),
        name=row.name,
        timezone=row.timezone,
        currency=row.currency,
        free=row.free,
        spaces=row.spaces,
        rate_table_id=row.rate_table_id,
    )
