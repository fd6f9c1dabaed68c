"""Refusals about offers and reservations."""

from parking.kit.errors import ParkingError


class RightPoolUnknownError(ParkingError):
    """The operator has no such pool, or it is not on sale."""

    code = "RIGHT_POOL_UNKNOWN"


class OfferUnknownError(ParkingError):
    """The driver was offered nothing by this id."""

    code = "OFFER_UNKNOWN"


class OfferClosedError(ParkingError):
    """The offer has expired, or was answered otherwise before."""

    code = "OFFER_CLOSED"


class ReservationUnknownError(ParkingError):
    """The driver has no such reservation."""

    code = "RESERVATION_UNKNOWN"


class ReservationClosedError(ParkingError):
    """The reservation cannot be cancelled any more: its deadline is over, or it has ended."""

    code = "RESERVATION_CLOSED"


class NoSpaceLeftError(ParkingError):
    """Every space of the pool is promised to others in this window."""

    code = "NO_SPACE_LEFT"


class TooManyReservationsError(ParkingError):
    """The driver has as many reservations in this pool as one may have."""

    code = "TOO_MANY_RESERVATIONS"
