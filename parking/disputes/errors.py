"""Refusals about disputes."""

from parking.kit.errors import ParkingError


class DisputeUnknownError(ParkingError):
    """No such dispute, or not one of this driver's or this operator's: they are not told apart."""

    code = "DISPUTE_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("dispute: expected one of yours")


class DisputeTooLateError(ParkingError):
    """The bill is too old to be disputed here."""

    code = "DISPUTE_TOO_LATE"

    def __init__(self, days: int) -> None:
        super().__init__(f"bill: expected one of the last {days} days")


class DisputeNotPossibleError(ParkingError):
    """This bill cannot be disputed here."""

    code = "DISPUTE_NOT_POSSIBLE"


class DisputeDecidedError(ParkingError):
    """Somebody has decided, or is deciding: the first decision stands."""

    code = "DISPUTE_DECIDED"

    def __init__(self) -> None:
        super().__init__("dispute: expected an open one; somebody else decided first")


class DisputesTooManyError(ParkingError):
    """The driver has opened too many lately."""

    code = "DISPUTES_TOO_MANY"
    retryable = True

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"disputes: try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class DisputeTooEarlyError(ParkingError):
    """The stay has not ended: the car may stand at a gate, where giving up its bill opens it."""

    code = "DISPUTE_TOO_EARLY"
    retryable = True

    def __init__(self) -> None:
        super().__init__("bill: expected one of a stay that has ended")
