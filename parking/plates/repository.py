"""Every query about bindings, claims and lane codes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.locks import lock
from parking.plates.models import (
    BindingClaim,
    ClaimState,
    DriverPlate,
    LaneCode,
    PlateBinding,
)

_LOCK_DRIVER = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
# A frozen binding is nobody's at a gate: neither is charged, and neither watches where the car is.
_ACTIVE_DRIVER = text(
    """
    SELECT driver_id FROM plate_bindings
    WHERE plate_index = :plate_index AND unbound_at IS NULL
    AND (frozen_until IS NULL OR frozen_until <= :now)
    """
)
_HOLD_BINDING = text(
    """
    SELECT id FROM plate_bindings
    WHERE plate_index = :plate_index AND driver_id = :driver_id AND unbound_at IS NULL
    FOR SHARE
    """
)
CLAIMS_READ_MAX = 100
PLATES_READ_MAX = 100
# Built once: every car that comes in asks.
_CLAIMS_OF_PLATE = (
    select(BindingClaim)
    .where(col(BindingClaim.plate_index) == bindparam("plate_index"))
    .where(col(BindingClaim.state) == ClaimState.PENDING)
    .where(col(BindingClaim.expires_at) > bindparam("now"))
    .order_by(col(BindingClaim.id))
    .limit(CLAIMS_READ_MAX)
)


async def lock_claims_of(unit: UnitOfWork, driver_id: UUID) -> None:
    """Let one claim of the driver be made at a time, until the transaction ends."""
    await unit.run(_LOCK_DRIVER, {"name": f"binding_claims|{driver_id}"})


async def pending_claims(
    unit: UnitOfWork, driver_id: UUID, *, now: datetime
) -> Sequence[BindingClaim]:
    """Return the driver's claims that wait for their proof, oldest first."""
    statement = (
        select(BindingClaim)
        .where(col(BindingClaim.driver_id) == driver_id)
        .where(col(BindingClaim.state) == ClaimState.PENDING, col(BindingClaim.expires_at) > now)
        .order_by(col(BindingClaim.id))
        .limit(CLAIMS_READ_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def claims_of_plate(
    unit: UnitOfWork, plate_index: UUID, *, now: datetime
) -> Sequence[BindingClaim]:
    """Return every driver's claims on a plate that wait for their proof, oldest first."""
    values = {"plate_index": plate_index, "now": now}
    return (await unit.session.exec(_CLAIMS_OF_PLATE, params=values)).all()


async def claims_in_review(unit: UnitOfWork, *, rows: int) -> Sequence[BindingClaim]:
    """Return the claims that wait for staff, the longest first."""
    statement = (
        select(BindingClaim)
        .where(col(BindingClaim.state) == ClaimState.PENDING)
        .where(col(BindingClaim.review_at).is_not(None))
        .where(col(BindingClaim.expires_at) > unit.now())
        .order_by(col(BindingClaim.review_at), col(BindingClaim.id))
        .limit(min(rows, CLAIMS_READ_MAX))
    )
    return (await unit.session.exec(statement)).all()


async def lock_claim_of(unit: UnitOfWork, driver_id: UUID, claim_id: UUID) -> BindingClaim | None:
    """Lock a claim if it is the driver's."""
    statement = select(BindingClaim.plate_index).where(
        col(BindingClaim.driver_id) == driver_id, col(BindingClaim.id) == claim_id
    )
    plate_index = (await unit.session.exec(statement)).one_or_none()
    if plate_index is None:
        return None
    return await lock(unit, BindingClaim, plate_index=plate_index, id=claim_id)


async def live_lane_codes(
    unit: UnitOfWork, plate_index: UUID, *, now: datetime
) -> Sequence[LaneCode]:
    """Return the codes that lanes show for the plate now."""
    statement = (
        select(LaneCode)
        .where(col(LaneCode.plate_index) == plate_index)
        .where(col(LaneCode.used_at).is_(None), col(LaneCode.expires_at) > now)
        .limit(CLAIMS_READ_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def store_lane_code(unit: UnitOfWork, code: LaneCode) -> LaneCode:
    """Store the presentation's code unless it has a live or a used one; returns what stands."""
    values = code.model_dump()
    fresh = insert(LaneCode).values(**values)
    statement = fresh.on_conflict_do_update(
        index_elements=["plate_index", "id"],
        set_={name: values[name] for name in ("code_digest", "created_at", "expires_at")},
        where=col(LaneCode.used_at).is_(None) & (col(LaneCode.expires_at) <= code.created_at),
    )
    await unit.run(statement)
    key = (code.plate_index, code.id)
    return await unit.session.get_one(LaneCode, key, populate_existing=True)


async def use_lane_code(unit: UnitOfWork, code: LaneCode, *, now: datetime) -> bool:
    """Mark a code used; returns False where somebody else used it first."""
    statement = (
        update(LaneCode)
        .where(col(LaneCode.plate_index) == code.plate_index, col(LaneCode.id) == code.id)
        .where(col(LaneCode.used_at).is_(None))
        .values(used_at=now)
    )
    return (await unit.run(statement)).rowcount == 1


async def insert_binding(unit: UnitOfWork, binding: PlateBinding, *, plate_sealed: bytes) -> bool:
    """Bind, unless an active binding stands; the unique index decides between rivals."""
    statement = (
        insert(PlateBinding)
        .values(**binding.model_dump())
        .on_conflict_do_nothing(
            index_elements=["plate_index"], index_where=col(PlateBinding.unbound_at).is_(None)
        )
    )
    if (await unit.run(statement)).rowcount == 0:
        return False
    unit.session.add(
        DriverPlate(
            driver_id=binding.driver_id,
            binding_id=binding.id,
            plate_index=binding.plate_index,
            plate_sealed=plate_sealed,
            bound_at=binding.bound_at,
        )
    )
    return True


async def find_driver_plate(
    unit: UnitOfWork, driver_id: UUID, binding_id: UUID
) -> DriverPlate | None:
    """Return one of the driver's plates, bound or unbound."""
    return await unit.session.get(DriverPlate, (driver_id, binding_id))


async def active_plates(
    unit: UnitOfWork, driver_id: UUID
) -> Sequence[tuple[DriverPlate, datetime | None]]:
    """Return the driver's bound plates and until when each is frozen, oldest binding first."""
    statement = (
        select(DriverPlate, PlateBinding.frozen_until)
        .join(
            PlateBinding,
            (col(PlateBinding.plate_index) == col(DriverPlate.plate_index))
            & (col(PlateBinding.id) == col(DriverPlate.binding_id)),
        )
        .where(col(DriverPlate.driver_id) == driver_id, col(DriverPlate.unbound_at).is_(None))
        .order_by(col(DriverPlate.bound_at), col(DriverPlate.binding_id))
        .limit(PLATES_READ_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def end_binding(
    unit: UnitOfWork, plate_index: UUID, binding_id: UUID | None = None
) -> PlateBinding | None:
    """End the plate's active binding (only the named one, where named); returns what ended."""
    statement = (
        update(PlateBinding)
        .where(col(PlateBinding.plate_index) == plate_index)
        .where(col(PlateBinding.unbound_at).is_(None))
        .values(unbound_at=unit.now())
        .returning(PlateBinding)
    )
    if binding_id is not None:
        statement = statement.where(col(PlateBinding.id) == binding_id)
    ended = (await unit.session.exec(statement)).scalar_one_or_none()
    if ended is not None:
        await unit.run(
            update(DriverPlate)
            .where(col(DriverPlate.driver_id) == ended.driver_id)
            .where(col(DriverPlate.binding_id) == ended.id)
            .values(unbound_at=unit.now())
        )
    return ended


async def hold_binding(unit: UnitOfWork, plate_index: UUID, driver_id: UUID) -> bool:
    """Keep the plate bound to the driver until the transaction ends; False where it is not."""
    values = {"plate_index": plate_index, "driver_id": driver_id}
    return (await unit.run(_HOLD_BINDING, values)).one_or_none() is not None


async def active_driver(unit: UnitOfWork, plate_index: UUID) -> UUID | None:
    """Return who the plate's driver is at a gate; one row of one index, read at every gate."""
    values = {"plate_index": plate_index, "now": unit.now()}
    row = (await unit.run(_ACTIVE_DRIVER, values)).one_or_none()
    return None if row is None else row.driver_id


async def find_active(
    unit: UnitOfWork, plate_index: UUID, *, is_locked: bool = False
) -> PlateBinding | None:
    """Return the plate's active binding, frozen or not."""
    statement = select(PlateBinding).where(
        col(PlateBinding.plate_index) == plate_index, col(PlateBinding.unbound_at).is_(None)
    )
    if is_locked:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await unit.session.exec(statement)).one_or_none()
