"""Offers and reservations as their driver and the operator's staff see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.offers import repository
from parking.offers.models import Reservation, SpaceOffer
from parking.places import repository as places
from parking.places.models import Place


@dataclass(frozen=True, slots=True)
class PlaceWords:
    """What is said of a place."""

    name: str
    timezone: str


@dataclass(frozen=True, slots=True)
class OfferView:
    """An offer, and where it is."""

    row: SpaceOffer
    place: PlaceWords


@dataclass(frozen=True, slots=True)
class ReservationView:
    """A reservation, and where it is.

    Attributes:
        alternative: Named where there was no space; None where none was named.
    """

    row: Reservation
    place: PlaceWords
    alternative: PlaceWords | None


@dataclass(frozen=True, slots=True)
class OffersSeen:
    """A driver's offers at the moment of reading.

    Attributes:
        version: Of the driver's book; what happened later is not known yet.
        changed: What anything happened to after the version that was asked for, or the open ones.
    """

    version: int
    changed: Sequence[OfferView]

    @property
    def is_cut(self) -> bool:
        """Whether more changed than was read."""
        return len(self.changed) >= repository.CHANGES_READ_MAX


async def look(context: ParkingContext, driver_id: UUID, after: int | None) -> OffersSeen:
    """Return what happened to a driver's offers after a version; the open ones without it."""
    async with context.database.begin() as unit:
        # Before the offers: one that changes meanwhile must not be counted as known.
        version = await repository.find_book(unit, driver_id)
        if after is None or after > version:
            rows = await repository.list_open_offers(unit, driver_id)
        else:
            rows = await repository.changed_offers(unit, driver_id, after)
        return OffersSeen(version, await _offers(unit, rows))


async def page_of_offers(
    context: ParkingContext, driver_id: UUID, *, first: int, before: UUID | None
) -> list[OfferView]:
    """Return a page of a driver's offers, newest first."""
    async with context.database.begin() as unit:
        rows = await repository.page_of_offers(unit, driver_id, first=first, before=before)
        return await _offers(unit, rows)


async def page_of_reservations(
    context: ParkingContext, driver_id: UUID, *, first: int, before: UUID | None
) -> list[ReservationView]:
    """Return a page of a driver's reservations, newest first."""
    async with context.database.begin() as unit:
        rows = await repository.page_of_reservations(unit, driver_id, first=first, before=before)
        return await _reservations(unit, rows)


async def find_offer(
    context: ParkingContext, driver_id: UUID, operator_id: UUID, offer_id: UUID
) -> OfferView | None:
    """Return a driver's offer; None for anybody else's."""
    async with context.database.begin() as unit:
        row = await repository.find_offer(unit, operator_id, offer_id)
        if row is None or row.driver_id != driver_id:
            return None
        return (await _offers(unit, [row]))[0]


async def find_reservation(
    context: ParkingContext, driver_id: UUID, operator_id: UUID, reservation_id: UUID
) -> ReservationView | None:
    """Return a driver's reservation; None for anybody else's."""
    async with context.database.begin() as unit:
        row = await repository.find_reservation(unit, operator_id, reservation_id)
        if row is None or row.driver_id != driver_id:
            return None
        return (await _reservations(unit, [row]))[0]


async def _offers(unit: UnitOfWork, rows: Sequence[SpaceOffer]) -> list[OfferView]:
    words = await _words(unit, {(row.operator_id, row.place_id) for row in rows})
    return [OfferView(row, words[row.operator_id, row.place_id]) for row in rows]


async def _reservations(unit: UnitOfWork, rows: Sequence[Reservation]) -> list[ReservationView]:
    keys = {(row.operator_id, row.place_id) for row in rows}
    others = {
        (row.operator_id, row.alternative_id) for row in rows if row.alternative_id is not None
    }
    words = await _words(unit, keys | others)
    return [
        ReservationView(
            row,
            words[row.operator_id, row.place_id],
            None
            if row.alternative_id is None
            else words.get((row.operator_id, row.alternative_id)),
        )
        for row in rows
    ]


async def _words(
    unit: UnitOfWork, keys: set[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], PlaceWords]:
    found: Sequence[Place] = list((await places.find_places(unit, keys)).values()) if keys else []
    return {
        (place.operator_id, place.id): PlaceWords(place.name, place.timezone) for place in found
    }
