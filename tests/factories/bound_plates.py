"""Plates bound to drivers, as if somebody had proved them at a lane."""

from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.plates import service as plates
from parking.plates.models import DriverPlate, PlateBinding, Proof


def bind_plate(unit: UnitOfWork, driver_id: UUID, plate: str) -> UUID:
    """Bind a plate to a driver; returns the binding."""
    binding_id, index = new_id(unit.now()), plates.plate_index(unit.vault, plate)
    unit.session.add(
        PlateBinding(
            plate_index=index,
            id=binding_id,
            driver_id=driver_id,
            proof=Proof.LANE_CODE,
            bound_at=unit.now(),
        )
    )
    unit.session.add(
        DriverPlate(
            driver_id=driver_id,
            binding_id=binding_id,
            plate_index=index,
            plate_sealed=unit.vault.seal(plate, context="plate"),
            bound_at=unit.now(),
        )
    )
    return binding_id
