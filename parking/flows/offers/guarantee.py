"""When somebody who was promised a space finds none: another place, and something for it."""

from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.flows.offers import reserving
from parking.flows.offers.keeping import shift
from parking.kit.database import UnitOfWork
from parking.offers import events, repository
from parking.offers.counting import Shift
from parking.offers.models import Reservation, ReservationState

# The nearest on the map; a place whose position nobody gave comes after those, by its name. An
# area that nobody ever came to is not counted yet.
_ALTERNATIVE: Final = text("""
    SELECT place.id, place.name
    FROM places AS place
    JOIN identified_areas AS area
        ON area.operator_id = place.operator_id AND area.place_id = place.id
    LEFT JOIN space_pools AS pool
        ON pool.operator_id = area.operator_id AND pool.id = area.id
    LEFT JOIN place_positions AS there
        ON there.operator_id = place.operator_id AND there.place_id = place.id
    LEFT JOIN place_positions AS here
        ON here.operator_id = place.operator_id AND here.place_id = :place_id
    WHERE place.operator_id = :operator_id AND place.id <> :place_id
        AND NOT coalesce(pool.is_full, false)
        AND coalesce(pool.occupied + pool.kept, 0) < coalesce(pool.spaces, area.supply)
    ORDER BY
        power(there.latitude_microdegrees - here.latitude_microdegrees, 2)
            + power(
                (there.longitude_microdegrees - here.longitude_microdegrees)
                    * cos(radians(here.latitude_microdegrees / 1000000.0)),
                2
            ) NULLS LAST,
        place.name, place.id
    LIMIT 1
""")


async def fail(unit: UnitOfWork, operator_id: UUID, reservation_id: UUID) -> None:
    """Note that a driver came and was not let in; what makes up for it follows by itself.

    Before the window nothing was promised yet: the space may still be left in time.
    """
    row = await repository.lock_reservation(unit, operator_id, reservation_id)
    if row is None or row.state != ReservationState.CONFIRMED or unit.now() < row.starts_at:
        return
    change = Shift(waiting=-int(row.is_waiting), shown=1)
    row.state = ReservationState.FAILED
    row.version += 1
    row.is_waiting = False
    row.ended_at = unit.now()
    row.due_at = unit.now()
    unit.session.add(row)
    await unit.session.flush()
    await shift(unit, row, change)


async def make_up(unit: UnitOfWork, row: Reservation) -> None:
    """Name another place with space to the driver of a locked reservation that failed, once."""
    values = {"operator_id": row.operator_id, "place_id": row.place_id}
    other = (await unit.run(_ALTERNATIVE, values)).one_or_none()
    row.alternative_id = None if other is None else other.id
    row.due_at = None
    place = await reserving.place_words(unit, row.operator_id, row.place_id)
    more = {} if other is None else {"other_place": other.name}
    events.tell_reservation(unit, row, place, events.RESERVATION_FAILED, more)
