"""Why a sign-in does not happen. No message says whether a number has an account."""

from collections.abc import Sequence

from parking.drivers.purposes import CodePurpose
from parking.kit.errors import ParkingError, UnavailableError


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


class ReauthenticationRequiredError(ParkingError):
    """The driver signed in too long ago to do this without proving again who they are.

    Attributes:
        confirmation_purpose: What a code must be asked for, so that the same call succeeds.
    """

    code = "REAUTHENTICATION_REQUIRED"

    def __init__(self, purpose: CodePurpose) -> None:
        super().__init__(
            "prove who you are: ask for a code with requestConfirmationCode, send it with "
            "confirmWithCode, and repeat this"
        )
        self.confirmation_purpose = purpose


class PhoneNumberMissingError(ParkingError):
    """The account has no number that a code could go to."""

    code = "PHONE_NUMBER_MISSING"

    def __init__(self) -> None:
        super().__init__("the account has no phone number; sign in again to prove who you are")


class SignInUnknownError(ParkingError):
    """The driver never had this sign-in."""

    code = "SIGN_IN_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("signInId: expected one of yours")


class DeviceUnknownError(ParkingError):
    """The driver never had this device."""

    code = "DEVICE_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("deviceId: expected one of yours")


class FirebaseNotSetUpError(ParkingError):
    """This installation has no Firebase project."""

    code = "FIREBASE_NOT_SET_UP"

    def __init__(self) -> None:
        super().__init__("sign in with a code: Firebase is not set up here")


class FirebaseTokenRefusedError(ParkingError):
    """The ID token proves nothing; which check failed is in the log only."""

    code = "FIREBASE_TOKEN_REFUSED"

    def __init__(self) -> None:
        super().__init__("idToken: expected a valid ID token of our Firebase project")


class FirebaseSignInTooOldError(ParkingError):
    """The phone was proven to Firebase too long ago to open an account by it here."""

    code = "FIREBASE_SIGN_IN_TOO_OLD"

    def __init__(self) -> None:
        super().__init__("sign in to Firebase by phone again, and send the new ID token")


class FirebaseUnavailableError(UnavailableError):
    """Google did not answer in time."""

    code = "FIREBASE_UNAVAILABLE"


class AccountNotDeletableError(ParkingError):
    """Something is unsettled.

    Attributes:
        reasons: What, as `DeletionObstacle` names it.
    """

    code = "ACCOUNT_NOT_DELETABLE"

    def __init__(self, reasons: Sequence[str]) -> None:
        told = ", ".join(reason.upper() for reason in reasons)
        super().__init__(f"settle first what keeps the account: {told}")
        self.reasons = tuple(reasons)


class PhoneNumberTakenError(ParkingError):
    """The number has an account of its own; told only to whoever proved the number."""

    code = "PHONE_NUMBER_TAKEN"

    def __init__(self) -> None:
        super().__init__("the number has an account of its own: sign in by it, and delete that one")
