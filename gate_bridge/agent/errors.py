"""What can go wrong at the edge."""

from typing import ClassVar

from parking.kit.errors import ParkingError


class JournalBusyError(ParkingError):
    """Another agent has the journal open."""

    code: ClassVar[str] = "JOURNAL_BUSY"

    def __init__(self, path: str) -> None:
        super().__init__(f"journal: {path} is in use by another agent")


class JournalFullError(ParkingError):
    """There is no room: on the disk, or within what a file may hold.

    Args:
        why: Such as how many wait already.
    """

    code: ClassVar[str] = "JOURNAL_FULL"
    retryable: ClassVar[bool] = True

    def __init__(self, why: str) -> None:
        super().__init__(f"journal: {why}")


class DeviceUnknownError(ParkingError):
    """The site has no device of this name."""

    code: ClassVar[str] = "DEVICE_UNKNOWN"

    def __init__(self, name: str) -> None:
        super().__init__(f"device: the site has no {name!r}")


class EventsRenumberedError(ParkingError):
    """Waiting events got other numbers than Hello counted on: only a new Hello says which."""

    code: ClassVar[str] = "EVENTS_RENUMBERED"
    retryable: ClassVar[bool] = True

    def __init__(self, said_seq: int) -> None:
        super().__init__(f"next_seq: {said_seq}, as Hello said, is out of date")


class LaneStuckError(ParkingError):
    """A lane does not follow what its cameras say: its journal cannot be written."""

    code: ClassVar[str] = "LANE_STUCK"
    retryable: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__("lane: its journal does not follow")


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


class PulseUnknownError(BarrierError):
    """Nobody can say whether the relay was pulsed: it must not be pulsed again to find out."""

    code: ClassVar[str] = "PULSE_UNKNOWN"


class DecidedMeanwhileError(ParkingError):
    """The gate decided on a car while a policy was fetched, which does not know of it."""

    code: ClassVar[str] = "DECIDED_MEANWHILE"
    retryable: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__("policy: expected one that was asked for after the newest decision")


class BrokerAwayError(ParkingError):
    """The MQTT broker is not connected: what was to be sent was certainly not sent."""

    code: ClassVar[str] = "BROKER_AWAY"
    retryable: ClassVar[bool] = True

    def __init__(self, name: str) -> None:
        super().__init__(f"broker: {name} is not connected")


class ReplyMissingError(ParkingError):
    """A device did not answer a command: nobody can say what became of it."""

    code: ClassVar[str] = "REPLY_MISSING"

    def __init__(self, name: str) -> None:
        super().__init__(f"broker: no reply came over {name}")


class PictureError(ParkingError):
    """A picture or video file cannot be used."""

    code: ClassVar[str] = "PICTURE_UNUSABLE"


class StreamSilentError(PictureError):
    """A camera's stream has no fresh picture now."""

    code: ClassVar[str] = "STREAM_SILENT"
    retryable: ClassVar[bool] = True
