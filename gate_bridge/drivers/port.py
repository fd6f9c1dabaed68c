"""What every maker's camera or barrier says, in one form, and what a driver has to know.

A driver only translates: it keeps no state, opens no connection and decides nothing. What a signal
means for the lane (one car or two, parked or moving, too old) is the edge agent's to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from parking.kit.errors import ParkingError


class NotAnprError(ParkingError):
    """A well-formed message of the device that tells of no plate, such as motion detection."""

    code = "NOT_ANPR"


class Heading(StrEnum):
    """How the car moved through the camera's picture."""

    TOWARDS = "towards"
    AWAY = "away"
    UNKNOWN = "unknown"


class CarState(StrEnum):
    """What a camera that tracks cars says of one."""

    NEW = "new"
    UPDATED = "updated"
    LOST = "lost"


class Arm(StrEnum):
    """Where a barrier's arm is, as its own contacts say."""

    DOWN = "down"
    MOVING = "moving"
    UP = "up"


@dataclass(frozen=True, slots=True)
class DevicePicture:
    """A picture that came with a signal.

    Attributes:
        name: As the device names it; empty where it does not.
        content_type: By the bytes, whatever the device says: `image/jpeg` or `image/png`.
        is_plate_only: Whether it is a crop of the plate.
    """

    image: bytes = field(repr=False)
    content_type: str
    name: str = ""
    is_plate_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraRead:
    """A car as the camera read it.

    Attributes:
        plate: Normalised as `PlateRead.text`; None where the camera saw a car without a plate
            that it could read.
        confidence: 0 to 1 that the whole plate is right, from the maker's own scale.
        captured_at: Aware; by the device's clock, in the zone that its settings give where it
            names none.
        read_id: The device's own id of this read; the same again is a repetition. None for none.
        car_id: The device's id of the car over several reads; None where it does not track.
        alternatives: Other texts with their probabilities, best first.
        region: The maker's word for where the plate is from, as it came.
        is_backfill: The device sends it late, from its own memory: nothing opens for it.
    """

    plate: str | None
    confidence: float
    captured_at: datetime
    heading: Heading = Heading.UNKNOWN
    state: CarState = CarState.NEW
    read_id: str | None = None
    car_id: str | None = None
    alternatives: tuple[tuple[str, float], ...] = ()
    region: str | None = None
    is_backfill: bool = False
    pictures: tuple[DevicePicture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSignal:
    """A contact of the device changed: a loop, a button, a light barrier.

    Attributes:
        number: Of the contact, as the device counts.
    """

    number: int
    is_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSignal:
    """The arm moved."""

    arm: Arm


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAlive:
    """The device is there."""

    device_time: datetime | None = None


DeviceSignal = CameraRead | InputSignal | ArmSignal | KeepAlive


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSettings:
    """What an installer says of one device, beyond its address.

    Attributes:
        name: Unique on its site; part of the address that the device posts to.
        zone: For times without one.
        username: With `password`, for HTTP Digest; empty where the device offers none.
        token: For makers that send one.
        options: The driver's own, such as a field map; each driver names what it knows.
    """

    name: str
    zone: ZoneInfo | timezone
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    options: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMessage:
    """What a device posted or published, byte for byte.

    Attributes:
        target: Path after the device's own address, or the topic.
        headers: Names in lower case.
        received_at: Aware, by this machine's clock.
    """

    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReply:
    """What the device gets back."""

    status: int = 200
    content_type: str = "text/plain"
    body: bytes = b""


class PushDriver(Protocol):
    """One maker's way to tell of cars.

    Attributes:
        name: As in an installer's settings, such as `hikvision`.
        reply_opens: Whether the answer to a read is what raises the arm.
    """

    name: str
    reply_opens: bool

    def signals(self, message: DeviceMessage, settings: DeviceSettings) -> Sequence[DeviceSignal]:
        """Return what the message says.

        Raises:
            NotAnprError: it is the device's, and tells of no car, contact or life.
            InvalidInputError: it cannot be read; names the part and what belongs there.
        """
        ...

    def reply(
        self, message: DeviceMessage, settings: DeviceSettings, *, opens: bool
    ) -> DeviceReply:
        """Return what stops the device from sending the message again.

        `opens` says whether the arm is to rise; it is only ever set where `reply_opens`.
        """
        ...
