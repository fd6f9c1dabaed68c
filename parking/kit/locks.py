"""The one order in which rows are locked, and the only way to lock one.

Two use cases that lock the same rows in different orders would wait for each other for ever, so
`lock` refuses to go backwards.
"""

from uuid import UUID

from parking.kit.database import Locked, UnitOfWork

LOCK_ORDER = (
    "drivers",
    "campaigns",
    "campaign_runs",
    "misread_reviews",
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
    "reconciliation_differences",
    "binding_claims",
    "mandates",
    "sign_in_codes",
    "sign_ins",
    "staff_members",
    "notice_books",
    "habits",
    "space_offers",
    "reservations",
    "right_pools",
)


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
    return await unit.lock_row(row, key, shared=shared)
