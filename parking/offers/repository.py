"""Every query about pools, offers and reservations, but those that count: see `counting`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.locks import lock
from parking.offers.models import (
    OfferBook,
    OfferState,
    Reservation,
    ReservationState,
    RightPool,
    SpaceOffer,
)
from parking.offers.schedule import Window
from parking.offers.terms import MISSED_COUNTS

# Of an operator: all of them are read at once.
POOLS_MAX: Final = 500
WINDOWS_READ_MAX: Final = 10_000
OPEN_OFFERS_MAX: Final = 50
CHANGES_READ_MAX: Final = 200
DUE_MAX: Final = 100
# Whoever stands longer than the window may stand for ever.
_OPEN_END: Final = timedelta(days=3650)
TAKING: Final = (
    ReservationState.HELD,
    ReservationState.CONFIRMED,
    ReservationState.ARRIVED,
    ReservationState.OVERSTAYED,
)

_NEXT_VERSION: Final = text("""
    INSERT INTO offer_books AS book (driver_id, last_version) VALUES (:driver_id, 1)
    ON CONFLICT (driver_id) DO UPDATE SET last_version = book.last_version + 1
    RETURNING last_version
""")
# Any number of workers may take the same ones: each is looked at again under its lock.
_DUE_RESERVATIONS: Final = text("""
    SELECT operator_id, id FROM reservations WHERE due_at <= :now
    ORDER BY due_at LIMIT :rows
""")
_DUE_OFFERS: Final = text("""
    SELECT operator_id, id FROM space_offers WHERE state = 'open' AND expires_at <= :now
    ORDER BY expires_at LIMIT :rows
""")


async def find_pool(unit: UnitOfWork, operator_id: UUID, pool_id: UUID) -> RightPool | None:
    """Return a pool as it stands now."""
    return await unit.session.get(RightPool, (operator_id, pool_id), populate_existing=True)


async def lock_pool(unit: UnitOfWork, operator_id: UUID, pool_id: UUID) -> RightPool | None:
    """Lock a pool: whoever promises one of its spaces is alone."""
    return await lock(unit, RightPool, operator_id=operator_id, id=pool_id)


async def list_pools(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID | None = None
) -> Sequence[RightPool]:
    """Return an operator's pools, or those of a place, in a stable order."""
    statement = (
        select(RightPool)
        .where(col(RightPool.operator_id) == operator_id)
        .order_by(col(RightPool.place_id), col(RightPool.area_id), col(RightPool.name))
        .limit(POOLS_MAX)
    )
    if place_id is not None:
        statement = statement.where(col(RightPool.place_id) == place_id)
    return (await unit.session.exec(statement)).all()


async def count_pools(unit: UnitOfWork, operator_id: UUID) -> int:
    """Return how many pools an operator has."""
    statement = select(func.count()).where(col(RightPool.operator_id) == operator_id)
    return (await unit.session.exec(statement)).one()


async def sum_spaces(
    unit: UnitOfWork, operator_id: UUID, area_id: UUID, but: UUID | None = None
) -> int:
    """Return how many spaces of an area are in pools, but for one of them."""
    statement = select(func.coalesce(func.sum(RightPool.spaces), 0)).where(
        col(RightPool.operator_id) == operator_id, col(RightPool.area_id) == area_id
    )
    if but is not None:
        statement = statement.where(col(RightPool.id) != but)
    return int((await unit.session.exec(statement)).one())


async def taken_windows(unit: UnitOfWork, pool: RightPool, wanted: Window) -> list[Window]:
    """Return what is promised of a locked pool in a window."""
    statement = (
        select(Reservation.starts_at, Reservation.ends_at, Reservation.state)
        .where(col(Reservation.operator_id) == pool.operator_id)
        .where(col(Reservation.pool_id) == pool.id)
        .where(col(Reservation.state).in_(TAKING))
        .where(col(Reservation.starts_at) < wanted.ends_at)
        .where(
            (col(Reservation.ends_at) > wanted.starts_at)
            | (col(Reservation.state) == ReservationState.OVERSTAYED)
        )
        .limit(WINDOWS_READ_MAX)
    )
    return [
        Window(
            starts_at,
            ends_at + _OPEN_END if state == ReservationState.OVERSTAYED else ends_at,
            state in {ReservationState.ARRIVED, ReservationState.OVERSTAYED},
        )
        for starts_at, ends_at, state in await unit.session.exec(statement)
    ]


async def count_of_driver(unit: UnitOfWork, pool: RightPool, driver_id: UUID) -> int:
    """Return how many reservations of a locked pool a driver has, or missed not long ago."""
    is_missed = (col(Reservation.state) == ReservationState.NO_SHOW) & (
        col(Reservation.ended_at) > unit.now() - MISSED_COUNTS
    )
    statement = (
        select(func.count())
        .select_from(Reservation)
        .where(col(Reservation.driver_id) == driver_id)
        .where(col(Reservation.operator_id) == pool.operator_id)
        .where(col(Reservation.pool_id) == pool.id)
        .where(col(Reservation.state).in_(TAKING) | is_missed)
    )
    return (await unit.session.exec(statement)).one()


async def next_version(unit: UnitOfWork, driver_id: UUID) -> int:
    """Count what happens to a driver's offers; the driver's book is locked until the commit."""
    return int((await unit.run(_NEXT_VERSION, {"driver_id": driver_id})).scalar_one())


async def find_book(unit: UnitOfWork, driver_id: UUID) -> int:
    """Return how often anything happened to a driver's offers."""
    book = await unit.session.get(OfferBook, driver_id, populate_existing=True)
    return 0 if book is None else book.last_version


async def lock_offer(unit: UnitOfWork, operator_id: UUID, offer_id: UUID) -> SpaceOffer | None:
    """Lock an offer."""
    return await lock(unit, SpaceOffer, operator_id=operator_id, id=offer_id)


async def find_offer(unit: UnitOfWork, operator_id: UUID, offer_id: UUID) -> SpaceOffer | None:
    """Return an offer."""
    return await unit.session.get(SpaceOffer, (operator_id, offer_id))


async def list_open_offers(unit: UnitOfWork, driver_id: UUID) -> Sequence[SpaceOffer]:
    """Return a driver's open offers, the one that expires first at the head."""
    statement = (
        select(SpaceOffer)
        .where(col(SpaceOffer.driver_id) == driver_id)
        .where(col(SpaceOffer.state) == OfferState.OPEN, col(SpaceOffer.expires_at) > unit.now())
        .order_by(col(SpaceOffer.expires_at), col(SpaceOffer.id))
        .limit(OPEN_OFFERS_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def changed_offers(unit: UnitOfWork, driver_id: UUID, after: int) -> Sequence[SpaceOffer]:
    """Return the offers that anything happened to after a version, oldest change first."""
    statement = (
        select(SpaceOffer)
        .where(col(SpaceOffer.driver_id) == driver_id, col(SpaceOffer.version) > after)
        .order_by(col(SpaceOffer.version))
        .limit(CHANGES_READ_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def page_of_offers(
    unit: UnitOfWork, driver_id: UUID, *, first: int, before: UUID | None
) -> Sequence[SpaceOffer]:
    """Return a driver's offers, newest first."""
    statement = (
        select(SpaceOffer)
        .where(col(SpaceOffer.driver_id) == driver_id)
        .order_by(col(SpaceOffer.id).desc())
        .limit(first)
    )
    if before is not None:
        statement = statement.where(col(SpaceOffer.id) < before)
    return (await unit.session.exec(statement)).all()


async def page_of_reservations(
    unit: UnitOfWork, driver_id: UUID, *, first: int, before: UUID | None
) -> Sequence[Reservation]:
    """Return a driver's reservations, newest first."""
    statement = (
        select(Reservation)
        .where(col(Reservation.driver_id) == driver_id)
        .order_by(col(Reservation.id).desc())
        .limit(first)
    )
    if before is not None:
        statement = statement.where(col(Reservation.id) < before)
    return (await unit.session.exec(statement)).all()


async def pool_offers(
    unit: UnitOfWork, operator_id: UUID, pool_id: UUID, *, first: int, before: UUID | None
) -> Sequence[SpaceOffer]:
    """Return the offers of a pool's spaces, newest first."""
    statement = (
        select(SpaceOffer)
        .where(col(SpaceOffer.operator_id) == operator_id, col(SpaceOffer.pool_id) == pool_id)
        .order_by(col(SpaceOffer.id).desc())
        .limit(first)
    )
    if before is not None:
        statement = statement.where(col(SpaceOffer.id) < before)
    return (await unit.session.exec(statement)).all()


async def pool_reservations(
    unit: UnitOfWork, operator_id: UUID, pool_id: UUID, *, first: int, before: UUID | None
) -> Sequence[Reservation]:
    """Return a pool's reservations, newest first."""
    statement = (
        select(Reservation)
        .where(col(Reservation.operator_id) == operator_id, col(Reservation.pool_id) == pool_id)
        .order_by(col(Reservation.id).desc())
        .limit(first)
    )
    if before is not None:
        statement = statement.where(col(Reservation.id) < before)
    return (await unit.session.exec(statement)).all()


async def lock_reservation(
    unit: UnitOfWork, operator_id: UUID, reservation_id: UUID
) -> Reservation | None:
    """Lock a reservation."""
    return await lock(unit, Reservation, operator_id=operator_id, id=reservation_id)


async def find_reservation(
    unit: UnitOfWork, operator_id: UUID, reservation_id: UUID
) -> Reservation | None:
    """Return a reservation as it stands now."""
    return await unit.session.get(
        Reservation, (operator_id, reservation_id), populate_existing=True
    )


async def list_expected(unit: UnitOfWork, driver_id: UUID) -> Sequence[Reservation]:
    """Return a driver's reservations that nobody has come for yet."""
    expected = (ReservationState.HELD, ReservationState.CONFIRMED)
    statement = (
        select(Reservation)
        .where(col(Reservation.driver_id) == driver_id, col(Reservation.state).in_(expected))
        .order_by(col(Reservation.operator_id), col(Reservation.id))
        .limit(WINDOWS_READ_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def due_reservations(unit: UnitOfWork) -> list[tuple[UUID, UUID]]:
    """Return reservations whose next step has come."""
    found = await unit.run(_DUE_RESERVATIONS, {"now": unit.now(), "rows": DUE_MAX})
    return [(row.operator_id, row.id) for row in found]


async def due_offers(unit: UnitOfWork) -> list[tuple[UUID, UUID]]:
    """Return open offers whose time is over."""
    found = await unit.run(_DUE_OFFERS, {"now": unit.now(), "rows": DUE_MAX})
    return [(row.operator_id, row.id) for row in found]
