"""Refusals about coupons."""

from parking.kit.errors import ParkingError


class CouponCodeUnknownError(ParkingError):
    """No such code, or one that gives nothing any more: the two are not told apart."""

    code = "COUPON_CODE_UNKNOWN"


class CouponTriesExceededError(ParkingError):
    """The driver tried too many codes that do not exist; tomorrow there are new tries."""

    code = "COUPON_TRIES_EXCEEDED"


class CouponExhaustedError(ParkingError):
    """As many are held as there are; one may become free again."""

    code = "COUPON_EXHAUSTED"


class CouponLimitReachedError(ParkingError):
    """The driver has had as many of this coupon as one driver may have."""

    code = "COUPON_LIMIT_REACHED"


class CouponUnknownError(ParkingError):
    """No such coupon, or not this driver's or operator's: the two are not told apart."""

    code = "COUPON_UNKNOWN"


class CouponNotUsableError(ParkingError):
    """The coupon is used or over, counts for another stay, or not at this place."""

    code = "COUPON_NOT_USABLE"
