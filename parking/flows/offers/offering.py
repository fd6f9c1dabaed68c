"""Offering a space to a driver, and what the driver says to it."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from parking.drivers import consents
from parking.drivers.consent_models import ConsentKind
from parking.flows.context import ParkingContext
from parking.flows.offers import reserving
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id
from parking.occupancy import repository as spaces
from parking.offers import events, repository, terms
from parking.offers.errors import NoSpaceLeftError, OfferClosedError, OfferUnknownError
from parking.offers.models import (
    OfferState,
    Reservation,
    ReservationState,
    RightPool,
    SpaceOffer,
)
from parking.offers.schedule import Window

SOURCE_LENGTH_MAX: Final = 32
CAMPAIGN: Final = "campaign"


async def offer_space(
    unit: UnitOfWork,
    operator_id: UUID,
    pool_id: UUID,
    driver_id: UUID,
    *,
    arrives_from: datetime,
    arrives_until: datetime,
    source: str,
    source_id: UUID,
) -> UUID | None:
    """Offer a driver a space; the same source and driver have one offer, however often it is made.

    Args:
        unit: The transaction.
        operator_id: Whose pool it is.
        pool_id: The pool.
        driver_id: Who is to have it.
        arrives_from: The window begins then; not before now.
        arrives_until: The latest that the driver may arrive, before the grace of the pool.
        source: Such as CAMPAIGN, which tells the driver of it in words of its own.
        source_id: What caused it.

    Returns:
        The offer; None where there is no such pool on sale, no space left, or no consent to offers.

    Raises:
        InvalidInputError: no such window, or no such source.
    """
    if not 0 < len(source) <= SOURCE_LENGTH_MAX:
        raise InvalidInputError("source", f"1 to {SOURCE_LENGTH_MAX} characters")
    starts_at = max(arrives_from, unit.now())
    if arrives_until <= starts_at:
        raise InvalidInputError("arrives_until", "a moment after now and after arrives_from")
    if not await consents.hold(unit, driver_id, ConsentKind.MARKETING):
        return None
    offer = SpaceOffer(
        operator_id=operator_id,
        id=derive_id(source_id, f"space-offer:{source}:{pool_id}:{driver_id}"),
        place_id=pool_id,
        pool_id=pool_id,
        driver_id=driver_id,
        source=source,
        source_id=source_id,
        version=0,
        arrives_from=starts_at,
        arrives_until=arrives_until,
        ends_at=arrives_until,
        expires_at=arrives_until,
        offered_at=unit.now(),
    )
    pool = await repository.find_pool(unit, operator_id, pool_id)
    is_made = await repository.find_offer(unit, operator_id, offer.id) is not None
    if is_made or pool is None:
        return offer.id if is_made else None
    return offer.id if await _make(unit, pool, offer) else None


async def accept(
    context: ParkingContext, driver_id: UUID, operator_id: UUID, offer_id: UUID
) -> Reservation:
    """Take an offer; again returns the same reservation.

    Raises:
        OfferUnknownError: the driver was offered nothing by this id.
        OfferClosedError: it has expired, or was declined.
        NoSpaceLeftError: it held no space, and others were first; the offer stays open.
    """
    async with context.database.begin() as unit:
        offer = await _lock_own(unit, driver_id, operator_id, offer_id)
        row = await repository.lock_reservation(unit, operator_id, reservation_id_of(offer))
        if offer.state == OfferState.ACCEPTED and row is not None:
            return row
        if offer.state != OfferState.OPEN or offer.expires_at <= unit.now():
            raise OfferClosedError("offer: it is closed")
        if row is None:
            row = await _promise_now(unit, offer)
        else:
            row.state = ReservationState.CONFIRMED
            reserving.schedule(row)
            await reserving.tell_confirmed(unit, row)
        await _close(unit, offer, OfferState.ACCEPTED)
        return row


async def decline(
    context: ParkingContext, driver_id: UUID, operator_id: UUID, offer_id: UUID
) -> SpaceOffer:
    """Refuse an offer; again changes nothing.

    Raises:
        OfferUnknownError: the driver was offered nothing by this id.
        OfferClosedError: it was accepted, or has expired.
    """
    async with context.database.begin() as unit:
        offer = await _lock_own(unit, driver_id, operator_id, offer_id)
        if offer.state == OfferState.DECLINED:
            return offer
        if offer.state != OfferState.OPEN:
            raise OfferClosedError("offer: it is closed")
        await withdraw(unit, offer, OfferState.DECLINED)
        return offer


async def withdraw(unit: UnitOfWork, offer: SpaceOffer, state: OfferState) -> None:
    """Close a locked open offer without a reservation; the space that it held is anybody's."""
    row = await repository.lock_reservation(unit, offer.operator_id, reservation_id_of(offer))
    if row is not None and row.state == ReservationState.HELD:
        await reserving.end(unit, row, ReservationState.EXPIRED)
    await _close(unit, offer, state)


def reservation_id_of(offer: SpaceOffer) -> UUID:
    """Return the id of the one reservation that an offer may become."""
    return derive_id(offer.id, "reservation")


async def _lock_own(
    unit: UnitOfWork, driver_id: UUID, operator_id: UUID, offer_id: UUID
) -> SpaceOffer:
    offer = await repository.lock_offer(unit, operator_id, offer_id)
    if offer is None or offer.driver_id != driver_id:
        raise OfferUnknownError("offerId: expected an offer of yours")
    return offer


async def _promise_now(unit: UnitOfWork, offer: SpaceOffer) -> Reservation:
    pool = await repository.find_pool(unit, offer.operator_id, offer.pool_id)
    if pool is None:
        raise NoSpaceLeftError("pool: it is gone")
    pool = await reserving.lock_with_room(unit, pool, Window(offer.arrives_from, offer.ends_at))
    return await reserving.promise(unit, _reservation(pool, offer, unit.now()))


async def _make(unit: UnitOfWork, pool: RightPool, offer: SpaceOffer) -> bool:
    """Make an offer by its pool's terms, unless there is no space; returns whether it is made."""
    ends_at = offer.arrives_from + timedelta(seconds=pool.stay_s_max)
    offer.place_id = pool.place_id
    offer.ends_at = max(ends_at, offer.arrives_until)
    offer.expires_at = min(unit.now() + timedelta(seconds=pool.offer_s), offer.arrives_until)
    if not pool.is_on_sale or not await _has_room_now(unit, pool, offer):
        return False
    try:
        window = Window(offer.arrives_from, offer.ends_at)
        pool = await reserving.lock_with_room(unit, pool, window)
    except NoSpaceLeftError:
        return False
    # Another transaction may have made it while this one waited for the lock.
    if await repository.find_offer(unit, offer.operator_id, offer.id) is not None:
        return True
    if pool.holds_offers:
        held = _reservation(pool, offer, unit.now())
        held.state = ReservationState.HELD
        await reserving.promise(unit, held, needs_room=False)
    offer.version = await repository.next_version(unit, offer.driver_id)
    unit.session.add(offer)
    place = await reserving.place_words(unit, offer.operator_id, offer.place_id)
    kind = events.OFFER_CHANGED if offer.source == CAMPAIGN else events.OFFER_RECEIVED
    events.tell_offer(unit, offer, place, kind)
    await unit.session.flush()
    return True


async def _has_room_now(unit: UnitOfWork, pool: RightPool, offer: SpaceOffer) -> bool:
    """Return whether cars leave room in the area, where the window begins now."""
    if offer.arrives_from - timedelta(seconds=pool.kept_ahead_s) > unit.now():
        return True
    area = await spaces.find_pool(unit, pool.operator_id, pool.area_id)
    return area is None or area.occupied + area.kept < area.spaces


def _reservation(pool: RightPool, offer: SpaceOffer, now: datetime) -> Reservation:
    times = terms.times_of(
        pool,
        arrives_from=offer.arrives_from,
        arrives_until=offer.arrives_until,
        ends_at=offer.ends_at,
    )
    row = reserving.new_reservation(pool, times, offer.driver_id, reservation_id_of(offer), now)
    row.offer_id = offer.id
    return row


async def _close(unit: UnitOfWork, offer: SpaceOffer, state: OfferState) -> None:
    offer.state = state
    offer.decided_at = unit.now()
    offer.version = await repository.next_version(unit, offer.driver_id)
    unit.session.add(offer)
    place = await reserving.place_words(unit, offer.operator_id, offer.place_id)
    events.tell_offer(unit, offer, place, events.OFFER_CHANGED)
    await unit.session.flush()
