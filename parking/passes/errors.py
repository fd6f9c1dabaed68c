"""Refusals about passes."""

from parking.kit.errors import ParkingError


class PassProductUnknownError(ParkingError):
    """No such product, or not this operator's: the two are not told apart."""

    code = "PASS_PRODUCT_UNKNOWN"


class PassUnknownError(ParkingError):
    """No such pass, or not this driver's or operator's: the two are not told apart."""

    code = "PASS_UNKNOWN"


class PassNotOnSaleError(ParkingError):
    """The product is withdrawn, or no period of it may begin on that day."""

    code = "PASS_NOT_ON_SALE"


class PassSoldOutError(ParkingError):
    """As many are held as there are; one may become free again."""

    code = "PASS_SOLD_OUT"


class PassLimitReachedError(ParkingError):
    """The driver holds as many passes as one may hold."""

    code = "PASS_LIMIT_REACHED"


class PassMandateMissingError(ParkingError):
    """The driver has no password-free authorization that may be charged the price."""

    code = "PASS_MANDATE_MISSING"


class PassPlateUnknownError(ParkingError):
    """The plate is not bound to this driver; another driver's plate answers the same."""

    code = "PASS_PLATE_UNKNOWN"


class PassPlatesExhaustedError(ParkingError):
    """The pass has as many plates as it may have."""

    code = "PASS_PLATES_EXHAUSTED"


class PassTransfersExhaustedError(ParkingError):
    """The pass's plates were changed too often in this month."""

    code = "PASS_TRANSFERS_EXHAUSTED"


class PassEndedError(ParkingError):
    """The pass is not valid any more, or never became so."""

    code = "PASS_ENDED"


class PassRequestReusedError(ParkingError):
    """The idempotency key belongs to another purchase."""

    code = "PASS_REQUEST_REUSED"


class PassPriceChangedError(ParkingError):
    """The price is another one than the app showed; nothing was charged."""

    code = "PASS_PRICE_CHANGED"
