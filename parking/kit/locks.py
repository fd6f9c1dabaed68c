"""The one order in which rows are locked, and the only way to lock one.

Two use cases that lock the same rows in different orders would wait for each other for ever, so
`lock` refuses to go backwards.
"""

from typing import TypeVar
from uuid import UUID

from sqlmodel import col, select

from parking.kit.columns import Row
from parking.kit.database import UnitOfWork

LOCK_ORDER = (
    "lane_connections",
    "presentations",
    "gate_commands",
    "sessions",
    "assigned_rights",
    "bills",
    "payment_attempts",
    "refunds",
    "invoices",
    "fapiao_orders",
    "disputes",
    "mandates",
    "binding_claims",
    "sign_in_codes",
    "sign_ins",
)

Locked = TypeVar("Locked", bound=Row)


class LockOrderError(RuntimeError):
    """A use case locks against LOCK_ORDER: a defect, found before it can become a deadlock."""


async def lock(
    unit: UnitOfWork, row: type[Locked], *, shared: bool = False, **key: UUID
) -> Locked | None:
    """Lock one row for the rest of the transaction and return it as it now stands.

    Args:
        unit: The transaction.
        row: The table's class; it must stand in LOCK_ORDER.
        shared: Keep others from changing the row, and let them read it in the same way.
        key: The whole primary key, by column name.

    Raises:
        LockOrderError: a row of a later table is locked already.
    """
    rank = LOCK_ORDER.index(row.__tablename__)
    if rank < unit.lock_rank:
        held = LOCK_ORDER[unit.lock_rank]
        raise LockOrderError(f"{row.__tablename__} must be locked before {held}")
    unit.lock_rank = rank
    statement = (
        select(row)
        .where(*(col(getattr(row, name)) == value for name, value in key.items()))
        .with_for_update(read=shared)
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).one_or_none()
