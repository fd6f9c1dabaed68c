"""Reading the ledger: balances by account, by driver, at a time, and what was posted for bills."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.payments.models import LedgerTransfer

# Of one bill, with all its versions and refunds.
TRANSFERS_MAX = 1000
# A page, and one more row that tells whether another page follows.
ACCOUNTS_MAX = 101

_BALANCES = text(
    """
    SELECT account, currency, sum(amount)::bigint AS balance FROM (
        SELECT debit_account AS account, currency, amount_minor AS amount
        FROM ledger_transfers WHERE operator_id = :operator_id
            AND posted_at <= coalesce(CAST(:until AS timestamptz), 'infinity')
        UNION ALL
        SELECT credit_account, currency, -amount_minor
        FROM ledger_transfers WHERE operator_id = :operator_id
            AND posted_at <= coalesce(CAST(:until AS timestamptz), 'infinity')
    ) AS sides
    WHERE (:account = '' OR account = :account) AND (account, currency) > (:after, :after_currency)
    GROUP BY account, currency ORDER BY account, currency LIMIT :rows
    """
)
_EVERYTHING = 1_000_000


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """What an account holds; debits are positive."""

    account: str
    balance: Money


async def balances(
    unit: UnitOfWork, operator_id: UUID, *, until: datetime | None = None
) -> dict[tuple[str, str], int]:
    """Return each account's balance by (account, currency), debits positive.

    Args:
        unit: The transaction.
        operator_id: Whose books.
        until: As they were then; None for now.
    """
    found = await _find(unit, operator_id, until=until, rows=_EVERYTHING)
    return {(one.account, one.balance.currency): one.balance.amount_minor for one in found}


async def page_balances(
    unit: UnitOfWork,
    operator_id: UUID,
    *,
    first: int,
    after: tuple[str, str] | None = None,
    until: datetime | None = None,
) -> list[AccountBalance]:
    """Return up to `first` balances, in the order of account and currency, behind `after`."""
    rows = min(first, ACCOUNTS_MAX)
    return await _find(unit, operator_id, until=until, after=after, rows=rows)


async def balance_of(unit: UnitOfWork, operator_id: UUID, account: str) -> list[Money]:
    """Return what one account holds, by currency."""
    found = await _find(unit, operator_id, account=account, rows=ACCOUNTS_MAX)
    return [one.balance for one in found]


async def find_transfers(
    unit: UnitOfWork, operator_id: UUID, bill_ids: Collection[UUID]
) -> Sequence[LedgerTransfer]:
    """Return what was posted for some bills, such as all versions of one, oldest first."""
    statement = (
        select(LedgerTransfer)
        .where(col(LedgerTransfer.operator_id) == operator_id)
        .where(col(LedgerTransfer.bill_id).in_(list(bill_ids)))
        .order_by(col(LedgerTransfer.posted_at), col(LedgerTransfer.id))
        .limit(TRANSFERS_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def _find(
    unit: UnitOfWork,
    operator_id: UUID,
    *,
    rows: int,
    until: datetime | None = None,
    account: str = "",
    after: tuple[str, str] | None = None,
) -> list[AccountBalance]:
    account_after, currency_after = after or ("", "")
    values = {
        "operator_id": operator_id,
        "until": until,
        "account": account,
        "after": account_after,
        "after_currency": currency_after,
        "rows": rows,
    }
    found = await unit.run(_BALANCES, values)
    return [
        AccountBalance(str(row.account), Money(int(row.balance), str(row.currency)))
        for row in found
    ]
