"""What happens to offers and reservations by themselves: kept, missed, overstayed, made up for.

Only what is due is read. Any number of workers may do it at once, and one that dies loses nothing:
each step is one transaction, under the lock of what it changes.
"""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Final
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.offers import expecting, guarantee, offering, reserving
from parking.flows.offers.keeping import shift
from parking.kit.database import UnitOfWork
from parking.kit.errors import ParkingError
from parking.offers import events, repository
from parking.offers.counting import Shift
from parking.offers.models import OfferState, Reservation, ReservationState

SWEEP_S_MAX: Final = 20.0
Step = Callable[[UnitOfWork, UUID, UUID], Awaitable[None]]
_EXPECTED: Final = frozenset({ReservationState.HELD, ReservationState.CONFIRMED})

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def sweep(context: ParkingContext) -> int:
    """Do the next step of everything whose time has come; returns how much that was."""
    started, done = perf_counter(), 0
    while True:
        async with context.database.begin() as unit:
            offers = await repository.due_offers(unit)
            reservations = await repository.due_reservations(unit)
        for operator_id, offer_id in offers:
            await _try(context, expire, operator_id, offer_id)
        for operator_id, reservation_id in reservations:
            await _try(context, advance, operator_id, reservation_id)
        done += len(offers) + len(reservations)
        is_all = max(len(offers), len(reservations)) < repository.DUE_MAX
        if is_all or perf_counter() - started > SWEEP_S_MAX:
            return done


async def expire(unit: UnitOfWork, operator_id: UUID, offer_id: UUID) -> None:
    """Close an offer whose time is over."""
    offer = await repository.lock_offer(unit, operator_id, offer_id)
    if offer is not None and offer.state == OfferState.OPEN and offer.expires_at <= unit.now():
        await offering.withdraw(unit, offer, OfferState.EXPIRED)


async def advance(unit: UnitOfWork, operator_id: UUID, reservation_id: UUID) -> None:
    """Do a reservation's next step; nothing where its time has not come."""
    row = await repository.lock_reservation(unit, operator_id, reservation_id)
    if row is None or row.due_at is None or row.due_at > unit.now():
        return
    if row.state == ReservationState.FAILED:
        await guarantee.make_up(unit, row)
    elif row.state == ReservationState.ARRIVED:
        await _tell(unit, row, events.RESERVATION_OVERSTAYED)
        row.state = ReservationState.OVERSTAYED
        reserving.schedule(row)
    elif row.state == ReservationState.CONFIRMED and row.kept_until <= unit.now():
        await _give_up(unit, row)
    elif row.state in _EXPECTED and not row.is_waiting:
        await _keep(unit, row)
    else:
        reserving.schedule(row)


async def _keep(unit: UnitOfWork, row: Reservation) -> None:
    """Let the gates keep a space from now on, and remind the driver of it."""
    if row.state == ReservationState.CONFIRMED:
        await _tell(unit, row, events.RESERVATION_UPCOMING)
    row.is_waiting = True
    reserving.schedule(row)
    unit.session.add(row)
    await unit.session.flush()
    await shift(unit, row, Shift(waiting=1))


async def _give_up(unit: UnitOfWork, row: Reservation) -> None:
    """Let a space that nobody came for be anybody's, unless its driver came before it was kept."""
    early = await expecting.tie_early_stay(unit, row)
    if early is None:
        await _tell(unit, row, events.RESERVATION_MISSED)
        await reserving.end(unit, row, ReservationState.NO_SHOW)
        return
    change = Shift(waiting=-int(row.is_waiting), standing=1, shown=1)
    row.state = ReservationState.ARRIVED
    row.version += 1
    row.session_id, row.arrived_at = early.session_id, early.entered_at
    row.is_waiting = False
    reserving.schedule(row)
    unit.session.add(row)
    await unit.session.flush()
    await shift(unit, row, change)


async def _tell(unit: UnitOfWork, row: Reservation, kind: str) -> None:
    place = await reserving.place_words(unit, row.operator_id, row.place_id)
    events.tell_reservation(unit, row, place, kind)


async def _try(context: ParkingContext, step: Step, operator_id: UUID, key: UUID) -> None:
    try:
        async with context.database.begin() as unit:
            await step(unit, operator_id, key)
    except ParkingError as error:
        # One that needs somebody must not keep the others waiting.
        _log.warning("offers.step_failed", key=str(key), error=repr(error))
