"""What is refused about differences."""

from parking.kit.errors import ParkingError


class DifferenceUnknownError(ParkingError):
    """The operator has no such difference."""

    code = "DIFFERENCE_UNKNOWN"


class DifferenceClosedError(ParkingError):
    """Somebody else was first, or a later run did not find it any more."""

    code = "DIFFERENCE_CLOSED"
