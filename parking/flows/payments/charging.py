"""Sending a stored attempt to its provider, outside every transaction, and hearing it out."""

import asyncio
from collections.abc import Generator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from time import perf_counter
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.payments import charge_rows, choosing, settlement
from parking.flows.payments.deadline import GATE_DEADLINE_S, TRY_S_MIN, Deadline
from parking.flows.payments.settlement import AttemptRows, Then
from parking.flows.payments.step import Errand, NewCharge, ProviderCall
from parking.kit.columns import Row
from parking.kit.database import ConflictError, UnitOfWork
from parking.kit.follow_up import follow_up
from parking.lanes.models import Presentation
from parking.payments import repository
from parking.payments.errors import ProviderMissingError
from parking.payments.models import AttemptState, Bill, BillState, PaymentAttempt
from parking.payments.port import OrderStatus
from parking.payments.service import FIRST_QUERY_AFTER, AmountMismatchError
from parking.places import repository as places
from parking.sessions import repository as sessions
from parking.sessions.models import Session

# A driver at a closed gate waits for the provider this long before the display offers the QR code.
CHARGE_DEADLINE_S = 4.0
# An unknown outcome is asked about at once, this often, before the janitor takes over.
QUERY_PAUSES_S: Sequence[float] = (0.3, 0.7, 1.5)

_UNSETTLED = frozenset({AttemptState.SENT, AttemptState.ACCEPTED, AttemptState.UNKNOWN})
_log = structlog.get_logger()


async def new_charge(
    context: ParkingContext,
    unit: UnitOfWork,
    attempt: PaymentAttempt,
    bill: Bill,
    *,
    session: Session | None = None,
    presentation: Presentation | None = None,
) -> NewCharge:
    """Return what takes the money for an attempt that this transaction stores.

    Args:
        context: The domain's surroundings.
        unit: The transaction.
        attempt: By a mandate.
        bill: What it pays.
        session: Its stay, if it is one and the caller has it.
        presentation: The exit that the stay is tied to, if it is at one.
    """
    seen: list[Row | None] = [attempt, bill, session, presentation]
    if bill.place_id is not None:
        seen.append(await places.find_place(unit, bill.operator_id, bill.place_id))
    return NewCharge(
        operator_id=attempt.operator_id,
        attempt_id=attempt.id,
        provider=attempt.provider,
        order=await settlement.order_of(context, unit, attempt, CHARGE_DEADLINE_S),
        rows=AttemptRows(
            attempt.session_id,
            attempt.bill_id,
            None if session is None else session.exit_presentation_id,
            attempt.pass_id,
            attempt.collection_id,
        ),
        attempt=attempt,
        seen=tuple(row for row in seen if row is not None),
    )


async def charge_bill(
    context: ParkingContext, operator_id: UUID, bill_id: UUID, *, is_waited_for: bool = True
) -> PaymentAttempt | None:
    """Charge an unpaid bill to its driver's mandates, one after the other until one pays.

    Charging again later tries every mandate again; an attempt under way is left alone. For bills
    without a stay: a stay's gate is not opened by the lane's display this way.

    Args:
        context: The domain's surroundings.
        operator_id: The bill's owner.
        bill_id: The bill.
        is_waited_for: Whether somebody waits for the outcome; else banks are asked as well.

    Returns:
        The last attempt as it stands now; None where there is no mandate to charge, or nothing
        to pay.
    """
    since = context.clock.now()
    last: UUID | None = None
    found: PaymentAttempt | None = None
    # Each turn tries a mandate that was not tried since the start, so the turns end.
    while True:
        step = None
        if last is None:
            step = await _first_charge(
                context, operator_id, bill_id, since, is_waited_for=is_waited_for
            )
        if step is None:
            async with context.database.begin() as unit:
                if last is not None:
                    found = await repository.find_attempt(unit, operator_id, last)
                    if found is None or found.state != AttemptState.FAILED:
                        return found
                step = await _next_charge(
                    context, unit, operator_id, bill_id, since, is_waited_for=is_waited_for
                )
        if not isinstance(step, NewCharge):
            return found if step is None else step
        await call_provider(context, step)
        if step.attempt.state == AttemptState.SUCCEEDED:
            return step.attempt
        last = step.attempt_id


async def _first_charge(
    context: ParkingContext,
    operator_id: UUID,
    bill_id: UUID,
    since: datetime,
    *,
    is_waited_for: bool,
) -> NewCharge | PaymentAttempt | None:
    """Begin the usual charge in few round trips; None where it needs the long way."""
    with suppress(ConflictError):
        async with follow_up(context.database) as unit:
            # Kept until the end: a unit of work forgets rows that nobody holds.
            _rows = await charge_rows.read(unit, operator_id, bill_id)
            return await _next_charge(
                context, unit, operator_id, bill_id, since, is_waited_for=is_waited_for
            )
    return None


async def _next_charge(
    context: ParkingContext,
    unit: UnitOfWork,
    operator_id: UUID,
    bill_id: UUID,
    since: datetime,
    *,
    is_waited_for: bool,
) -> NewCharge | PaymentAttempt | None:
    # Whoever takes a stay's bills back holds the stay, and no bill of it.
    session = await _lock_stay(unit, operator_id, bill_id)
    bill = await repository.lock_bill(unit, operator_id, bill_id)
    if bill is None or bill.state not in {BillState.ISSUED, BillState.OWED}:
        return None
    if bill.live_attempt_id is not None:
        return await repository.find_attempt(unit, operator_id, bill.live_attempt_id)
    occasion = await choosing.occasion_of(unit, bill, session=session, is_waited_for=is_waited_for)
    attempt = await choosing.begin_charge(context, unit, bill, occasion, since=since)
    if attempt is None:
        return None
    return await new_charge(context, unit, attempt, bill, session=session)


async def _lock_stay(unit: UnitOfWork, operator_id: UUID, bill_id: UUID) -> Session | None:
    seen = await unit.session.get(Bill, (operator_id, bill_id))
    if seen is None or seen.session_id is None:
        return None
    return await sessions.lock_session(unit, operator_id, seen.session_id)


async def call_provider(
    context: ParkingContext,
    call: NewCharge | ProviderCall,
    timings_ms: MutableMapping[str, float] | None = None,
    then: Then | None = None,
    deadline: Deadline | None = None,
) -> None:
    """Do the errand; what came of it is stored.

    Args:
        context: The domain's surroundings.
        call: What to do.
        timings_ms: What the provider takes is added to its `charge`, without our own
            transactions around a charge.
        then: Done in the transaction that settles a new charge, if its answer comes at once.
        deadline: When whoever waits has waited long enough; what is unknown then is the sweep's.
    """
    timings_ms = {} if timings_ms is None else timings_ms
    deadline = deadline or Deadline.after(GATE_DEADLINE_S)
    try:
        if await _send(context, call, timings_ms, then, deadline):
            return
        for pause_s in QUERY_PAUSES_S:
            if deadline.left_s() <= pause_s:
                return
            with _provider_time(timings_ms):
                await asyncio.sleep(pause_s)
                state = await _ask(context, call, deadline)
            if state not in _UNSETTLED:
                return
    except AmountMismatchError:
        # Staff must look; the attempt stays unsettled, so that nobody charges again.
        _log.exception("charge.amount_mismatch", attempt=str(call.attempt_id))
    except ProviderMissingError as error:
        # Another process can ask it: the attempt stays as it is.
        _log.warning("charge.provider_missing", attempt=str(call.attempt_id), error=str(error))


async def _ask(
    context: ParkingContext, call: NewCharge | ProviderCall, deadline: Deadline
) -> AttemptState:
    try:
        async with asyncio.timeout(deadline.left_s()):
            return await settlement.ask(context, call.operator_id, call.attempt_id)
    except TimeoutError:
        return AttemptState.UNKNOWN


async def _send(
    context: ParkingContext,
    call: NewCharge | ProviderCall,
    timings_ms: MutableMapping[str, float],
    then: Then | None,
    deadline: Deadline,
) -> bool:
    if isinstance(call, NewCharge):
        return await _charge(context, call, timings_ms, then, deadline)
    if call.errand is Errand.CLOSE:
        with _provider_time(timings_ms):
            await settlement.close(context, call.operator_id, call.attempt_id)
        return True
    with _provider_time(timings_ms):
        state = await _ask(context, call, deadline)
    return state not in _UNSETTLED


async def _charge(
    context: ParkingContext,
    call: NewCharge,
    timings_ms: MutableMapping[str, float],
    then: Then | None,
    deadline: Deadline,
) -> bool:
    if context.clock.now() - call.attempt.sent_at >= FIRST_QUERY_AFTER:
        # This process stood still, and others see to the order: they may have closed it by now.
        return True
    # The charge is stored: it is sent even where the time is up, or nobody would know of it.
    wait_s = min(call.order.deadline_s, max(deadline.left_s(), TRY_S_MIN))
    with _provider_time(timings_ms):
        result = await context.provider(call.provider).charge(
            replace(call.order, deadline_s=wait_s)
        )
    state = await settlement.settle(
        context,
        call.operator_id,
        call.attempt_id,
        result,
        rows=call.rows,
        seen=call.seen,
        then=then,
    )
    is_guaranteed = result.status == OrderStatus.ACCEPTED and result.guaranteed
    return is_guaranteed or state not in _UNSETTLED


@contextmanager
def _provider_time(timings_ms: MutableMapping[str, float]) -> Generator[None]:
    started = perf_counter()
    try:
        yield
    finally:
        spent_ms = (perf_counter() - started) * 1000
        timings_ms["charge"] = timings_ms.get("charge", 0.0) + spent_ms
