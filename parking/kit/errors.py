"""The root of every expected failure."""

from typing import ClassVar


class ParkingError(Exception):
    """An expected refusal or failure; everything else is a defect.

    Attributes:
        code: Stable name that clients switch on; never reworded.
        retryable: Whether the same call may succeed later without a change by the caller.
    """

    code: ClassVar[str] = "PARKING_ERROR"
    retryable: ClassVar[bool] = False


class InvalidInputError(ParkingError):
    """A value from outside is not usable."""

    code: ClassVar[str] = "INVALID_INPUT"

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}")
        self.field = field
        self.expected = expected


class UnavailableError(ParkingError):
    """Something that this process needs does not answer now."""

    code: ClassVar[str] = "UNAVAILABLE"
    retryable: ClassVar[bool] = True
