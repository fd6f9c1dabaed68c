"""Every query about passes."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.locks import lock
from parking.passes.models import (
    AssignedRight,
    DriverRight,
    RightPlate,
    RightSpecification,
)
from parking.passes.rules import HELD_STATES, OPENING_STATES

PRODUCTS_MAX = 200
PASSES_PER_DRIVER_MAX = 100
PASSES_PER_PLATE_MAX = 10
PASSES_PAGE_MAX = 100
PLATES_PER_PASS_MAX = 100
DUE_PASSES_MAX = 20

_LOCK_DRIVER = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_TAKE_DUE = text(
    """
    UPDATE assigned_rights SET next_step_at = :now + :lease
    FROM (
        SELECT operator_id, id FROM assigned_rights WHERE next_step_at <= :now
        ORDER BY next_step_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE assigned_rights.operator_id = due.operator_id AND assigned_rights.id = due.id
    RETURNING assigned_rights.operator_id, assigned_rights.id
    """
)
_TAKE_ONE = text(
    """
    UPDATE right_specifications SET sold = sold + 1
    WHERE operator_id = :operator_id AND id = :id AND (quantity IS NULL OR sold < quantity)
    """
)
_GIVE_BACK_ONE = text(
    """
    UPDATE right_specifications SET sold = sold - 1
    WHERE operator_id = :operator_id AND id = :id AND sold > 0
    """
)

# Built once: every car that comes in asks.
_RIGHTS_OF_PLATE = (
    select(AssignedRight, RightSpecification)
    .select_from(RightPlate)
    .join(
        AssignedRight,
        (col(AssignedRight.operator_id) == col(RightPlate.operator_id))
        & (col(AssignedRight.id) == col(RightPlate.right_id)),
    )
    .join(
        RightSpecification,
        (col(RightSpecification.operator_id) == col(AssignedRight.operator_id))
        & (col(RightSpecification.id) == col(AssignedRight.specification_id)),
    )
    .where(col(RightPlate.plate_index) == bindparam("plate_index"))
    .where(
        col(RightPlate.operator_id) == bindparam("operator_id"),
        col(RightPlate.removed_at).is_(None),
    )
    .where(col(AssignedRight.state).in_(OPENING_STATES))
    .order_by(col(AssignedRight.id))
    .limit(PASSES_PER_PLATE_MAX)
)


async def find_product(
    unit: UnitOfWork, operator_id: UUID, product_id: UUID
) -> RightSpecification | None:
    """Return one of an operator's products as it is stored now."""
    statement = (
        select(RightSpecification)
        .where(col(RightSpecification.operator_id) == operator_id)
        .where(col(RightSpecification.id) == product_id)
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def find_products(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], RightSpecification]:
    """Return many products by (operator, product); one statement however many."""
    statement = (
        select(RightSpecification)
        .where(col(RightSpecification.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(RightSpecification.id).in_({product_id for _, product_id in keys}))
    )
    rows = await unit.session.exec(statement)
    return {(row.operator_id, row.id): row for row in rows}


async def list_products(unit: UnitOfWork, operator_id: UUID) -> Sequence[RightSpecification]:
    """Return an operator's newest products, newest first, withdrawn ones too."""
    statement = (
        select(RightSpecification)
        .where(col(RightSpecification.operator_id) == operator_id)
        .order_by(col(RightSpecification.id).desc())
        .limit(PRODUCTS_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def count_products(unit: UnitOfWork, operator_id: UUID) -> int:
    """Return how many products an operator has, withdrawn ones too."""
    statement = (
        select(func.count())
        .select_from(RightSpecification)
        .where(col(RightSpecification.operator_id) == operator_id)
    )
    return (await unit.session.exec(statement)).one()


async def take_one(unit: UnitOfWork, product: RightSpecification) -> bool:
    """Count one more held pass; False where as many are held as there are."""
    values = {"operator_id": product.operator_id, "id": product.id}
    return (await unit.run(_TAKE_ONE, values)).rowcount == 1


async def give_back_one(unit: UnitOfWork, right: AssignedRight) -> None:
    """Count one held pass less."""
    values = {"operator_id": right.operator_id, "id": right.specification_id}
    await unit.run(_GIVE_BACK_ONE, values)


async def lock_right(unit: UnitOfWork, operator_id: UUID, right_id: UUID) -> AssignedRight | None:
    """Lock a pass, to change it."""
    return await lock(unit, AssignedRight, operator_id=operator_id, id=right_id)


async def hold_right(unit: UnitOfWork, operator_id: UUID, right_id: UUID) -> AssignedRight | None:
    """Keep a pass as it is while a car comes in on it; two cars may come at once."""
    return await lock(unit, AssignedRight, shared=True, operator_id=operator_id, id=right_id)


async def find_right(unit: UnitOfWork, operator_id: UUID, right_id: UUID) -> AssignedRight | None:
    """Return a pass."""
    return await unit.session.get(AssignedRight, (operator_id, right_id), populate_existing=True)


async def list_rights(
    unit: UnitOfWork, operator_id: UUID, *, first: int, before: UUID | None
) -> Sequence[AssignedRight]:
    """Return up to `first` passes of an operator, newest first, older than the pass `before`."""
    statement = (
        select(AssignedRight)
        .where(col(AssignedRight.operator_id) == operator_id)
        .order_by(col(AssignedRight.id).desc())
        .limit(min(first, PASSES_PAGE_MAX))
    )
    if before is not None:
        statement = statement.where(col(AssignedRight.id) < before)
    return (await unit.session.exec(statement)).all()


async def list_rights_of_driver(unit: UnitOfWork, driver_id: UUID) -> Sequence[AssignedRight]:
    """Return a driver's newest passes of all operators, newest first; two statements."""
    statement = (
        select(DriverRight)
        .where(col(DriverRight.driver_id) == driver_id)
        .order_by(col(DriverRight.right_id).desc())
        .limit(PASSES_PER_DRIVER_MAX)
    )
    listed = (await unit.session.exec(statement)).all()
    if not listed:
        return ()
    rights = (
        select(AssignedRight)
        .where(col(AssignedRight.operator_id).in_({row.operator_id for row in listed}))
        .where(col(AssignedRight.id).in_([row.right_id for row in listed]))
        .order_by(col(AssignedRight.id).desc())
    )
    return (await unit.session.exec(rights)).all()


async def find_driver_right(
    unit: UnitOfWork, driver_id: UUID, right_id: UUID
) -> DriverRight | None:
    """Return where a driver's pass is stored; None for another driver's."""
    return await unit.session.get(DriverRight, (driver_id, right_id))


async def find_request(unit: UnitOfWork, driver_id: UUID, request_key: str) -> DriverRight | None:
    """Return what a driver bought under an idempotency key."""
    statement = select(DriverRight).where(
        col(DriverRight.driver_id) == driver_id, col(DriverRight.request_key) == request_key
    )
    return (await unit.session.exec(statement)).one_or_none()


async def lock_purchases_of(unit: UnitOfWork, driver_id: UUID) -> None:
    """Let one purchase of the driver be stored at a time, until the transaction ends."""
    await unit.run(_LOCK_DRIVER, {"name": f"driver_rights|{driver_id}"})


async def count_held(unit: UnitOfWork, driver_id: UUID) -> int:
    """Return how many passes a driver holds, of all operators, those not yet paid included."""
    statement = (
        select(func.count())
        .select_from(DriverRight)
        .join(
            AssignedRight,
            (col(AssignedRight.operator_id) == col(DriverRight.operator_id))
            & (col(AssignedRight.id) == col(DriverRight.right_id)),
        )
        .where(col(DriverRight.driver_id) == driver_id)
        .where(col(AssignedRight.state).in_(HELD_STATES))
    )
    return (await unit.session.exec(statement)).one()


async def insert_driver_right(unit: UnitOfWork, row: DriverRight) -> bool:
    """Add a pass to its driver's list; False where the key was used, also at this moment."""
    statement = insert(DriverRight).values(**row.model_dump()).on_conflict_do_nothing()
    return (await unit.run(statement)).rowcount == 1


async def list_plates(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[UUID, list[RightPlate]]:
    """Return the plates on many passes by pass, oldest first; one statement however many."""
    statement = (
        select(RightPlate)
        .where(col(RightPlate.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(RightPlate.right_id).in_({right_id for _, right_id in keys}))
        .where(col(RightPlate.removed_at).is_(None))
        .order_by(col(RightPlate.added_at), col(RightPlate.id))
    )
    found: dict[UUID, list[RightPlate]] = {right_id: [] for _, right_id in keys}
    for plate in await unit.session.exec(statement):
        found[plate.right_id].append(plate)
    return found


async def count_plates_added(unit: UnitOfWork, right: AssignedRight, since: datetime) -> int:
    """Return how many plates were added to a pass after its purchase, since a moment."""
    statement = (
        select(func.count())
        .select_from(RightPlate)
        .where(col(RightPlate.operator_id) == right.operator_id)
        .where(col(RightPlate.right_id) == right.id)
        .where(col(RightPlate.added_at) > right.created_at, col(RightPlate.added_at) >= since)
    )
    return (await unit.session.exec(statement)).one()


async def remove_plate(unit: UnitOfWork, right: AssignedRight, plate_index: UUID) -> bool:
    """Take a plate off a pass; returns whether it was on it."""
    statement = (
        update(RightPlate)
        .where(col(RightPlate.operator_id) == right.operator_id)
        .where(col(RightPlate.right_id) == right.id)
        .where(col(RightPlate.plate_index) == plate_index, col(RightPlate.removed_at).is_(None))
        .values(removed_at=unit.now())
    )
    return (await unit.run(statement)).rowcount == 1


async def remove_plate_of_others(
    unit: UnitOfWork, plate_index: UUID, driver_id: UUID | None
) -> int:
    """Take a plate off every pass that another driver than `driver_id` bought; returns how many.

    Passes that staff granted to the plate stay.
    """
    statement = (
        update(RightPlate)
        .where(col(RightPlate.plate_index) == plate_index, col(RightPlate.removed_at).is_(None))
        .where(col(AssignedRight.operator_id) == col(RightPlate.operator_id))
        .where(col(AssignedRight.id) == col(RightPlate.right_id))
        .where(col(AssignedRight.driver_id).is_not(None))
        .where(col(AssignedRight.driver_id).is_distinct_from(driver_id))
        .values(removed_at=unit.now())
    )
    return (await unit.run(statement)).rowcount


async def find_rights_of_plate(
    unit: UnitOfWork, operator_id: UUID, plate_index: UUID
) -> list[tuple[AssignedRight, RightSpecification]]:
    """Return the passes that a plate is on and that open gates, oldest first.

    One statement of one index, run for every car at every entry.
    """
    values = {"operator_id": operator_id, "plate_index": plate_index}
    found = await unit.session.exec(_RIGHTS_OF_PLATE, params=values)
    return [(right, product) for right, product in found]


async def list_opening_plates(
    unit: UnitOfWork, operator_id: UUID, *, rows: int
) -> list[tuple[RightPlate, AssignedRight, RightSpecification]]:
    """Return the plates on an operator's passes that open gates, the newest pass first."""
    statement = (
        select(RightPlate, AssignedRight, RightSpecification)
        .join(
            AssignedRight,
            (col(AssignedRight.operator_id) == col(RightPlate.operator_id))
            & (col(AssignedRight.id) == col(RightPlate.right_id)),
        )
        .join(
            RightSpecification,
            (col(RightSpecification.operator_id) == col(AssignedRight.operator_id))
            & (col(RightSpecification.id) == col(AssignedRight.specification_id)),
        )
        .where(col(RightPlate.operator_id) == operator_id, col(RightPlate.removed_at).is_(None))
        .where(col(AssignedRight.state).in_(OPENING_STATES))
        .order_by(col(AssignedRight.id).desc())
        .limit(rows)
    )
    return list(await unit.session.exec(statement))


async def take_due(unit: UnitOfWork, lease: timedelta) -> list[tuple[UUID, UUID]]:
    """Take passes whose next step is due, for `lease`; returns (operator, pass)."""
    values = {"now": unit.now(), "lease": lease, "rows": DUE_PASSES_MAX}
    rows = await unit.run(_TAKE_DUE, values)
    return [(row.operator_id, row.id) for row in rows]
