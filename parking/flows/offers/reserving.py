"""Promising a space, and taking the promise back."""

from datetime import datetime
from typing import Any
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.offers.keeping import shift
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.offers import events, repository, terms
from parking.offers.counting import Shift
from parking.offers.errors import (
    NoSpaceLeftError,
    ReservationClosedError,
    ReservationUnknownError,
    RightPoolUnknownError,
    TooManyReservationsError,
)
from parking.offers.models import Reservation, ReservationState, RightPool
from parking.offers.risk import show_up_limit
from parking.offers.schedule import Supply, Window, fits
from parking.offers.terms import RESERVATIONS_PER_DRIVER_MAX, Times
from parking.places import service as places

_EXPECTED = frozenset({ReservationState.HELD, ReservationState.CONFIRMED})


async def reserve(
    context: ParkingContext,
    driver_id: UUID,
    operator_id: UUID,
    pool_id: UUID,
    *,
    starts_at: datetime,
    ends_at: datetime,
) -> Reservation:
    """Promise a driver a space from a moment on; whoever comes first has the last one.

    Raises:
        RightPoolUnknownError: the operator has no such pool on sale.
        InvalidInputError: the window is not one of those that the pool has.
        TooManyReservationsError: the driver has as many as one may have.
        NoSpaceLeftError: every space is promised, or cars stand there now.
    """
    async with context.database.begin() as unit:
        pool = await repository.find_pool(unit, operator_id, pool_id)
        if pool is None or not pool.is_on_sale:
            raise RightPoolUnknownError("poolId: expected a pool that is on sale")
        starts_at = max(starts_at, unit.now()) if starts_at.tzinfo else starts_at
        terms.require_window(pool, starts_at=starts_at, ends_at=ends_at, now=unit.now())
        times = terms.times_of(
            pool, arrives_from=starts_at, arrives_until=starts_at, ends_at=ends_at
        )
        pool = await lock_with_room(unit, pool, Window(starts_at, ends_at))
        if await repository.count_of_driver(unit, pool, driver_id) >= RESERVATIONS_PER_DRIVER_MAX:
            raise TooManyReservationsError(f"at most {RESERVATIONS_PER_DRIVER_MAX} in this pool")
        row = new_reservation(pool, times, driver_id, new_id(unit.now()), unit.now())
        return await promise(unit, row)


async def cancel(
    context: ParkingContext, driver_id: UUID, operator_id: UUID, reservation_id: UUID
) -> Reservation:
    """Give a reservation back; again changes nothing.

    Raises:
        ReservationUnknownError: the driver has none with this id.
        ReservationClosedError: its deadline is over, or it has ended otherwise.
    """
    async with context.database.begin() as unit:
        row = await repository.lock_reservation(unit, operator_id, reservation_id)
        if row is None or row.driver_id != driver_id or row.state == ReservationState.HELD:
            raise ReservationUnknownError("reservationId: expected one of yours")
        if row.state == ReservationState.CANCELLED:
            return row
        is_late = unit.now() > row.cancellable_until
        if row.state != ReservationState.CONFIRMED or is_late:
            raise ReservationClosedError("reservation: too late to cancel")
        place = await place_words(unit, row.operator_id, row.place_id)
        events.tell_reservation(unit, row, place, events.RESERVATION_CANCELLED)
        await end(unit, row, ReservationState.CANCELLED)
        return row


async def lock_with_room(unit: UnitOfWork, pool: RightPool, wanted: Window) -> RightPool:
    """Lock a pool that bears one more window, and return it as it stands then.

    Raises:
        RightPoolUnknownError: it has gone meanwhile.
        NoSpaceLeftError: it does not bear it.
    """
    # Whoever comes too late learns it without waiting for the lock.
    await _require_room(unit, pool, wanted)
    locked = await repository.lock_pool(unit, pool.operator_id, pool.id)
    if locked is None:
        raise RightPoolUnknownError("poolId: expected a pool that is on sale")
    await _require_room(unit, locked, wanted)
    return locked


async def promise(unit: UnitOfWork, row: Reservation, *, needs_room: bool = True) -> Reservation:
    """Add a reservation of a locked pool that has room; what begins now is kept at once.

    Raises:
        NoSpaceLeftError: it begins now, it `needs_room`, and cars stand on the pool's spaces.
    """
    unit.session.add(row)
    if row.state == ReservationState.CONFIRMED:
        await tell_confirmed(unit, row)
    if row.kept_from <= unit.now():
        row.is_waiting = True
        schedule(row)
        await unit.session.flush()
        await shift(unit, row, Shift(waiting=1), needs_room=needs_room)
    await unit.session.flush()
    return row


async def end(unit: UnitOfWork, row: Reservation, state: ReservationState) -> None:
    """Let a locked reservation that nobody came for be over; its space is anybody's."""
    was_waiting = row.is_waiting
    row.state = state
    row.is_waiting = False
    row.ended_at = unit.now()
    schedule(row)
    unit.session.add(row)
    await unit.session.flush()
    missed = int(state == ReservationState.NO_SHOW)
    if was_waiting or missed:
        await shift(unit, row, Shift(waiting=-int(was_waiting), missed=missed))


async def end_all(unit: UnitOfWork, driver_id: UUID) -> None:
    """Give everything back that a driver has not come for: the account ends."""
    for expected in await repository.list_expected(unit, driver_id):
        row = await repository.lock_reservation(unit, expected.operator_id, expected.id)
        if row is not None and row.state in _EXPECTED:
            await end(unit, row, ReservationState.CANCELLED)


def new_reservation(
    pool: RightPool, times: Times, driver_id: UUID, reservation_id: UUID, now: datetime
) -> Reservation:
    """Return a confirmed reservation that is not stored yet."""
    row = Reservation(
        operator_id=pool.operator_id,
        id=reservation_id,
        place_id=pool.place_id,
        area_id=pool.area_id,
        pool_id=pool.id,
        driver_id=driver_id,
        state=ReservationState.CONFIRMED,
        starts_at=times.starts_at,
        ends_at=times.ends_at,
        kept_from=times.kept_from,
        kept_until=times.kept_until,
        cancellable_until=times.cancellable_until,
        created_at=now,
    )
    schedule(row)
    return row


def schedule(row: Reservation) -> None:
    """Say when a reservation's next step is."""
    if row.state in _EXPECTED and not row.is_waiting:
        row.due_at = row.kept_from
    elif row.state == ReservationState.CONFIRMED:
        row.due_at = row.kept_until
    elif row.state == ReservationState.ARRIVED:
        row.due_at = row.ends_at
    else:
        row.due_at = None


async def tell_confirmed(unit: UnitOfWork, row: Reservation) -> None:
    """Append the event that a space is promised."""
    place = await place_words(unit, row.operator_id, row.place_id)
    events.tell_reservation(unit, row, place, events.RESERVATION_CONFIRMED)


async def place_words(unit: UnitOfWork, operator_id: UUID, place_id: UUID) -> dict[str, Any]:
    """Return what an event says of a place."""
    place = await places.require_place(unit, operator_id, place_id)
    return {"place_name": place.name, "timezone": place.timezone}


async def _require_room(unit: UnitOfWork, pool: RightPool, wanted: Window) -> None:
    supply = Supply(pool.spaces, show_up_limit(pool.shown, pool.missed), pool.risk_basis_points)
    taken = await repository.taken_windows(unit, pool, wanted)
    # What was not read may be what it does not fit with.
    is_cut = len(taken) >= repository.WINDOWS_READ_MAX
    if is_cut or not fits(taken, wanted, supply):
        raise NoSpaceLeftError("pool: every space is promised then")
