"""The double-entry ledger: what is owed, what came in, what went back. Rows are never changed.

Accounts: `receivable` (drivers owe the operator), `revenue` (the operator earned), and
`provider:<name>` (the provider holds for the operator). A transfer debits one and credits another,
so that all balances of an operator and currency sum to zero by construction.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id
from parking.kit.money import Money
from parking.payments.models import Bill, LedgerTransfer, PaymentAttempt, Refund

RECEIVABLE = "receivable"
REVENUE = "revenue"
# Of one bill, with all its versions and refunds.
TRANSFERS_MAX = 1000

_BALANCES = text(
    """
    SELECT account, currency, sum(amount)::bigint AS balance FROM (
        SELECT debit_account AS account, currency, amount_minor AS amount
        FROM ledger_transfers WHERE operator_id = :operator_id
        UNION ALL
        SELECT credit_account, currency, -amount_minor
        FROM ledger_transfers WHERE operator_id = :operator_id
    ) AS sides GROUP BY account, currency ORDER BY account, currency
    """
)


async def post_issued(unit: UnitOfWork, bill: Bill) -> None:
    """The driver owes the bill."""
    amount = Money(bill.total_minor, bill.currency)
    await _post(unit, bill, amount, RECEIVABLE, REVENUE, cause="issued", source=bill.id)


async def post_voided(unit: UnitOfWork, bill: Bill) -> None:
    """The driver does not owe the bill any more: a newer one takes its place."""
    amount = Money(bill.total_minor, bill.currency)
    await _post(unit, bill, amount, REVENUE, RECEIVABLE, cause="voided", source=bill.id)


async def post_corrected(unit: UnitOfWork, version: Bill, less: Money) -> None:
    """The driver owes `less` less than by the version before; what was paid of it is owed back."""
    await _post(unit, version, less, REVENUE, RECEIVABLE, cause="corrected", source=version.id)


async def post_paid(unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt) -> None:
    """The provider took the bill's amount for us."""
    amount = Money(bill.total_minor, bill.currency)
    account = f"provider:{attempt.provider}"
    await _post(unit, bill, amount, account, RECEIVABLE, cause="captured", source=attempt.id)


async def post_refunded(unit: UnitOfWork, refund: Refund) -> None:
    """The provider gave the amount back for us."""
    amount = Money(refund.amount_minor, refund.currency)
    account = f"provider:{refund.provider}"
    await _post(unit, refund, amount, RECEIVABLE, account, cause="refunded", source=refund.id)


async def balances(unit: UnitOfWork, operator_id: UUID) -> dict[tuple[str, str], int]:
    """Return each account's balance by (account, currency), debits positive."""
    rows = await unit.run(_BALANCES, {"operator_id": operator_id})
    return {(str(row.account), str(row.currency)): int(row.balance) for row in rows}


async def _post(
    unit: UnitOfWork,
    subject: Bill | Refund,
    amount: Money,
    debit: str,
    credit: str,
    *,
    cause: str,
    source: UUID,
) -> None:
    if not amount:
        return
    transfer = insert(LedgerTransfer).values(
        operator_id=subject.operator_id,
        id=derive_id(source, f"ledger:{cause}"),
        bill_id=subject.bill_id if isinstance(subject, Refund) else subject.id,
        debit_account=debit,
        credit_account=credit,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        cause=cause,
        posted_at=unit.now(),
    )
    # The id derives from the cause: posting twice is posting once.
    await unit.run(transfer.on_conflict_do_nothing())


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
