"""Why a token opens nothing. No message says whose it is."""

from parking.kit.errors import ParkingError


class TokenRefusedError(ParkingError):
    """An access or refresh token is forged, of another realm, expired, or of an ended sign-in."""

    code = "UNAUTHENTICATED"

    def __init__(self) -> None:
        super().__init__("sign in first")


class TokenExpiredError(TokenRefusedError):
    """An access token's time is over; the refresh token brings a new one."""

    code = "TOKEN_EXPIRED"

    def __init__(self) -> None:
        ParkingError.__init__(self, "the access token has expired; refresh the sign-in")
