"""What is answered to a call that cannot be carried out, and what a caller may meet."""

from typing import ClassVar

from parking.kit.errors import ParkingError

NO_CALL_ID = "-1"
"""The id that an answer carries when the call's own id could not be read (as OCPP-J does)."""


class WireError(ParkingError):
    """A call that is refused; its `code` and `details` go over the wire.

    Attributes:
        call_id: The id of the refused call, `NO_CALL_ID` while it is unknown.
    """

    code: ClassVar[str] = "InternalError"

    def __init__(self, description: str, details: dict[str, str | int] | None = None) -> None:
        super().__init__(description)
        self.description = description
        self.details = details or {}
        self.call_id = NO_CALL_ID


class FormatViolationError(WireError):
    """The message is not a call, a result or a failure."""

    code: ClassVar[str] = "FormatViolation"

    def __init__(self, field: str, expected: str, call_id: str = NO_CALL_ID) -> None:
        super().__init__(f"{field}: expected {expected}", {"field": field, "expected": expected})
        self.call_id = call_id


class UnknownActionError(WireError):
    """The action does not exist in this direction."""

    code: ClassVar[str] = "UnknownAction"

    def __init__(self, known: tuple[str, ...]) -> None:
        expected = "one of " + ", ".join(known)
        super().__init__(f"action: expected {expected}", {"field": "action", "expected": expected})


class PayloadInvalidError(WireError):
    """A field of the payload is missing, unknown, of the wrong type or out of its range."""

    code: ClassVar[str] = "PayloadInvalid"

    def __init__(self, field: str, problem: str) -> None:
        expected = problem.removeprefix("expected ")
        super().__init__(f"{field}: {problem}", {"field": field, "expected": expected})


class TooLargeError(WireError):
    """A field holds more bytes than agreed."""

    code: ClassVar[str] = "TooLarge"

    def __init__(self, field: str, bytes_max: int) -> None:
        super().__init__(
            f"{field}: at most {bytes_max} bytes", {"field": field, "bytes_max": bytes_max}
        )


class StaleEpochError(WireError):
    """The connection was superseded by a newer one of the same lane."""

    code: ClassVar[str] = "StaleEpoch"

    def __init__(self, session_epoch: int) -> None:
        super().__init__(
            "session_epoch: a newer connection of this lane exists",
            {"field": "session_epoch", "session_epoch": session_epoch},
        )


class NotReadyError(WireError):
    """The call cannot be carried out now; the same call may succeed later."""

    code: ClassVar[str] = "NotReady"
    retryable: ClassVar[bool] = True


class RateLimitedError(WireError):
    """Too many calls: send them later."""

    code: ClassVar[str] = "RateLimited"
    retryable: ClassVar[bool] = True

    def __init__(self, limit: str, limit_max: float) -> None:
        super().__init__(
            f"{limit}: at most {limit_max:g}", {"field": limit, "limit_max": int(limit_max)}
        )


class InternalWireError(WireError):
    """A defect at the answering side; its log carries the correlation id."""

    code: ClassVar[str] = "InternalError"
    retryable: ClassVar[bool] = True

    def __init__(self, correlation_id: str) -> None:
        super().__init__("the call failed here; try again", {"correlation_id": correlation_id})


class CallRefusedError(ParkingError):
    """The peer answered with a failure."""

    code: ClassVar[str] = "CALL_REFUSED"

    def __init__(self, wire_code: str, description: str, details: dict[str, object]) -> None:
        super().__init__(f"{wire_code}: {description}")
        self.wire_code = wire_code
        self.description = description
        self.details = details

    @property
    def transient(self) -> bool:
        """Return whether the same call may succeed later."""
        return self.wire_code in RETRYABLE_WIRE_CODES


class CallUnansweredError(ParkingError):
    """No answer came in time, or the connection ended: the outcome is unknown."""

    code: ClassVar[str] = "CALL_UNANSWERED"
    retryable: ClassVar[bool] = True


WIRE_CODES = frozenset(
    error.code
    for error in (
        FormatViolationError,
        UnknownActionError,
        PayloadInvalidError,
        TooLargeError,
        StaleEpochError,
        NotReadyError,
        RateLimitedError,
        InternalWireError,
    )
)
"""Every code that a failure may have."""

RETRYABLE_WIRE_CODES = frozenset(
    error.code for error in (NotReadyError, RateLimitedError, InternalWireError)
)
