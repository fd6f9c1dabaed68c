"""What can go wrong at the edge."""

from typing import ClassVar

from parking.kit.errors import ParkingError


class JournalBusyError(ParkingError):
    """Another agent has the journal open."""

    code: ClassVar[str] = "JOURNAL_BUSY"

    def __init__(self, path: str) -> None:
        super().__init__(f"journal: {path} is in use by another agent")


class JournalFullError(ParkingError):
    """The journal holds as many unacknowledged events as it may."""

    code: ClassVar[str] = "JOURNAL_FULL"

    def __init__(self, events_max: int) -> None:
        super().__init__(f"journal: {events_max} events wait for the bridge")


class EventsRenumberedError(ParkingError):
    """Waiting events got other numbers than Hello counted on: only a new Hello says which."""

    code: ClassVar[str] = "EVENTS_RENUMBERED"
    retryable: ClassVar[bool] = True

    def __init__(self, said_seq: int) -> None:
        super().__init__(f"next_seq: {said_seq}, as Hello said, is out of date")


class LaneOccupiedError(ParkingError):
    """A car stands on the loop already."""

    code: ClassVar[str] = "LANE_OCCUPIED"


class LaneEmptyError(ParkingError):
    """No car stands on the loop."""

    code: ClassVar[str] = "LANE_EMPTY"


class BarrierError(ParkingError):
    """The relay did not take the pulse."""

    code: ClassVar[str] = "BARRIER_FAILED"
    retryable: ClassVar[bool] = True


class PictureError(ParkingError):
    """A picture or video file cannot be used."""

    code: ClassVar[str] = "PICTURE_UNUSABLE"
