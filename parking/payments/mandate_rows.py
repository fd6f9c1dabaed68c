"""Every query about mandates, what they were charged, and the notices that were taken."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, text
from sqlalchemy import select as sums
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.locks import lock
from parking.payments.choice import Days, Spent
from parking.payments.mandate_models import MandateUse, TakenNotice
from parking.payments.models import Mandate, MandateState, PaymentAttempt
from parking.payments.port import NoticeKind

MANDATES_PER_DRIVER_MAX = 10
# Ended ones too: whoever begins and ends them for ever makes a provider open a page for each.
BEGUN_PER_DAY_MAX = 50
UNCONFIRMED_MAX = 50
DUE_CANCELS_MAX = 20
OF_PLATE_MAX = 100

_LOCK_DRIVER = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
# Whoever is revoked leaves no gap behind.
_RANK = text(
    """
    UPDATE mandates SET position = ranked.position FROM (
        SELECT id, row_number() OVER (ORDER BY position, id) - 1 AS position
        FROM mandates WHERE driver_id = :driver_id AND state <> 'revoked'
    ) AS ranked
    WHERE mandates.driver_id = :driver_id AND mandates.id = ranked.id
        AND mandates.position <> ranked.position
    """
)
_TAKE_CANCELS = text(
    """
    UPDATE mandates SET cancel_due_at = :now + :lease
    FROM (
        SELECT driver_id, id FROM mandates
        WHERE cancel_due_at <= :now AND provider = ANY(:providers)
        ORDER BY cancel_due_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE mandates.driver_id = due.driver_id AND mandates.id = due.id
    RETURNING mandates.driver_id, mandates.id
    """
)


async def lock_order(unit: UnitOfWork, driver_id: UUID) -> None:
    """Let one change of the driver's list of mandates happen at a time.

    Taken before any of its rows is locked; charging a mandate does not need it.
    """
    await unit.run(_LOCK_DRIVER, {"name": f"mandates|{driver_id}"})


async def find_mandates(unit: UnitOfWork, driver_id: UUID) -> Sequence[Mandate]:
    """Return a driver's mandates that are not revoked, in the driver's order."""
    statement = (
        select(Mandate)
        .where(col(Mandate.driver_id) == driver_id)
        .where(col(Mandate.state) != MandateState.REVOKED)
        .order_by(col(Mandate.position), col(Mandate.id))
        .limit(MANDATES_PER_DRIVER_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def count_begun(unit: UnitOfWork, driver_id: UUID, since: datetime) -> int:
    """Return how many mandates a driver has begun since a time, ended ones too."""
    statement = (
        select(func.count())
        .select_from(Mandate)
        .where(col(Mandate.driver_id) == driver_id)
        .where(col(Mandate.created_at) > since)
    )
    return (await unit.session.exec(statement)).one()


async def find_mandate(unit: UnitOfWork, driver_id: UUID, mandate_id: UUID) -> Mandate | None:
    """Return a driver's mandate."""
    return await unit.session.get(Mandate, (driver_id, mandate_id))


async def is_active(unit: UnitOfWork, driver_id: UUID | None, mandate_id: UUID | None) -> bool:
    """Return whether a driver's mandate may be charged."""
    if driver_id is None or mandate_id is None:
        return False
    mandate = await find_mandate(unit, driver_id, mandate_id)
    return mandate is not None and mandate.state == MandateState.ACTIVE


async def find_of_plate(unit: UnitOfWork, plate_index: UUID) -> Sequence[Mandate]:
    """Return everybody's mandates for this plate alone that are not revoked."""
    statement = (
        select(Mandate)
        .where(col(Mandate.plate_index) == plate_index)
        .where(col(Mandate.state) != MandateState.REVOKED)
        .order_by(col(Mandate.driver_id), col(Mandate.id))
        .limit(OF_PLATE_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def find_unconfirmed(
    unit: UnitOfWork, *, since: datetime, until: datetime
) -> Sequence[Mandate]:
    """Return mandates begun between two moments that wait for their payer's page."""
    statement = (
        select(Mandate)
        .where(col(Mandate.state) == MandateState.PENDING)
        .where(col(Mandate.created_at) > since, col(Mandate.created_at) <= until)
        .where(col(Mandate.signed_at).is_(None))
        .where(col(Mandate.agreement_reference).is_not(None))
        # The newest first: whoever has just confirmed waits, and the oldest were given up.
        .order_by(col(Mandate.created_at).desc())
        .limit(UNCONFIRMED_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def find_given_up(
    unit: UnitOfWork, *, opened_before: datetime, started_before: datetime
) -> Sequence[Mandate]:
    """Return pending mandates that nobody will confirm any more.

    Args:
        unit: The transaction.
        opened_before: Of those with a page.
        started_before: Of those whose page was never shown to anybody.
    """
    age = col(Mandate.created_at)
    statement = (
        select(Mandate)
        .where(col(Mandate.state) == MandateState.PENDING)
        .where(
            (age <= opened_before)
            | (col(Mandate.agreement_reference).is_(None) & (age <= started_before))
        )
        .order_by(age)
        .limit(UNCONFIRMED_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def lock_mandate(unit: UnitOfWork, driver_id: UUID, mandate_id: UUID) -> Mandate | None:
    """Lock a driver's mandate, to change it."""
    return await lock(unit, Mandate, driver_id=driver_id, id=mandate_id)


async def hold_mandate(
    unit: UnitOfWork, driver_id: UUID, mandate_id: UUID, *, alone: bool
) -> Mandate | None:
    """Keep a mandate as it is while it is charged.

    Args:
        unit: The transaction.
        driver_id: Whose.
        mandate_id: Which.
        alone: Whether no other car may be charged under it meanwhile.
    """
    return await lock(unit, Mandate, shared=not alone, driver_id=driver_id, id=mandate_id)


async def close_gaps(unit: UnitOfWork, driver_id: UUID) -> None:
    """Number the driver's mandates from 0 again; `lock_order` must be held."""
    await unit.run(_RANK, {"driver_id": driver_id})


def add_use(unit: UnitOfWork, attempt: PaymentAttempt) -> None:
    """Count a charge by mandate towards its mandate's limits of a day."""
    if attempt.driver_id is None or attempt.mandate_id is None:
        return
    unit.session.add(
        MandateUse(
            driver_id=attempt.driver_id,
            id=attempt.id,
            mandate_id=attempt.mandate_id,
            amount_minor=attempt.amount_minor,
            currency=attempt.currency,
            used_at=attempt.sent_at,
        )
    )


async def take_out_use(unit: UnitOfWork, driver_id: UUID, attempt_id: UUID) -> None:
    """Count a charge no more: it failed for good."""
    statement = (
        delete(MandateUse)
        .where(col(MandateUse.driver_id) == driver_id)
        .where(col(MandateUse.id) == attempt_id)
    )
    await unit.run(statement)


async def spent(
    unit: UnitOfWork, mandate: Mandate, currency: str, days: Days
) -> tuple[Spent, Spent]:
    """Return what a mandate was charged in the driver's day and in the provider's."""
    amount, used_at = col(MandateUse.amount_minor), col(MandateUse.used_at)
    columns = [
        of_day
        for start in (days.driver, days.provider)
        for of_day in (
            func.coalesce(func.sum(amount).filter(used_at >= start), 0),
            func.count().filter(used_at >= start),
        )
    ]
    statement = (
        sums(*columns)
        .where(col(MandateUse.driver_id) == mandate.driver_id)
        .where(col(MandateUse.mandate_id) == mandate.id)
        .where(col(MandateUse.currency) == currency)
        .where(used_at >= min(days.driver, days.provider))
    )
    found = [int(value) for value in (await unit.run(statement)).one()]
    return Spent(found[0], found[1]), Spent(found[2], found[3])


async def take_due_cancels(
    unit: UnitOfWork, providers: Sequence[str], lease: timedelta
) -> list[tuple[UUID, UUID]]:
    """Take ended mandates that their providers do not know of yet; returns (driver, mandate)."""
    values = {
        "now": unit.now(),
        "lease": lease,
        "rows": DUE_CANCELS_MAX,
        "providers": list(providers),
    }
    rows = await unit.run(_TAKE_CANCELS, values)
    return [(row.driver_id, row.id) for row in rows]


async def is_taken(unit: UnitOfWork, provider: str, notice_id: str) -> bool:
    """Return whether a notice was acted on before."""
    return await unit.session.get(TakenNotice, (provider, notice_id)) is not None


async def remember_notice(
    unit: UnitOfWork, provider: str, notice_id: str, kind: NoticeKind
) -> None:
    """Remember that a notice was acted on."""
    taken = insert(TakenNotice).values(
        provider=provider, notice_id=notice_id, kind=kind, taken_at=unit.now()
    )
    await unit.run(taken.on_conflict_do_nothing())
