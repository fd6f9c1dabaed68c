"""Each driver's credit at an operator: one row that every use of it changes, so that uses queue."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.ids import floor_id, id_time
from parking.payments.credit_models import CreditAccount, CreditPolicy, OwedBill
from parking.payments.models import Bill, BillState
from parking.payments.repository import CLOCKS_APART_MAX

ACCOUNTS_MAX: Final = 100
POLICIES_MAX: Final = 50
WRITTEN_OFF: Final = "written_off"
CHARGED_BACK: Final = "charged_back"

# One statement checks and takes: of two cars that leave at once, the second waits for the first.
_TAKE = text(
    """
    UPDATE credit_accounts SET used_minor = used_minor + :amount, limit_minor = :limit,
        changed_at = :now
    WHERE operator_id = :operator_id AND driver_id = :driver_id AND currency = :currency
    AND frozen_at IS NULL AND used_minor + :amount <= :limit
    """
)
_GIVE_BACK = text(
    """
    UPDATE credit_accounts SET used_minor = used_minor - :amount, changed_at = :now
    WHERE operator_id = :operator_id AND driver_id = :driver_id AND currency = :currency
    """
)
_FREEZE = text(
    """
    UPDATE credit_accounts SET frozen_at = :now, frozen_reason = :reason, changed_at = :now
    WHERE operator_id = :operator_id AND driver_id = :driver_id AND currency = :currency
    AND frozen_at IS NULL
    """
)
_THAW = text(
    """
    UPDATE credit_accounts SET frozen_at = NULL, frozen_reason = NULL, changed_at = :now
    WHERE operator_id = :operator_id AND driver_id = :driver_id AND currency = :currency
    AND frozen_at IS NOT NULL
    """
)


async def find_policy(unit: UnitOfWork, operator_id: UUID, currency: str) -> CreditPolicy | None:
    """Return what an operator allows in a currency; None for no credit."""
    return await unit.session.get(CreditPolicy, (operator_id, currency))


async def list_policies(unit: UnitOfWork, operator_id: UUID) -> list[CreditPolicy]:
    """Return an operator's policies by currency."""
    statement = (
        select(CreditPolicy)
        .where(col(CreditPolicy.operator_id) == operator_id)
        .order_by(col(CreditPolicy.currency))
        .limit(POLICIES_MAX)
    )
    return list(await unit.session.exec(statement))


async def list_accounts(unit: UnitOfWork, driver_id: UUID) -> list[CreditAccount]:
    """Return a driver's credit at every operator."""
    statement = (
        select(CreditAccount)
        .where(col(CreditAccount.driver_id) == driver_id)
        .order_by(col(CreditAccount.operator_id), col(CreditAccount.currency))
        .limit(ACCOUNTS_MAX)
    )
    return list(await unit.session.exec(statement))


async def find_account(
    unit: UnitOfWork, operator_id: UUID, driver_id: UUID, currency: str
) -> CreditAccount | None:
    """Return a driver's credit at an operator as it is stored now."""
    key = (operator_id, driver_id, currency)
    return await unit.session.get(CreditAccount, key, populate_existing=True)


async def take(unit: UnitOfWork, bill: Bill, *, limit_minor: int) -> bool:
    """Let a locked bill use its driver's credit for all that it says; returns whether it may.

    What the bill used before is given back first, so that asking again changes nothing.
    """
    await give_back(unit, bill)
    if bill.driver_id is None or not bill.total_minor:
        return False
    fresh = insert(CreditAccount).values(**_key(bill), used_minor=0, limit_minor=0)
    await unit.run(fresh.values(changed_at=unit.now()).on_conflict_do_nothing())
    values = {
        **_key(bill),
        "amount": bill.total_minor,
        "limit": limit_minor,
        "now": unit.now(),
    }
    if not (await unit.run(_TAKE, values)).rowcount:
        return False
    bill.credit_minor = bill.total_minor
    return True


async def give_back(unit: UnitOfWork, bill: Bill, *, keep_minor: int = 0) -> None:
    """Let a locked bill use no more of its driver's credit than `keep_minor`."""
    less = bill.credit_minor - keep_minor
    if less <= 0:
        return
    bill.credit_minor = keep_minor
    await unit.run(_GIVE_BACK, {**_key(bill), "amount": less, "now": unit.now()})


async def carry(unit: UnitOfWork, bill: Bill, version: Bill) -> None:
    """Let a bill's new version use what is left of the bill's credit; nothing if it is paid."""
    kept = min(bill.credit_minor, 0 if version.state == BillState.PAID else version.total_minor)
    await give_back(unit, bill, keep_minor=kept)
    bill.credit_minor, version.credit_minor = 0, kept


async def freeze(
    unit: UnitOfWork, operator_id: UUID, driver_id: UUID, currency: str, *, reason: str
) -> bool:
    """Give a driver no more credit at an operator; returns whether they could have had any before.

    What is used already stays owed.
    """
    key = {"operator_id": operator_id, "driver_id": driver_id, "currency": currency}
    fresh = insert(CreditAccount).values(**key, used_minor=0, limit_minor=0, changed_at=unit.now())
    await unit.run(fresh.on_conflict_do_nothing())
    values = {**key, "reason": reason, "now": unit.now()}
    return (await unit.run(_FREEZE, values)).rowcount == 1


async def thaw(unit: UnitOfWork, operator_id: UUID, driver_id: UUID, currency: str) -> bool:
    """Let a driver have credit again; returns whether it was frozen. Arrears still keep it shut."""
    key = {"operator_id": operator_id, "driver_id": driver_id, "currency": currency}
    return (await unit.run(_THAW, {**key, "now": unit.now()})).rowcount == 1


async def has_arrears(
    unit: UnitOfWork, operator_id: UUID, driver_id: UUID, *, before: datetime
) -> bool:
    """Return whether the driver owes the operator anything since `before`, or longer."""
    statement = (
        select(OwedBill.id)
        .where(col(OwedBill.driver_id) == driver_id)
        .where(col(OwedBill.operator_id) == operator_id, col(OwedBill.owed_at) <= before)
        .limit(1)
    )
    return (await unit.session.exec(statement)).first() is not None


async def count_good(
    unit: UnitOfWork,
    bill: Bill,
    session_ids: Collection[UUID],
    *,
    paid_within: timedelta,
) -> int:
    """Return how many of some stays' bills the driver of `bill` paid in time, in its currency."""
    if not session_ids:
        return 0
    earliest = min(id_time(session_id) for session_id in session_ids)
    statement = (
        select(func.count())
        .select_from(Bill)
        .where(col(Bill.operator_id) == bill.operator_id)
        .where(col(Bill.session_id).in_(list(session_ids)))
        .where(col(Bill.id) >= floor_id(earliest - CLOCKS_APART_MAX))
        .where(col(Bill.driver_id) == bill.driver_id, col(Bill.currency) == bill.currency)
        .where(col(Bill.state) == BillState.PAID, col(Bill.total_minor) > 0)
        .where(col(Bill.paid_at) - col(Bill.issued_at) <= paid_within)
    )
    return int((await unit.session.exec(statement)).one())


def _key(bill: Bill) -> dict[str, object]:
    return {
        "operator_id": bill.operator_id,
        "driver_id": bill.driver_id,
        "currency": bill.currency,
    }
