"""Every query about bills, attempts, refunds and orders."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.ids import floor_id, id_time
from parking.kit.locks import lock
from parking.payments.at_places import at_places
from parking.payments.models import (
    AttemptProblem,
    Bill,
    BillCorrection,
    BillState,
    PaymentAttempt,
    ProviderOrder,
    Refund,
    RefundState,
)

DUE_ATTEMPTS_MAX = 50
STUCK_MAX = 101
PASS_BILLS_MAX = 100
# A page that clients may ask for, and one more to tell whether there is a next.
REFUNDS_MAX = 101
CORRECTIONS_MAX = 100
DUE_REFUNDS_MAX = 50
# A stay's id has the gate's time, a bill's has ours.
CLOCKS_APART_MAX = timedelta(days=1)
OLDEST_STAY = datetime(2000, 1, 1, tzinfo=UTC)
REPLACED = (BillState.VOID, BillState.CORRECTED)

_TAKE_DUE = text(
    """
    UPDATE payment_attempts SET next_query_at = :now + :lease
    FROM (
        SELECT operator_id, id FROM payment_attempts
        WHERE state IN ('sent', 'accepted', 'unknown') AND next_query_at <= :now
            AND provider = ANY(:providers)
        ORDER BY next_query_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE payment_attempts.operator_id = due.operator_id AND payment_attempts.id = due.id
    RETURNING payment_attempts.operator_id, payment_attempts.id
    """
)
_REPORT_OVERDUE = text(
    """
    UPDATE payment_attempts SET problem = :problem
    FROM (
        SELECT operator_id, id FROM payment_attempts
        WHERE state IN ('sent', 'accepted', 'unknown') AND next_query_at <= :before
            AND problem IS NULL
        LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS overdue
    WHERE payment_attempts.operator_id = overdue.operator_id AND payment_attempts.id = overdue.id
    """
)
_TAKE_DUE_REFUNDS = text(
    """
    UPDATE refunds SET next_query_at = :now + :lease
    FROM (
        SELECT operator_id, id FROM refunds
        WHERE state IN ('sent', 'accepted', 'unknown') AND next_query_at <= :now
        ORDER BY next_query_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE refunds.operator_id = due.operator_id AND refunds.id = due.id
    RETURNING refunds.operator_id, refunds.id
    """
)


async def find_bills(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> Sequence[Bill]:
    """Return a stay's bills that count, oldest first: neither voided nor corrected ones."""
    statement = (
        select(Bill)
        .where(col(Bill.operator_id) == operator_id, col(Bill.session_id) == session_id)
        # No bill is older than its stay: partitions of earlier months are not looked at.
        .where(col(Bill.id) >= _oldest_id([(operator_id, session_id)]))
        .where(col(Bill.state).not_in(REPLACED))
        .order_by(col(Bill.id))
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).all()


async def find_bills_of(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[UUID, list[Bill]]:
    """Return the bills of many stays by session, oldest first; one statement however many.

    Args:
        unit: The transaction.
        keys: (operator, session).
    """
    statement = (
        select(Bill)
        .where(col(Bill.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(Bill.session_id).in_({session_id for _, session_id in keys}))
        .where(col(Bill.id) >= _oldest_id(keys))
        .where(col(Bill.state).not_in(REPLACED))
        .order_by(col(Bill.id))
    )
    found: dict[UUID, list[Bill]] = {session_id: [] for _, session_id in keys}
    for bill in await unit.session.exec(statement):
        if bill.session_id is not None:
            found[bill.session_id].append(bill)
    return found


async def find_bills_of_passes(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> Sequence[Bill]:
    """Return the newest bills that count of many passes, by (operator, pass), newest first."""
    statement = (
        select(Bill)
        .where(col(Bill.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(Bill.pass_id).in_({pass_id for _, pass_id in keys}))
        .where(col(Bill.state).not_in(REPLACED))
        .order_by(col(Bill.id).desc())
        .limit(PASS_BILLS_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def find_bill(unit: UnitOfWork, operator_id: UUID, bill_id: UUID) -> Bill | None:
    """Return a bill, a corrected or voided one too, as it is stored now."""
    statement = (
        select(Bill)
        .where(col(Bill.operator_id) == operator_id, col(Bill.id) == bill_id)
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def lock_bill(unit: UnitOfWork, operator_id: UUID, bill_id: UUID) -> Bill | None:
    """Lock a bill."""
    return await lock(unit, Bill, operator_id=operator_id, id=bill_id)


async def lock_attempt(
    unit: UnitOfWork, operator_id: UUID, attempt_id: UUID
) -> PaymentAttempt | None:
    """Lock an attempt."""
    return await lock(unit, PaymentAttempt, operator_id=operator_id, id=attempt_id)


async def find_attempt(
    unit: UnitOfWork, operator_id: UUID, attempt_id: UUID
) -> PaymentAttempt | None:
    """Return an attempt as it is stored now."""
    statement = (
        select(PaymentAttempt)
        .where(col(PaymentAttempt.operator_id) == operator_id, col(PaymentAttempt.id) == attempt_id)
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def find_attempts(
    unit: UnitOfWork, operator_id: UUID, bill_id: UUID
) -> Sequence[PaymentAttempt]:
    """Return a bill's attempts, oldest first."""
    statement = (
        select(PaymentAttempt)
        .where(col(PaymentAttempt.operator_id) == operator_id)
        .where(col(PaymentAttempt.bill_id) == bill_id)
        # An attempt's id derives from its bill's and has its time.
        .where(col(PaymentAttempt.id) >= floor_id(id_time(bill_id)))
        .order_by(col(PaymentAttempt.sent_at), col(PaymentAttempt.id))
    )
    return (await unit.session.exec(statement)).all()


async def take_due_attempts(
    unit: UnitOfWork, lease: timedelta, providers: Sequence[str]
) -> list[tuple[UUID, UUID]]:
    """Take unsettled attempts whose query is due, for `lease`; returns (operator, attempt).

    Args:
        unit: The transaction.
        lease: How long nobody else takes them.
        providers: Whom this process can ask: it leaves the others' orders to others.
    """
    values = {
        "now": unit.now(),
        "lease": lease,
        "rows": DUE_ATTEMPTS_MAX,
        "providers": list(providers),
    }
    rows = await unit.run(_TAKE_DUE, values)
    return [(row.operator_id, row.id) for row in rows]


async def find_attempt_by_reference(
    unit: UnitOfWork, provider: str, reference: str
) -> PaymentAttempt | None:
    """Return the payment of a provider's own id, whoever owns it; None where it is not just one."""
    statement = (
        select(PaymentAttempt)
        .where(col(PaymentAttempt.provider_reference) == reference)
        .where(col(PaymentAttempt.provider) == provider)
        .limit(2)
    )
    found = (await unit.session.exec(statement)).all()
    return found[0] if len(found) == 1 else None


async def page_stuck(
    unit: UnitOfWork,
    operator_id: UUID,
    *,
    first: int,
    before: UUID | None,
    places: Collection[UUID] | None = None,
) -> Sequence[PaymentAttempt]:
    """Return an operator's attempts that need a person, newest first; at most STUCK_MAX.

    With `places`, those for bills of these places only.
    """
    statement = (
        select(PaymentAttempt)
        .where(col(PaymentAttempt.operator_id) == operator_id)
        .where(col(PaymentAttempt.problem).is_not(None))
        .order_by(col(PaymentAttempt.id).desc())
        .limit(min(first, STUCK_MAX))
    )
    if places is not None:
        statement = statement.where(at_places(col(PaymentAttempt.bill_id), operator_id, places))
    if before is not None:
        statement = statement.where(col(PaymentAttempt.id) < before)
    return (await unit.session.exec(statement)).all()


async def report_overdue(unit: UnitOfWork, overdue: timedelta) -> int:
    """Put attempts on the staff's list that nobody has asked about for long; returns how many.

    No process has their provider, or every one that has it is down.
    """
    values = {
        "before": unit.now() - overdue,
        "rows": DUE_ATTEMPTS_MAX,
        "problem": AttemptProblem.UNANSWERED.value,
    }
    return (await unit.run(_REPORT_OVERDUE, values)).rowcount


async def remember_order(
    unit: UnitOfWork, *, number: str, owner_id: UUID, subject_id: UUID, kind: str
) -> None:
    """Remember whose number it is, for the provider's notices."""
    values = {"number": number, "owner_id": owner_id, "subject_id": subject_id, "kind": kind}
    await unit.insert_once(ProviderOrder, values)


async def find_order(unit: UnitOfWork, number: str) -> ProviderOrder | None:
    """Return whose number it is."""
    return await unit.session.get(ProviderOrder, number)


async def find_refund(unit: UnitOfWork, operator_id: UUID, refund_id: UUID) -> Refund | None:
    """Return a refund as it is stored now."""
    statement = (
        select(Refund)
        .where(col(Refund.operator_id) == operator_id, col(Refund.id) == refund_id)
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def lock_refund(unit: UnitOfWork, operator_id: UUID, refund_id: UUID) -> Refund | None:
    """Lock a refund."""
    return await lock(unit, Refund, operator_id=operator_id, id=refund_id)


async def refunded_minor(unit: UnitOfWork, attempt: PaymentAttempt) -> int:
    """Return how much of a locked attempt went back or is on its way; failures do not count."""
    statement = (
        select(func.coalesce(func.sum(col(Refund.amount_minor)), 0))
        .where(col(Refund.operator_id) == attempt.operator_id)
        .where(col(Refund.attempt_id) == attempt.id)
        # A refund's id derives from its attempt's and has its time.
        .where(col(Refund.id) >= floor_id(id_time(attempt.id)))
        .where(col(Refund.state) != RefundState.FAILED)
    )
    return int((await unit.session.exec(statement)).one())


async def refunding_minor(unit: UnitOfWork, attempt: PaymentAttempt) -> int:
    """Return how much of a locked attempt is on its way back, and may still fail to go."""
    statement = (
        select(func.coalesce(func.sum(col(Refund.amount_minor)), 0))
        .where(col(Refund.operator_id) == attempt.operator_id)
        .where(col(Refund.attempt_id) == attempt.id)
        .where(col(Refund.id) >= floor_id(id_time(attempt.id)))
        .where(col(Refund.state).not_in((RefundState.SUCCEEDED, RefundState.FAILED)))
    )
    return int((await unit.session.exec(statement)).one())


async def find_refunds_of(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[UUID, list[Refund]]:
    """Return the refunds of many stays by session, oldest first; one statement however many.

    Args:
        unit: The transaction.
        keys: (operator, session).
    """
    statement = (
        select(Refund)
        .where(col(Refund.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(Refund.session_id).in_({session_id for _, session_id in keys}))
        .where(col(Refund.id) >= _oldest_id(keys))
        .order_by(col(Refund.requested_at), col(Refund.id))
    )
    found: dict[UUID, list[Refund]] = {session_id: [] for _, session_id in keys}
    for refund in await unit.session.exec(statement):
        if refund.session_id is not None:
            found[refund.session_id].append(refund)
    return found


async def page_refunds(
    unit: UnitOfWork,
    operator_id: UUID,
    states: Collection[RefundState],
    *,
    first: int,
    before: UUID | None,
    places: Collection[UUID] | None = None,
) -> Sequence[Refund]:
    """Return an operator's refunds in any of `states`, those of the newest payments first.

    Args:
        unit: The transaction.
        operator_id: The owner.
        states: At least one.
        first: At most REFUNDS_MAX.
        before: The last one of the page before; None for the first page.
        places: Those of bills of these places only; None for all.
    """
    statement = (
        select(Refund)
        .where(col(Refund.operator_id) == operator_id)
        .where(col(Refund.state).in_(list(states)))
        .order_by(col(Refund.id).desc())
        .limit(min(first, REFUNDS_MAX))
    )
    if places is not None:
        statement = statement.where(at_places(col(Refund.bill_id), operator_id, places))
    if before is not None:
        statement = statement.where(col(Refund.id) < before)
    return (await unit.session.exec(statement)).all()


async def take_due_refunds(unit: UnitOfWork, lease: timedelta) -> list[tuple[UUID, UUID]]:
    """Take unsettled refunds whose turn has come, for `lease`; returns (operator, refund)."""
    values = {"now": unit.now(), "lease": lease, "rows": DUE_REFUNDS_MAX}
    rows = await unit.run(_TAKE_DUE_REFUNDS, values)
    return [(row.operator_id, row.id) for row in rows]


async def find_correction(
    unit: UnitOfWork, operator_id: UUID, correction_id: UUID
) -> BillCorrection | None:
    """Return what a correction did."""
    return await unit.session.get(BillCorrection, (operator_id, correction_id))


async def find_corrections(
    unit: UnitOfWork, operator_id: UUID, session_id: UUID
) -> Sequence[BillCorrection]:
    """Return a stay's corrections, oldest first."""
    statement = (
        select(BillCorrection)
        .where(col(BillCorrection.operator_id) == operator_id)
        .where(col(BillCorrection.session_id) == session_id)
        .order_by(col(BillCorrection.corrected_at), col(BillCorrection.id))
        .limit(CORRECTIONS_MAX)
    )
    return (await unit.session.exec(statement)).all()


def _oldest_id(keys: Collection[tuple[UUID, UUID]]) -> UUID:
    """Return an id that is lower than any that these stays' rows can have."""
    oldest = min((id_time(session_id) for _, session_id in keys), default=OLDEST_STAY)
    return floor_id(oldest - CLOCKS_APART_MAX)
