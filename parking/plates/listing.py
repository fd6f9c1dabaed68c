"""Many plates at once: whom they are bound to, and which vehicles an operator knows."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlmodel import col, or_, select

from parking.kit.database import UnitOfWork
from parking.plates.models import PlateBinding, VehicleRecord


async def active_drivers(unit: UnitOfWork, plate_indexes: Collection[UUID]) -> dict[UUID, UUID]:
    """Return the drivers that plates are bound to, by plate."""
    statement = (
        select(PlateBinding.plate_index, PlateBinding.driver_id)
        .where(col(PlateBinding.plate_index).in_(list(plate_indexes)))
        .where(col(PlateBinding.unbound_at).is_(None))
        .where(
            or_(
                col(PlateBinding.frozen_until).is_(None),
                col(PlateBinding.frozen_until) <= unit.now(),
            )
        )
    )
    return dict((await unit.session.exec(statement)).all())


async def list_registered(
    unit: UnitOfWork, operator_id: UUID, *, begins_by: datetime, rows: int
) -> list[VehicleRecord]:
    """Return the vehicles of an operator's register that count now or begin to by a time."""
    statement = (
        select(VehicleRecord)
        .where(col(VehicleRecord.operator_id) == operator_id)
        .where(col(VehicleRecord.valid_from) < begins_by)
        .where(
            or_(
                col(VehicleRecord.valid_until).is_(None),
                col(VehicleRecord.valid_until) > unit.now(),
            )
        )
        .order_by(col(VehicleRecord.plate_index))
        .limit(rows)
    )
    return list(await unit.session.exec(statement))
