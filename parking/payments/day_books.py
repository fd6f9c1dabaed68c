"""Every query for comparing a day's payments with a provider's own books.

All pages are bounded and in the order of an index, so that a day of any size is read in pieces.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import text, tuple_
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id
from parking.kit.money import Money
from parking.payments.models import (
    AttemptState,
    BillState,
    LedgerTransfer,
    PaymentAttempt,
    ProviderOrder,
    Refund,
    RefundState,
)
from parking.payments.rules import LIVE_REFUND_STATES, LIVE_STATES

ROWS_MAX: Final = 1000
CHARGED_BACK: Final = "charged_back"
CHARGEBACK_WON: Final = "chargeback_won"

# A bill's lines are most of it, and nobody compares them here.
_FACTS = (
    "SELECT operator_id, id, session_id, presentation_id, state, total_minor, currency, "
    "paid_attempt_id, live_attempt_id FROM bills WHERE operator_id = :operator_id AND "
)
_BILLS = text(f"{_FACTS} id = ANY(:ids)")
_BILLS_OF_STAYS = text(f"{_FACTS} session_id = ANY(:ids) AND state <> 'void' ORDER BY id")

MoneyT = TypeVar("MoneyT", PaymentAttempt, Refund)
Place = tuple[datetime, UUID]
"""Where a page ends: the next one begins after it."""

Page = Sequence[PaymentAttempt | Refund]
ReadPage = Callable[
    [UnitOfWork, UUID, str, tuple[datetime, datetime], Place | None], Awaitable[Page]
]
"""Reads the rows of an operator and a provider in `[from, to)` behind a place, oldest first."""


@dataclass(frozen=True, slots=True)
class BillFacts:
    """A bill without its lines."""

    operator_id: UUID
    id: UUID
    session_id: UUID | None
    presentation_id: UUID | None
    state: BillState
    total: Money
    paid_attempt_id: UUID | None
    has_live_attempt: bool


@dataclass(frozen=True, slots=True)
class Posted:
    """What the ledger has for something."""

    amount: Money
    posted_at: datetime


def _page(kind: type[MoneyT], at: datetime | None, states: Collection[str]) -> ReadPage:
    moment, row_id = col(at), col(kind.id)

    async def page(
        unit: UnitOfWork,
        operator_id: UUID,
        provider: str,
        period: tuple[datetime, datetime],
        after: Place | None,
    ) -> Sequence[MoneyT]:
        statement = (
            select(kind)
            .where(col(kind.operator_id) == operator_id, col(kind.provider) == provider)
            .where(col(kind.state).in_(states))
            .where(moment >= period[0], moment < period[1])
            .order_by(moment, row_id)
            .limit(ROWS_MAX)
        )
        if after is not None:
            statement = statement.where(tuple_(moment, row_id) > after)
        return (await unit.session.exec(statement)).all()

    return page


PAGES: Final = (
    # What a provider took, by when we learnt it; and what has no outcome, by when it was sent.
    _page(PaymentAttempt, PaymentAttempt.finished_at, {AttemptState.SUCCEEDED}),
    _page(PaymentAttempt, PaymentAttempt.sent_at, LIVE_STATES),
    # The same of what it gave back.
    _page(Refund, Refund.finished_at, {RefundState.SUCCEEDED}),
    _page(Refund, Refund.requested_at, LIVE_REFUND_STATES),
)


async def find_orders(unit: UnitOfWork, numbers: Collection[str]) -> Sequence[ProviderOrder]:
    """Return whom up to ROWS_MAX numbers belong to; unknown ones are left out."""
    statement = select(ProviderOrder).where(col(ProviderOrder.number).in_(list(numbers)))
    return (await unit.session.exec(statement)).all()


async def find_charges(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> Sequence[PaymentAttempt]:
    """Return up to ROWS_MAX attempts by (operator, attempt)."""
    if not keys:
        return ()
    statement = select(PaymentAttempt).where(
        col(PaymentAttempt.operator_id).in_({operator_id for operator_id, _ in keys}),
        col(PaymentAttempt.id).in_({attempt_id for _, attempt_id in keys}),
    )
    return (await unit.session.exec(statement)).all()


async def find_refunds(unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]) -> Sequence[Refund]:
    """Return up to ROWS_MAX refunds by (operator, refund)."""
    if not keys:
        return ()
    statement = select(Refund).where(
        col(Refund.operator_id).in_({operator_id for operator_id, _ in keys}),
        col(Refund.id).in_({refund_id for _, refund_id in keys}),
    )
    return (await unit.session.exec(statement)).all()


async def find_charges_of_bills(
    unit: UnitOfWork, operator_id: UUID, bill_ids: Collection[UUID]
) -> dict[UUID, list[tuple[str, AttemptState]]]:
    """Return the (provider, state) of what was tried for some bills, by bill."""
    found: dict[UUID, list[tuple[str, AttemptState]]] = {bill_id: [] for bill_id in bill_ids}
    if not bill_ids:
        return found
    statement = (
        select(PaymentAttempt.bill_id, PaymentAttempt.provider, PaymentAttempt.state)
        .where(col(PaymentAttempt.operator_id) == operator_id)
        .where(col(PaymentAttempt.bill_id).in_(list(bill_ids)))
    )
    for bill_id, provider, state in await unit.session.exec(statement):
        found[bill_id].append((provider, AttemptState(state)))
    return found


async def find_bills(
    unit: UnitOfWork, operator_id: UUID, bill_ids: Collection[UUID]
) -> dict[UUID, BillFacts]:
    """Return some bills by id, of whatever version."""
    if not bill_ids:
        return {}
    values = {"operator_id": operator_id, "ids": list(bill_ids)}
    return {row.id: _facts(row) for row in await unit.run(_BILLS, values)}


async def find_bills_of_stays(
    unit: UnitOfWork, operator_id: UUID, session_ids: Collection[UUID]
) -> dict[UUID, list[BillFacts]]:
    """Return the bills of some stays by session, corrected ones too, oldest first."""
    found: dict[UUID, list[BillFacts]] = {session_id: [] for session_id in session_ids}
    if not session_ids:
        return found
    values = {"operator_id": operator_id, "ids": list(session_ids)}
    for row in await unit.run(_BILLS_OF_STAYS, values):
        found[row.session_id].append(_facts(row))
    return found


async def find_posted(
    unit: UnitOfWork, operator_id: UUID, sources: Collection[UUID], *, cause: str
) -> dict[UUID, Money]:
    """Return what the ledger has for some payments or refunds, by their ids.

    Args:
        unit: The transaction.
        operator_id: The owner.
        sources: Up to ROWS_MAX.
        cause: As `ledger` names it, such as `captured`.
    """
    if not sources:
        return {}
    by_transfer = {derive_id(source, f"ledger:{cause}"): source for source in sources}
    statement = select(
        LedgerTransfer.id, LedgerTransfer.amount_minor, LedgerTransfer.currency
    ).where(
        col(LedgerTransfer.operator_id) == operator_id,
        col(LedgerTransfer.id).in_(list(by_transfer)),
    )
    return {
        by_transfer[transfer_id]: Money(amount_minor, currency)
        for transfer_id, amount_minor, currency in await unit.session.exec(statement)
    }


async def find_chargebacks(
    unit: UnitOfWork, operator_id: UUID, bill_id: UUID, *, cause: str
) -> list[Posted]:
    """Return the chargebacks of a bill, or those that were won, as the ledger has them.

    Args:
        unit: The transaction.
        operator_id: The owner.
        bill_id: The bill that the money had paid.
        cause: CHARGED_BACK or CHARGEBACK_WON.
    """
    statement = (
        select(LedgerTransfer)
        .where(col(LedgerTransfer.operator_id) == operator_id)
        .where(col(LedgerTransfer.bill_id) == bill_id, col(LedgerTransfer.cause) == cause)
        .order_by(col(LedgerTransfer.posted_at))
        .limit(ROWS_MAX)
    )
    return [
        Posted(Money(row.amount_minor, row.currency), row.posted_at)
        for row in await unit.session.exec(statement)
    ]


def _facts(row: Any) -> BillFacts:  # noqa: ANN401 - a row of either statement
    return BillFacts(
        operator_id=row.operator_id,
        id=row.id,
        session_id=row.session_id,
        presentation_id=row.presentation_id,
        state=BillState(row.state),
        total=Money(row.total_minor, row.currency),
        paid_attempt_id=row.paid_attempt_id,
        has_live_attempt=row.live_attempt_id is not None,
    )
