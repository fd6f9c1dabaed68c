"""Refusals about stays."""

from parking.kit.errors import ParkingError


class SessionUnknownError(ParkingError):
    """No such session, or not this driver's: the two are not told apart."""

    code = "SESSION_UNKNOWN"
