"""Who is expected, where a car was not asked for it at the gate: it came long ago, or too early."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.kit.database import UnitOfWork
from parking.offers.models import Reservation

# As `arrival_facts` asks of a car that stands there, but of another moment: one that was given up
# meanwhile was expected then.
_EXPECTED: Final = text("""
    SELECT reservation.id FROM plate_bindings AS binding
    JOIN reservations AS reservation ON reservation.driver_id = binding.driver_id
    WHERE binding.plate_index = :plate_index AND binding.unbound_at IS NULL
        AND (binding.frozen_until IS NULL OR binding.frozen_until <= :now)
        AND reservation.operator_id = :operator_id AND reservation.area_id = :area_id
        AND reservation.state IN ('confirmed', 'no_show')
        AND reservation.kept_from <= :at AND reservation.kept_until > :at
    ORDER BY reservation.starts_at, reservation.id LIMIT 1
""")
# A car that stood there before the space was reserved is not the one that it was reserved for.
_TIE: Final = text("""
    UPDATE open_sessions SET reservation_id = :reservation_id
    WHERE operator_id = :operator_id AND reservation_id IS NULL AND session_id = (
        SELECT stay.session_id FROM driver_stays AS stay
        JOIN open_sessions AS inside
            ON inside.operator_id = stay.operator_id AND inside.session_id = stay.session_id
        WHERE stay.driver_id = :driver_id AND stay.left_at IS NULL
            AND inside.operator_id = :operator_id AND inside.area_id = :area_id
            AND inside.reservation_id IS NULL AND inside.entered_at >= :created_at
        ORDER BY inside.entered_at, inside.session_id LIMIT 1
    )
    RETURNING session_id, entered_at
""")


@dataclass(frozen=True, slots=True)
class EarlyStay:
    """A stay of a reservation's driver that began before the gates knew of it."""

    session_id: UUID
    entered_at: datetime


async def find_expected(
    unit: UnitOfWork, operator_id: UUID, area_id: UUID, plate_index: UUID, at: datetime
) -> UUID | None:
    """Return the reservation that a car was expected for when it came, by who has its plate now."""
    values = {
        "operator_id": operator_id,
        "area_id": area_id,
        "plate_index": plate_index,
        "at": at,
        "now": unit.now(),
    }
    return (await unit.run(_EXPECTED, values)).scalar_one_or_none()


async def tie_early_stay(unit: UnitOfWork, row: Reservation) -> EarlyStay | None:
    """Let an open stay of its driver in the area be that of a locked reservation; None for none."""
    values = {
        "operator_id": row.operator_id,
        "area_id": row.area_id,
        "reservation_id": row.id,
        "driver_id": row.driver_id,
        "created_at": row.created_at,
    }
    found = (await unit.run(_TIE, values)).one_or_none()
    return None if found is None else EarlyStay(found.session_id, found.entered_at)
