"""Why a plate is not bound. No message says whether anybody else has the plate."""

from parking.kit.errors import ParkingError


class ClaimNotFoundError(ParkingError):
    """The driver has no such claim; another driver's claim answers the same."""

    code = "CLAIM_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("there is no such claim on a plate")


class ClaimExpiredError(ParkingError):
    """The claim's time is over."""

    code = "CLAIM_EXPIRED"

    def __init__(self) -> None:
        super().__init__("the claim has expired; bind the plate again")


class ClaimRefusedError(ParkingError):
    """Staff refused the claim, or its binding was ended since."""

    code = "CLAIM_REFUSED"

    def __init__(self) -> None:
        super().__init__("the claim was refused")


class ClaimsExhaustedError(ParkingError):
    """The driver has as many open claims as one may have."""

    code = "TOO_MANY_CLAIMS"

    def __init__(self, claims_max: int) -> None:
        super().__init__(f"at most {claims_max} plates may wait for their proof at once")


class ClaimInReviewError(ParkingError):
    """The code cannot prove this claim (any more): staff decide by the vehicle licence."""

    code = "CLAIM_IN_REVIEW"

    def __init__(self) -> None:
        super().__init__("staff will check the vehicle licence before this plate is bound")


class PayLinkWrongError(ParkingError):
    """No exit shows this address for the claimed plate now."""

    code = "PAY_LINK_WRONG"

    def __init__(self) -> None:
        super().__init__("pay on the page that the exit's display shows for this car now")


class PicturesExhaustedError(ParkingError):
    """The claim has as many pictures as one may have, or the driver sent many today."""

    code = "TOO_MANY_PICTURES"

    def __init__(self) -> None:
        super().__init__("no more pictures can be sent for this claim today")


class LaneCodeWrongError(ParkingError):
    """No lane shows this code for the plate now.

    Attributes:
        attempts_left: How many more codes may be tried on the claim.
    """

    code = "LANE_CODE_WRONG"

    def __init__(self, attempts_left: int) -> None:
        super().__init__("the code is not the one that the lane shows, or its time is over")
        self.attempts_left = attempts_left


class PlateAlreadyBoundError(ParkingError):
    """The plate is bound to this very driver."""

    code = "PLATE_ALREADY_YOURS"

    def __init__(self) -> None:
        super().__init__("the plate is bound to you already")


class PlateNotFoundError(ParkingError):
    """The driver has no such plate; another driver's plate answers the same."""

    code = "PLATE_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("there is no such plate")


class PlateBusyError(ParkingError):
    """Another decision about the plate was made at the same moment."""

    code = "PLATE_BUSY"
    retryable = True

    def __init__(self) -> None:
        super().__init__("another decision about the plate was made just now; look again")
