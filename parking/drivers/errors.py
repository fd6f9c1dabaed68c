"""Why a sign-in does not happen. No message says whether a number has an account."""

from parking.kit.errors import ParkingError


class TooManyRequestsError(ParkingError):
    """A phone number or a client address asked too often.

    Attributes:
        retry_after_s: When asking again may work.
    """

    code = "TOO_MANY_REQUESTS"
    retryable = True

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many requests; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class SignInCodeWrongError(ParkingError):
    """Another code was sent.

    Attributes:
        attempts_left: How many more codes may be tried on the request.
    """

    code = "SIGN_IN_CODE_WRONG"

    def __init__(self, attempts_left: int) -> None:
        super().__init__("this is not the code that was sent")
        self.attempts_left = attempts_left


class SignInCodeExpiredError(ParkingError):
    """The request is unknown, used, too old, or was tried too often."""

    code = "SIGN_IN_CODE_EXPIRED"

    def __init__(self) -> None:
        super().__init__("the code can no longer be used; ask for a new one")
