"""What happens to offers and reservations, as others are told of it."""

from typing import Any, Final
from uuid import UUID

from parking.events import outbox
from parking.events.envelope import Event
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.offers.models import Reservation, SpaceOffer

OFFER_RECEIVED: Final = "SpaceOfferReceived"
OFFER_CHANGED: Final = "SpaceOfferChanged"
RESERVATION_CONFIRMED: Final = "ReservationConfirmed"
RESERVATION_UPCOMING: Final = "ReservationUpcoming"
RESERVATION_CANCELLED: Final = "ReservationCancelled"
RESERVATION_MISSED: Final = "ReservationMissed"
RESERVATION_OVERSTAYED: Final = "ReservationOverstayed"
RESERVATION_FAILED: Final = "ReservationFailed"
OFFER_NEWS: Final = frozenset({OFFER_RECEIVED, OFFER_CHANGED})


def tell_offer(unit: UnitOfWork, offer: SpaceOffer, place: dict[str, Any], kind: str) -> None:
    """Append an event of an offer whose version went up.

    Args:
        unit: The transaction that holds the offer's lock.
        offer: The offer.
        place: `place_name` and `timezone`.
        kind: What happened.
    """
    payload = {
        "driver_id": str(offer.driver_id),
        "starts_at": offer.arrives_from.isoformat(),
        "expires_at": offer.expires_at.isoformat(),
        **place,
    }
    _append(unit, offer.operator_id, offer.id, offer.version, kind, payload)


def tell_reservation(
    unit: UnitOfWork,
    row: Reservation,
    place: dict[str, Any],
    kind: str,
    more: dict[str, Any] | None = None,
) -> None:
    """Append an event of a locked reservation, whose version goes up."""
    row.version += 1
    unit.session.add(row)
    payload = {
        "driver_id": None if row.driver_id is None else str(row.driver_id),
        "starts_at": row.starts_at.isoformat(),
        "kept_until": row.kept_until.isoformat(),
        "ends_at": row.ends_at.isoformat(),
        **place,
        **(more or {}),
    }
    _append(unit, row.operator_id, row.id, row.version, kind, payload)


def _append(
    unit: UnitOfWork,
    operator_id: UUID,
    subject_id: UUID,
    version: int,
    kind: str,
    payload: dict[str, Any],
) -> None:
    outbox.append(
        unit,
        Event(
            id=new_id(unit.now()),
            type=kind,
            owner_id=operator_id,
            subject_id=subject_id,
            occurred_at=unit.now(),
            version=version,
            payload=payload,
        ),
    )
