"""Refusals about reviews."""

from parking.kit.errors import ParkingError


class ReviewUnknownError(ParkingError):
    """The operator has no such review."""

    code = "REVIEW_UNKNOWN"


class ReviewClosedError(ParkingError):
    """Somebody closed it before."""

    code = "REVIEW_CLOSED"


class ReviewClaimedError(ParkingError):
    """Somebody else is at it."""

    code = "REVIEW_CLAIMED"


class CorrectionRefusedError(ParkingError):
    """The correction cannot be made here; the message says what can be."""

    code = "REVIEW_CORRECTION_REFUSED"
