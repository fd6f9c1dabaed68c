"""Sending a stored attempt to its provider, outside every transaction, and hearing it out."""

import asyncio
from collections.abc import Sequence

import structlog

from parking.flows import settlement
from parking.flows.context import ParkingContext
from parking.flows.step import Charge
from parking.payments import repository
from parking.payments.models import AttemptState
from parking.payments.port import OrderStatus
from parking.payments.service import AmountMismatchError

# A driver at a closed gate waits for the provider this long before the display offers the QR code.
CHARGE_DEADLINE_S = 4.0
# An unknown outcome is asked about at once, this often, before the janitor takes over.
QUERY_PAUSES_S: Sequence[float] = (0.3, 0.7, 1.5)

_UNSETTLED = frozenset({AttemptState.SENT, AttemptState.ACCEPTED, AttemptState.UNKNOWN})
_log = structlog.get_logger()


async def charge(context: ParkingContext, step: Charge) -> None:
    """Charge a new attempt, or ask about an old one; what came of it is stored."""
    try:
        if await _send(context, step):
            return
        for pause_s in QUERY_PAUSES_S:
            await asyncio.sleep(pause_s)
            state = await settlement.ask(context, step.operator_id, step.attempt_id)
            if state not in _UNSETTLED:
                return
    except AmountMismatchError:
        # Staff must look; the attempt stays unsettled, so that nobody charges again.
        _log.exception("charge.amount_mismatch", attempt=str(step.attempt_id))


async def _send(context: ParkingContext, step: Charge) -> bool:
    if not step.is_new:
        state = await settlement.ask(context, step.operator_id, step.attempt_id)
        return state not in _UNSETTLED
    async with context.database.begin() as unit:
        attempt = await repository.find_attempt(unit, step.operator_id, step.attempt_id)
    if attempt is None:
        return True
    order = await settlement.charge_order(context, attempt, CHARGE_DEADLINE_S)
    result = await context.provider(attempt.provider).charge(order)
    state = await settlement.settle(context, step.operator_id, step.attempt_id, result)
    is_guaranteed = result.status == OrderStatus.ACCEPTED and result.guaranteed
    return is_guaranteed or state not in _UNSETTLED
