"""Refusals about stays."""

from parking.kit.errors import ParkingError


class SessionUnknownError(ParkingError):
    """No such session, or not this driver's: the two are not told apart."""

    code = "SESSION_UNKNOWN"


class StayOverError(ParkingError):
    """The vehicle has left: what it paid for is not changed by a coupon any more."""

    code = "STAY_OVER"

    def __init__(self) -> None:
        super().__init__("the stay is over; staff may correct its bill")


class StayPaidError(ParkingError):
    """Everything due is paid: a coupon would have nothing to take off."""

    code = "STAY_PAID"

    def __init__(self) -> None:
        super().__init__("the stay is paid; validate it before the driver pays")
