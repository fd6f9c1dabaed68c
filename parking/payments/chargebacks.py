"""Chargebacks in our books: each is written down once, in whatever order it is told of.

Opened, lost and won only rise, in this order: a late notice changes nothing, and a chargeback that
was won before we heard that it was opened is written down as both.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.errors import ParkingError
from parking.kit.ids import derive_id, floor_id, id_time
from parking.kit.money import Money
from parking.payments import ledger, repository
from parking.payments.at_places import at_places
from parking.payments.chargeback_models import Chargeback, ChargebackStatus
from parking.payments.errors import PaymentInProgressError
from parking.payments.models import AttemptState, Bill, PaymentAttempt
from parking.payments.port import ChargebackState
from parking.payments.rules import LIVE_STATES

# A page that clients may ask for, and one more to tell whether there is a next.
CHARGEBACKS_MAX: Final = 101
REASON_LENGTH_MAX: Final = 200
_RANKS = {ChargebackStatus.OPENED: 0, ChargebackStatus.LOST: 1, ChargebackStatus.WON: 2}


class ChargebackTooLargeError(ParkingError):
    """A bank takes more back than the payment holds, or another amount than before: see staff."""

    code = "CHARGEBACK_TOO_LARGE"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a notice about a chargeback changed.

    Attributes:
        before: Where it stood; None where we hear of it for the first time.
    """

    row: Chargeback
    before: ChargebackStatus | None

    @property
    def is_new_loss(self) -> bool:
        """Whether money has just gone, and is not back."""
        return self.before is None and self.row.status != ChargebackStatus.WON

    @property
    def is_newly_won(self) -> bool:
        """Whether money that was gone is back."""
        is_won = self.row.status == ChargebackStatus.WON
        return is_won and self.before not in {None, ChargebackStatus.WON}


async def record(
    unit: UnitOfWork,
    paid: Bill,
    attempt: PaymentAttempt,
    said: ChargebackState,
    status: ChargebackStatus,
) -> Recorded:
    """Write down what a provider says about a chargeback of a locked attempt, and post it.

    Args:
        unit: The transaction.
        paid: The version of the bill that the attempt was for.
        attempt: Locked.
        said: What the provider says.
        status: What it says of where it stands.

    Raises:
        PaymentInProgressError: a payment or a refund under way comes first; it must come again.
        ChargebackTooLargeError: the payment does not hold so much; nothing was written.
    """
    row_id = derive_id(attempt.id, f"chargeback:{said.reference}")
    row = await unit.session.get(Chargeback, (attempt.operator_id, row_id), populate_existing=True)
    before = None if row is None else ChargebackStatus(row.status)
    if row is None:
        await _require_held(unit, attempt, said.amount)
        row = _row(unit, row_id, attempt, said)
        unit.session.add(row)
        await ledger.post_charged_back(unit, paid, attempt, said.amount, source=row_id)
    elif Money(row.amount_minor, row.currency) != said.amount:
        raise ChargebackTooLargeError("chargeback: expected the amount that was told before")
    if _RANKS[status] > _RANKS[ChargebackStatus(row.status)]:
        row.status, row.decided_at = status, unit.now()
        if status == ChargebackStatus.WON:
            await ledger.post_chargeback_won(unit, paid, attempt, said.amount, source=row_id)
    return Recorded(row, before)


async def taken_back_minor(unit: UnitOfWork, attempt: PaymentAttempt) -> int:
    """Return how much of a locked attempt payers' banks took back and still have."""
    statement = (
        select(func.coalesce(func.sum(col(Chargeback.amount_minor)), 0))
        .where(col(Chargeback.operator_id) == attempt.operator_id)
        .where(col(Chargeback.attempt_id) == attempt.id)
        # A chargeback's id derives from its attempt's and has its time.
        .where(col(Chargeback.id) >= floor_id(id_time(attempt.id)))
        .where(col(Chargeback.status) != ChargebackStatus.WON)
    )
    return int((await unit.session.exec(statement)).one())


async def has_unwon(unit: UnitOfWork, operator_id: UUID, driver_id: UUID, currency: str) -> bool:
    """Return whether a driver's bank has any of the operator's money."""
    statement = (
        select(Chargeback.id)
        .where(col(Chargeback.operator_id) == operator_id)
        .where(col(Chargeback.driver_id) == driver_id, col(Chargeback.currency) == currency)
        .where(col(Chargeback.status) != ChargebackStatus.WON)
        .limit(1)
    )
    return (await unit.session.exec(statement)).first() is not None


async def page(
    unit: UnitOfWork,
    operator_id: UUID,
    statuses: Collection[ChargebackStatus],
    *,
    first: int,
    before: UUID | None,
    places: Collection[UUID] | None = None,
) -> Sequence[Chargeback]:
    """Return an operator's chargebacks in any of `statuses`, those of the newest payments first.

    Args:
        unit: The transaction.
        operator_id: The owner.
        statuses: At least one.
        first: At most CHARGEBACKS_MAX.
        before: The last one of the page before; None for the first page.
        places: Those of bills of these places only; None for all.
    """
    statement = (
        select(Chargeback)
        .where(col(Chargeback.operator_id) == operator_id)
        .where(col(Chargeback.status).in_(list(statuses)))
        .order_by(col(Chargeback.id).desc())
        .limit(min(first, CHARGEBACKS_MAX))
    )
    if places is not None:
        statement = statement.where(at_places(col(Chargeback.bill_id), operator_id, places))
    if before is not None:
        statement = statement.where(col(Chargeback.id) < before)
    return (await unit.session.exec(statement)).all()


async def _require_held(unit: UnitOfWork, attempt: PaymentAttempt, amount: Money) -> None:
    if attempt.state in LIVE_STATES:
        # The bank was faster than the news that it had paid.
        raise PaymentInProgressError("chargeback: expected a payment whose outcome is known")
    gone = await repository.refunded_minor(unit, attempt)
    gone += await taken_back_minor(unit, attempt)
    took = attempt.amount_minor if attempt.state == AttemptState.SUCCEEDED else 0
    held = took - gone
    if amount.currency == attempt.currency and amount.amount_minor <= held:
        return
    coming = await repository.refunding_minor(unit, attempt)
    if amount.currency == attempt.currency and amount.amount_minor <= held + coming:
        raise PaymentInProgressError("chargeback: expected no refund under way")
    most = Money(max(held, 0), attempt.currency).format()
    raise ChargebackTooLargeError(f"chargeback: expected at most {most}")


def _row(
    unit: UnitOfWork, row_id: UUID, attempt: PaymentAttempt, said: ChargebackState
) -> Chargeback:
    return Chargeback(
        operator_id=attempt.operator_id,
        id=row_id,
        attempt_id=attempt.id,
        bill_id=attempt.bill_id,
        session_id=attempt.session_id,
        pass_id=attempt.pass_id,
        driver_id=attempt.driver_id,
        provider=attempt.provider,
        reference=said.reference,
        amount_minor=said.amount.amount_minor,
        currency=said.amount.currency,
        reason=said.reason[:REASON_LENGTH_MAX],
        status=ChargebackStatus.OPENED,
        opened_at=unit.now(),
    )
