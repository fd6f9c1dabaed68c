"""Refusals about merchants."""

from parking.kit.errors import ParkingError


class MerchantUnknownError(ParkingError):
    """No such merchant, or not this operator's: the two are not told apart."""

    code = "MERCHANT_UNKNOWN"


class MerchantKeyRefusedError(ParkingError):
    """The key is of no merchant that is enabled: it was mistyped, rotated or disabled."""

    code = "MERCHANT_KEY_REFUSED"


class MerchantDisabledError(ParkingError):
    """The merchant validates nothing any more."""

    code = "MERCHANT_DISABLED"


class MerchantBudgetSpentError(ParkingError):
    """What is left of the month's or the whole budget does not pay one more validation."""

    code = "MERCHANT_BUDGET_SPENT"
