"""What is known of a place and a plate when a car comes in, in one statement.

Most cars are strangers: what a plate has nothing of is not asked for again, table by table. An
answer may only be wrong by naming what has just ended, which is then looked for in vain. What
begins between this statement and the next ones began after the car came; a second stay of the
same plate is refused by its key, and the decision is made again.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from parking.flows.lane_types import Lane
from parking.flows.offers import expecting
from parking.kit.database import UnitOfWork
from parking.kit.one_statement import OneStatement
from parking.places import service as places
from parking.places.errors import PlaceUnknownError
from parking.sessions.service import session_id_of

_FACTS: Final = OneStatement("""
    SELECT place.name, place.timezone, place.currency,
        (
            SELECT id FROM rate_tables
            WHERE operator_id = :operator_id AND place_id = :place_id AND effective_at <= :now
            ORDER BY effective_at DESC, version DESC LIMIT 1
        ) AS rate_table_id,
        EXISTS (SELECT FROM sessions WHERE operator_id = :operator_id AND id = :session_id),
        EXISTS (
            SELECT FROM open_sessions WHERE operator_id = :operator_id AND place_id = :place_id
                AND plate_index = :plate_index
        ),
        EXISTS (SELECT FROM plate_bindings WHERE plate_index = :plate_index) OR EXISTS (
            SELECT FROM vehicle_records
            WHERE operator_id = :operator_id AND plate_index = :plate_index
        ),
        EXISTS (
            SELECT FROM departures WHERE operator_id = :operator_id AND place_id = :place_id
                AND plate_index = :plate_index
        ) OR EXISTS (
            SELECT FROM allowance_uses WHERE operator_id = :operator_id AND place_id = :place_id
                AND plate_index = :plate_index
        ),
        EXISTS (
            SELECT FROM right_plates WHERE operator_id = :operator_id
                AND plate_index = :plate_index AND removed_at IS NULL
        ),
        EXISTS (SELECT FROM binding_claims WHERE plate_index = :plate_index),
        (
            SELECT reservation.id FROM plate_bindings AS binding
            JOIN reservations AS reservation ON reservation.driver_id = binding.driver_id
            WHERE binding.plate_index = :plate_index AND binding.unbound_at IS NULL
                AND (binding.frozen_until IS NULL OR binding.frozen_until <= :now)
                AND reservation.operator_id = :operator_id AND reservation.area_id = :area_id
                AND reservation.state = 'confirmed'
                AND reservation.kept_from <= :now AND reservation.kept_until > :now
            ORDER BY reservation.starts_at, reservation.id LIMIT 1
        ) AS reservation_id
    FROM (SELECT 1) AS always
    JOIN places AS place ON place.operator_id = :operator_id AND place.id = :place_id
""")


@dataclass(frozen=True, slots=True)
class ArrivalFacts:
    """The place, and what its rows may have of the plate: where not, nobody needs to look.

    Attributes:
        rate_table_id: In force now; None where that is to be asked.
        has_stay: Whether the stay that this car causes exists.
        is_inside: Whether an open stay of the plate does.
        reservation_id: Of the plate's driver, where one is expected in the area now.
    """

    place_name: str
    timezone: str
    currency: str
    rate_table_id: UUID | None = None
    has_stay: bool = True
    is_inside: bool = True
    is_known: bool = True
    has_traces: bool = True
    has_pass: bool = True
    is_claimed: bool = True
    reservation_id: UUID | None = None


async def find(
    unit: UnitOfWork, lane: Lane, presentation_id: UUID, plate_index: UUID
) -> ArrivalFacts:
    """Return what there is of a car that comes in now.

    Raises:
        PlaceUnknownError: the place is not the operator's.
    """
    values = {
        "operator_id": lane.operator_id,
        "place_id": lane.place_id,
        "area_id": lane.area_id,
        "plate_index": plate_index,
        "session_id": session_id_of(presentation_id),
        "now": unit.now(),
    }
    row = (await unit.ask(_FACTS, values)).one_or_none()
    if row is None:
        raise PlaceUnknownError("place_id: expected a place of this operator")
    return ArrivalFacts(*row)


async def of_earlier(
    unit: UnitOfWork, lane: Lane, plate_index: UUID, came_at: datetime
) -> ArrivalFacts:
    """Return the place, and who was expected, for a car that came in before now."""
    reservation_id = await expecting.find_expected(
        unit, lane.operator_id, lane.area_id, plate_index, came_at
    )
    return replace(await unasked(unit, lane), reservation_id=reservation_id)


async def unasked(unit: UnitOfWork, lane: Lane) -> ArrivalFacts:
    """Return the place alone: all else is asked when it is wanted."""
    place = await places.require_place(unit, lane.operator_id, lane.place_id)
    return ArrivalFacts(place.name, place.timezone, place.currency)
