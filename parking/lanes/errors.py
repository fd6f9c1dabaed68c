"""Refusals about what a lane reports."""

from parking.kit.errors import ParkingError


class PresentationUnknownError(ParkingError):
    """The lane never reported this presentation."""

    code = "PRESENTATION_UNKNOWN"


class PresentationForeignError(ParkingError):
    """The presentation belongs to another lane."""

    code = "PRESENTATION_FOREIGN"


class EventOutOfOrderError(ParkingError):
    """The event's number leaves a gap after the last one that is committed.

    Attributes:
        last_seq: The last committed number; the agent goes on after it.
    """

    code = "EVENT_OUT_OF_ORDER"
    retryable = True

    def __init__(self, last_seq: int) -> None:
        super().__init__(f"seq: expected {last_seq + 1}")
        self.last_seq = last_seq
