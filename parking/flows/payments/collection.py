"""Collecting what is owed after departure: by the driver's mandates, bank debits included."""

import asyncio
from collections import defaultdict
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.payments import charging, cross_place, debts, deductions
from parking.flows.payments.cross_place import Debt, PaidHow
from parking.kit.errors import ParkingError
from parking.payments import owing, repository
from parking.payments import service as payments
from parking.payments.credit_models import OwedBill
from parking.payments.errors import (
    BillUnknownError,
    PartnershipUnknownError,
    PaymentUnavailableError,
)
from parking.plates import service as plates
from parking.sessions import service as sessions

SWEEP_LEASE: Final = timedelta(minutes=5)
# Of a driver without a mandate there is nothing to collect; one may come.
LOOK_AGAIN_AFTER: Final = timedelta(days=1)
DRIVERS_AT_ONCE_MAX: Final = 5

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def sweep(context: ParkingContext) -> int:
    """Collect every owed bill whose time has come, each driver's oldest first; returns how many."""
    async with context.database.begin() as unit:
        due = await owing.take_due(unit, SWEEP_LEASE)
    by_driver: dict[UUID | None, list[OwedBill]] = defaultdict(list)
    for listed in due:
        by_driver[listed.driver_id].append(listed)
    queues = list(by_driver.values())
    for start in range(0, len(queues), DRIVERS_AT_ONCE_MAX):
        await asyncio.gather(
            *(_collect_all(context, queue) for queue in queues[start : start + DRIVERS_AT_ONCE_MAX])
        )
    return len(due)


async def _collect_all(context: ParkingContext, queue: list[OwedBill]) -> None:
    for listed in queue:
        try:
            await collect(context, listed)
        except ParkingError as error:
            # One bill that needs staff must not keep the others waiting: its lease ends.
            _log.warning("collection.failed", bill=str(listed.id), error=repr(error))


async def collect(context: ParkingContext, listed: OwedBill) -> None:
    """Charge one owed bill to its driver's mandates, one after the other until one pays.

    While staff check whose the plate is, nothing is taken for it by itself.
    """
    async with context.database.begin() as unit:
        is_paused = await plates.is_paused(unit, listed.plate_index)
    if is_paused:
        await _conclude(context, listed, was_tried=False)
        return
    if listed.collector_id is not None and listed.collector_place_id is not None:
        debt = Debt(
            owner_id=listed.operator_id,
            bill_id=listed.id,
            collector_id=listed.collector_id,
            place_id=listed.collector_place_id,
            by=deductions.SWEEP,
        )
        try:
            paid = await cross_place.by_mandate(context, debt, is_waited_for=False)
        except (BillUnknownError, PartnershipUnknownError, PaymentUnavailableError) as error:
            # Partners no more, or no such money there: then its owner collects it, as before.
            _log.info("collection.not_there", bill=str(listed.id), error=repr(error))
            async with context.database.begin() as unit:
                await owing.take_from_partner(unit, listed)
        else:
            if paid.status == PaidHow.REFUSED:
                await _conclude(context, listed, was_tried=True)
            return
    attempt = await charging.charge_bill(
        context, listed.operator_id, listed.id, is_waited_for=False
    )
    if attempt is None:
        await _conclude(context, listed, was_tried=False)
    else:
        await _conclude(context, listed, was_tried=True)


async def _conclude(context: ParkingContext, tried: OwedBill, *, was_tried: bool) -> None:
    """Count a try that was refused, or wait for one that takes its time."""
    async with context.database.begin() as unit:
        session = await sessions.lock_session(unit, tried.operator_id, tried.session_id)
        bill = await repository.lock_bill(unit, tried.operator_id, tried.id)
        listed = await owing.find(unit, tried.operator_id, tried.id)
        if session is None or bill is None or listed is None or listed.tries != tried.tries:
            return
        if bill.live_attempt_id is not None:
            listed.awaited_attempt_id, listed.next_try_at = bill.live_attempt_id, None
        elif bill.attempts >= payments.ATTEMPTS_PER_BILL_MAX:
            listed.next_try_at = None
        elif not was_tried:
            listed.next_try_at = unit.now() + LOOK_AGAIN_AFTER
        elif bill.claim_id is None:
            await debts.count_try(unit, session, listed)
