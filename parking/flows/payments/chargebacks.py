"""Money that a payer's bank takes back: the bill is owed again, and paid again if it is returned.

The operator's loss and the driver's debt are two things. What the bank took stands on the account
`chargebacks`. Where it was all that a bill had cost, the driver owes that bill again, by a version
of it that says the same; a part of a bill stays the operator's loss, which staff see in the list.
Nobody is charged by himself for what they disputed: it waits for the driver to pay it.
"""

from typing import Any
from uuid import UUID

import structlog

from parking.events import outbox
from parking.events.envelope import Event
from parking.events.types import EventType
from parking.flows.context import ParkingContext
from parking.flows.payments import partner_settlement, pass_settlement
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.payments import chargebacks, credit, ledger, owing, refunds, repository, versions
from parking.payments.chargeback_models import Chargeback, ChargebackStatus
from parking.payments.errors import BillUnknownError
from parking.payments.models import Bill, BillState, PaymentAttempt
from parking.payments.port import ChargebackState, NoticeKind
from parking.places import service as places
from parking.sessions import repository as sessions
from parking.sessions.events import tell
from parking.sessions.models import Session

FREEZE_REASON = "chargeback"
BY = "system:chargeback"
STATUSES = {
    NoticeKind.CHARGEBACK_OPENED: ChargebackStatus.OPENED,
    NoticeKind.CHARGEBACK_LOST: ChargebackStatus.LOST,
    NoticeKind.CHARGEBACK_WON: ChargebackStatus.WON,
}

_log = structlog.get_logger()


async def settle(
    context: ParkingContext,
    operator_id: UUID,
    attempt_id: UUID,
    said: ChargebackState,
    status: ChargebackStatus,
) -> None:
    """Write down what a provider says about a chargeback and let everything follow, once.

    Notices may come in any order and any number: see `parking.payments.chargebacks`.

    Raises:
        PaymentInProgressError: a payment or a refund under way comes first; it must come again.
        ChargebackTooLargeError: the payment does not hold so much; nothing was written.
    """
    async with context.database.begin() as unit:
        seen = await repository.find_attempt(unit, operator_id, attempt_id)
        if seen is None:
            raise BillUnknownError("attempt: expected a stored one")
        session = await _lock_subject(unit, seen)
        newest = await versions.lock_newest(unit, operator_id, seen.bill_id)
        attempt = await repository.lock_attempt(unit, operator_id, attempt_id)
        paid = await repository.find_bill(unit, operator_id, seen.bill_id)
        if attempt is None or paid is None:
            raise BillUnknownError("attempt: expected a stored one")
        recorded = await chargebacks.record(unit, paid, attempt, said, status)
        row = recorded.row
        if recorded.is_new_loss:
            await _owe_again(unit, session, newest, row)
            await _freeze(unit, row)
            await _tell(unit, session, row, EventType.PAYMENT_CHARGED_BACK)
        elif recorded.is_newly_won:
            await _take_money_back(unit, newest, attempt, row)
            await _thaw(unit, row)
            await _tell(unit, session, row, EventType.CHARGEBACK_REVERSED)
        if recorded.before != row.status:
            _log.warning(
                "chargeback.recorded",
                chargeback=str(row.id),
                status=row.status,
                is_owed_again=row.owed_bill_id is not None,
            )


async def _lock_subject(unit: UnitOfWork, attempt: PaymentAttempt) -> Session | None:
    if attempt.session_id is not None:
        return await sessions.lock_session(unit, attempt.operator_id, attempt.session_id)
    if attempt.pass_id is not None:
        await pass_settlement.lock(unit, attempt.operator_id, attempt.pass_id)
    if attempt.collection_id is not None:
        await partner_settlement.lock(unit, attempt.operator_id, attempt.collection_id)
    return None


async def _owe_again(
    unit: UnitOfWork, session: Session | None, newest: Bill, row: Chargeback
) -> None:
    is_all_of_it = (newest.state, newest.paid_attempt_id, newest.total_minor) == (
        BillState.PAID,
        row.attempt_id,
        row.amount_minor,
    )
    # What we collected for a partner was the partner's bill, which is paid.
    if not is_all_of_it or newest.collection_id is not None:
        return
    version = await versions.reopen(unit, newest)
    row.owed_bill_id = version.id
    amount = Money(row.amount_minor, row.currency)
    await ledger.post_owed_again(unit, version, amount, source=row.id)
    if session is not None:
        plate, place_id = session.plate_index, session.place_id
        await owing.owe(unit, version, plate_index=plate, place_id=place_id, at=unit.now())
        await owing.stop_collecting(unit, version)


async def _take_money_back(
    unit: UnitOfWork, newest: Bill, attempt: PaymentAttempt, row: Chargeback
) -> None:
    """Let the returned money pay the bill again; what anybody paid besides goes back."""
    if row.owed_bill_id is None:
        return
    other_id = newest.paid_attempt_id
    was_paid_before = newest.state == BillState.PAID
    version = await versions.pay_with(unit, newest, attempt.id)
    amount = Money(row.amount_minor, row.currency)
    await ledger.post_owed_no_more(unit, version, amount, source=row.id)
    total = Money(version.total_minor, version.currency)
    if was_paid_before and other_id is not None and total:
        await _give_back(unit, version, other_id, total, row)
    if total < amount:
        # The bill was lowered while it was owed: the money that is back is more than it costs.
        await _give_back(unit, version, attempt.id, amount - total, row)


async def _give_back(
    unit: UnitOfWork, version: Bill, attempt_id: UUID, amount: Money, row: Chargeback
) -> None:
    payment = await repository.lock_attempt(unit, version.operator_id, attempt_id)
    if payment is None:
        raise BillUnknownError("attempt: expected a stored one")
    # What came over the counter, or by a partner, waits in the list for a person to hand it out.
    await refunds.store(
        unit,
        version,
        payment,
        amount,
        cause=f"chargeback:{row.id}",
        reason="Your bank returned the earlier payment",
        by=BY,
    )


async def _freeze(unit: UnitOfWork, row: Chargeback) -> None:
    if row.driver_id is not None:
        await credit.freeze(
            unit, row.operator_id, row.driver_id, row.currency, reason=FREEZE_REASON
        )


async def _thaw(unit: UnitOfWork, row: Chargeback) -> None:
    """Give credit again where it was shut for chargebacks, and the last one was won."""
    if row.driver_id is None:
        return
    key = (unit, row.operator_id, row.driver_id, row.currency)
    account = await credit.find_account(*key)
    if account is None or account.frozen_reason != FREEZE_REASON:
        return
    if not await chargebacks.has_unwon(*key):
        await credit.thaw(*key)


async def _tell(
    unit: UnitOfWork, session: Session | None, row: Chargeback, kind: EventType
) -> None:
    payload: dict[str, Any] = {
        "chargeback_id": str(row.id),
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "is_owed_again": row.owed_bill_id is not None,
    }
    if row.driver_id is not None:
        # Whose bank it was is told of it, whoever has the plate by now.
        payload["driver_id"] = str(row.driver_id)
    if session is not None:
        place = await places.require_place(unit, row.operator_id, session.place_id)
        names = {"place_name": place.name, "timezone": place.timezone}
        tell(unit, session, kind, payload | names)
    elif row.pass_id is not None:
        outbox.append(
            unit,
            Event(
                id=new_id(unit.now()),
                type=_OF_PASSES[kind],
                owner_id=row.operator_id,
                subject_id=row.pass_id,
                occurred_at=unit.now(),
                payload=payload,
            ),
        )


_OF_PASSES = {
    EventType.PAYMENT_CHARGED_BACK: EventType.PASS_CHARGED_BACK,
    EventType.CHARGEBACK_REVERSED: EventType.PASS_CHARGEBACK_REVERSED,
}
