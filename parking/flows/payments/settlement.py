"""What a provider says about an attempt, turned into money, events and an opening gate.

The same code follows an answer in the lane, a notice, and the janitor's query, so that it does not
matter which of them comes first, or how often.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from parking.events.pokes import lane_channel
from parking.events.types import EventType
from parking.flows.context import ParkingContext
from parking.flows.payments import (
    debts,
    deductions,
    paid_claim,
    partner_settlement,
    pass_settlement,
)
from parking.flows.release import OPEN, release
from parking.kit.columns import Row
from parking.kit.database import ConflictError, UnitOfWork
from parking.kit.follow_up import follow_up
from parking.kit.money import Money
from parking.lanes import repository as lanes
from parking.lanes.models import GateCommand, Presentation
from parking.payments import mandate_rows, repository
from parking.payments import service as payments
from parking.payments.models import (
    AttemptKind,
    AttemptProblem,
    AttemptState,
    Bill,
    BillState,
    PaymentAttempt,
)
from parking.payments.port import (
    DESCRIPTION_LENGTH_MAX,
    AccountKind,
    ChargeOrder,
    ChargeResult,
    OrderStatus,
    StayDetails,
    order_number,
)
from parking.payments.rules import LIVE_STATES
from parking.payments.service import AmountMismatchError
from parking.places import service as places
from parking.sessions import repository as sessions
from parking.sessions import service as session_service
from parking.sessions.events import tell
from parking.sessions.models import Session
from parking.tariffs import service as tariffs

PAID = "paid"
GUARANTEED = "guaranteed"
RESEND_DEADLINE_S = 5.0
# Half of the shortest time for which a provider keeps to a number that it has seen.
RESEND_AGE_MAX = timedelta(hours=12)
TRIES_MAX = 3
# Whoever should have asked has not: no process has the provider, or none runs.
OVERDUE = timedelta(hours=1)
QUERY_LEASE = timedelta(seconds=10)
SWEEP_AT_ONCE_MAX = 5

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AttemptRows:
    """Which rows an attempt belongs to.

    Attributes:
        session_id: None for a pass.
        presentation_id: The car at the exit; None where the stay is not at one.
        pass_id: None for a stay.
        collection_id: What is collected for a partner, if it is that.
    """

    session_id: UUID | None
    bill_id: UUID
    presentation_id: UUID | None
    pass_id: UUID | None = None
    collection_id: UUID | None = None


@dataclass(slots=True)
class Settled:
    """The locked rows of an attempt whose answer is written down.

    Attributes:
        session: None for a pass, which stands at no gate.
        command: The order to open that followed from the answer; None for none.
    """

    presentation: Presentation | None
    session: Session | None
    bill: Bill
    attempt: PaymentAttempt
    command: GateCommand | None = None


Then = Callable[[UnitOfWork, Settled], Awaitable[None]]
"""What else belongs into the transaction that settles; it may be called again after a conflict."""


async def settle(
    context: ParkingContext,
    operator_id: UUID,
    attempt_id: UUID,
    result: ChargeResult,
    *,
    rows: AttemptRows | None = None,
    seen: tuple[Row, ...] = (),
    then: Then | None = None,
) -> AttemptState:
    """Write down an answer about an attempt and let everything follow from it, once.

    Args:
        context: The domain's surroundings.
        operator_id: The attempt's owner.
        attempt_id: The attempt.
        result: The answer.
        rows: What the attempt belongs to, where the caller has just seen it; read if None.
        seen: Those rows, as the caller has left them; one round trip then writes it all down,
            unless one of them has changed.
        then: Done last, in the same transaction.

    Raises:
        ConflictError: the car moved to another lane meanwhile, TRIES_MAX times.
        AmountMismatchError: the provider took another amount; staff are told, and nothing else
            was written.
    """
    traits = {name: provider.traits for name, provider in context.providers.items()}
    ways = [context.database.begin] * TRIES_MAX
    if rows is not None and seen:
        ways = [partial(follow_up, context.database, *seen), *ways]
    for number, begin in enumerate(ways, start=1):
        try:
            async with begin() as unit:
                known = rows or await _rows(unit, operator_id, attempt_id)
                settled = await _lock(unit, operator_id, attempt_id, known)
                known_traits = traits.get(settled.attempt.provider)
                account = None if known_traits is None else known_traits.account
                await _follow(unit, settled, result, account)
                if then is not None:
                    await then(unit, settled)
                return settled.attempt.state
        except AmountMismatchError:
            async with context.database.begin() as unit:
                await payments.report(unit, operator_id, attempt_id, AttemptProblem.AMOUNT_MISMATCH)
            raise
        except ConflictError:
            if number == len(ways):
                raise
            rows = None
    raise AssertionError("unreachable: the last try returns or raises")


async def ask(context: ParkingContext, operator_id: UUID, attempt_id: UUID) -> AttemptState:
    """Ask the provider how an unsettled attempt ended, and settle it.

    An order that the provider has never seen is sent again under the same number where the
    driver's permission still stands and the order is young; else it is closed. Providers forget
    numbers: Stripe keeps its keys for a day, and then a number sent again would charge again.
    """
    async with context.database.begin() as unit:
        attempt = await repository.find_attempt(unit, operator_id, attempt_id)
        may_resend = (
            attempt is not None
            and unit.now() - attempt.sent_at < RESEND_AGE_MAX
            and await mandate_rows.is_active(unit, attempt.driver_id, attempt.mandate_id)
        )
    if attempt is None or attempt.state not in LIVE_STATES:
        return AttemptState.FAILED if attempt is None else attempt.state
    provider = context.provider(attempt.provider)
    sent = payments.sent_order(attempt)
    result = await provider.query(sent)
    if result.status == OrderStatus.NOT_FOUND:
        result = (
            await provider.charge(await charge_order(context, attempt, RESEND_DEADLINE_S))
            if may_resend
            else await provider.close(sent)
        )
    return await settle(context, operator_id, attempt_id, result)


async def close(context: ParkingContext, operator_id: UUID, attempt_id: UUID) -> AttemptState:
    """Make sure that an open payment page takes no money any more, unless it already did."""
    async with context.database.begin() as unit:
        attempt = await repository.find_attempt(unit, operator_id, attempt_id)
    if attempt is None or attempt.state not in LIVE_STATES:
        return AttemptState.FAILED if attempt is None else attempt.state
    result = await context.provider(attempt.provider).close(payments.sent_order(attempt))
    return await settle(context, operator_id, attempt_id, result)


async def sweep(context: ParkingContext) -> int:
    """Query every unsettled attempt whose time has come; returns how many there were."""
    async with context.database.begin() as unit:
        due = await repository.take_due_attempts(unit, QUERY_LEASE, list(context.providers))
        await repository.report_overdue(unit, OVERDUE)
    for start in range(0, len(due), SWEEP_AT_ONCE_MAX):
        batch = due[start : start + SWEEP_AT_ONCE_MAX]
        answers = await asyncio.gather(
            *(ask(context, *attempt) for attempt in batch), return_exceptions=True
        )
        for (_, attempt_id), answer in zip(batch, answers, strict=True):
            # One attempt that needs staff must not keep the others waiting.
            if isinstance(answer, Exception):
                _log.warning("sweep.attempt_unsettled", attempt=str(attempt_id), error=repr(answer))
    return len(due)


async def charge_order(
    context: ParkingContext, attempt: PaymentAttempt, deadline_s: float
) -> ChargeOrder:
    """Return the provider's order for an attempt: the same for the same attempt, always."""
    async with context.database.begin() as unit:
        return await order_of(context, unit, attempt, deadline_s)


async def order_of(
    context: ParkingContext, unit: UnitOfWork, attempt: PaymentAttempt, deadline_s: float
) -> ChargeOrder:
    """Return what `charge_order` does, in a transaction that is open already."""
    description = await describe_attempt(unit, attempt)
    traits = context.provider(attempt.provider).traits
    stay = None
    if traits.needs_plate or traits.needs_antenna:
        stay = await _stay_details(unit, attempt)
    return ChargeOrder(
        number=attempt.number,
        agreement_reference=attempt.agreement_reference or "",
        amount=Money(attempt.amount_minor, attempt.currency),
        description=description,
        deadline_s=deadline_s,
        instrument=attempt.instrument,
        stay=stay,
        sent_at=attempt.sent_at,
    )


async def _stay_details(unit: UnitOfWork, attempt: PaymentAttempt) -> StayDetails | None:
    if attempt.session_id is None:
        return None
    session = await sessions.find_session(unit, attempt.operator_id, attempt.session_id)
    bill = await repository.find_bill(unit, attempt.operator_id, attempt.bill_id)
    if session is None or bill is None:
        return None
    place = await places.require_place(unit, session.operator_id, session.place_id)
    antenna = None
    if bill.presentation_id is not None:
        standing = await lanes.find_presentation(unit, bill.operator_id, bill.presentation_id)
        if standing is not None:
            antenna = await places.antenna_above(unit, standing.operator_id, standing.lane_id)
    return StayDetails(
        number=order_number(session.id),
        plate=session_service.plate_of(unit, session),
        place_id=place.id,
        place_name=place.name,
        entered_at=session.entered_at,
        left_at=bill.priced_until,
        antenna=antenna,
        reference=attempt.stay_reference,
    )


async def describe_attempt(unit: UnitOfWork, attempt: PaymentAttempt) -> str:
    """Return what the payer reads on the statement for an attempt: never a plate."""
    if attempt.session_id is not None:
        return await describe(unit, attempt.operator_id, attempt.session_id)
    bill = await repository.find_bill(unit, attempt.operator_id, attempt.bill_id)
    if bill is not None and bill.collection_id is not None:
        return f"Parking, {bill.basis['place_name']}"[:DESCRIPTION_LENGTH_MAX]
    named = "" if bill is None else str(bill.basis.get("description", ""))
    return f"Parking, monthly pass {named}".strip()[:DESCRIPTION_LENGTH_MAX]


async def describe(unit: UnitOfWork, operator_id: UUID, session_id: UUID) -> str:
    """Return what the payer reads on the statement: never a plate."""
    session = await sessions.find_session(unit, operator_id, session_id)
    if session is None:
        return "Parking"
    place = await places.require_place(unit, operator_id, session.place_id)
    return f"Parking, {place.name}"


async def _rows(unit: UnitOfWork, operator_id: UUID, attempt_id: UUID) -> AttemptRows:
    attempt = await repository.find_attempt(unit, operator_id, attempt_id)
    if attempt is None:
        raise ConflictError("attempt: expected a stored one")
    if attempt.session_id is None:
        return AttemptRows(None, attempt.bill_id, None, attempt.pass_id, attempt.collection_id)
    seen = await sessions.find_session(unit, operator_id, attempt.session_id)
    exit_id = None if seen is None else seen.exit_presentation_id
    return AttemptRows(attempt.session_id, attempt.bill_id, exit_id)


async def _lock(
    unit: UnitOfWork, operator_id: UUID, attempt_id: UUID, rows: AttemptRows
) -> Settled:
    exit_id = rows.presentation_id
    presentation = (
        None if exit_id is None else await lanes.lock_presentation(unit, operator_id, exit_id)
    )
    session = (
        None
        if rows.session_id is None
        else await sessions.lock_session(unit, operator_id, rows.session_id)
    )
    if rows.pass_id is not None:
        await pass_settlement.lock(unit, operator_id, rows.pass_id)
    if rows.collection_id is not None:
        await partner_settlement.lock(unit, operator_id, rows.collection_id)
    bill = await repository.lock_bill(unit, operator_id, rows.bill_id)
    locked = await repository.lock_attempt(unit, operator_id, attempt_id)
    if bill is None or locked is None or locked.session_id != rows.session_id:
        raise ConflictError("attempt: expected a stored one")
    if rows.session_id is not None and (session is None or session.exit_presentation_id != exit_id):
        # The car came to another lane between the two reads: lock that one instead.
        raise ConflictError("session: its exit lane changed")
    return Settled(presentation, session, bill, locked)


async def _follow(
    unit: UnitOfWork, settled: Settled, result: ChargeResult, account: AccountKind | None
) -> None:
    attempt, bill = settled.attempt, settled.bill
    changed = await payments.apply_result(unit, bill, attempt, result, account=account)
    if changed:
        _log.info("attempt.settled", attempt=str(attempt.id), state=attempt.state)
    if settled.session is None:
        if changed:
            await pass_settlement.settled(unit, bill, attempt)
            await partner_settlement.settled(unit, bill, attempt)
    # A provider may answer for the money only after it accepted the order.
    elif changed or _is_guarantee(attempt, result):
        await follow_stay(unit, settled, settled.session, result)


def _is_guarantee(attempt: PaymentAttempt, result: ChargeResult) -> bool:
    return attempt.state == AttemptState.ACCEPTED and result.guaranteed


async def follow_stay(
    unit: UnitOfWork, settled: Settled, session: Session, result: ChargeResult
) -> None:
    """Let gate, grace and events follow from an attempt whose state changed; all is locked."""
    attempt, bill, lane = settled.attempt, settled.bill, settled.presentation
    payload = await _payload(unit, session, attempt)
    channels = () if lane is None else (lane_channel(lane.lane_id),)
    if attempt.state == AttemptState.SUCCEEDED:
        # At a gate the grace begins with the payment. Before that it begins with the price: whoever
        # leaves a payment page open for an hour does not park for that hour for nothing.
        at_gate = lane is not None and lane.cleared_at is None and bill.presentation_id == lane.id
        priced_at = unit.now() if at_gate else bill.priced_until
        table = await tariffs.load(unit, session.operator_id, session.rate_table_id)
        session.prepaid_until = priced_at + timedelta(minutes=table.grace_after_payment_minutes)
        if lane is not None and at_gate:
            settled.command = await release(unit, session, lane, reason=PAID)
        tell(unit, session, EventType.PAYMENT_CHARGED, payload, channels=channels)
        await paid_claim.paid(unit, session, attempt)
    elif (
        _is_guarantee(attempt, result)
        and lane is not None
        and bill.presentation_id == lane.id
        and lane.action != OPEN
    ):
        settled.command = await release(unit, session, lane, reason=GUARANTEED)
        tell(unit, session, EventType.SESSION_BILL_CHANGED, payload, channels=channels)
    elif attempt.state == AttemptState.FAILED:
        if session.left_at is not None:
            # The gate opened on credit, or on a provider's or a person's word: the bill is owed
            # all the same, and that is what the driver is told.
            if bill.state == BillState.ISSUED:
                await debts.owe(unit, session, bill, at=session.left_at)
            else:
                await debts.refused(unit, session, bill, attempt.id)
            return
        if attempt.kind != AttemptKind.MANDATE:
            return
        payload["failure_code"] = attempt.failure_code or "declined"
        tell(unit, session, EventType.PAYMENT_REFUSED, payload, channels=channels)


async def _payload(unit: UnitOfWork, session: Session, attempt: PaymentAttempt) -> dict[str, Any]:
    place = await places.require_place(unit, session.operator_id, session.place_id)
    names = {"place_name": place.name, "timezone": place.timezone}
    return deductions.told_of_stay(unit, session, attempt) | names
