"""What each sample of a device's message has to become."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gate_bridge.drivers.port import (
    CarState,
    DeviceMessage,
    DeviceSettings,
    DeviceSignal,
    Heading,
    PushDriver,
)

FOLDER = Path(__file__).parents[2].parent / "shared" / "gates" / "samples"
RECEIVED_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHANGHAI = timezone(timedelta(hours=8))

needs_samples = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the samples of devices' messages are not here"
)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """How a sample reaches us.

    Attributes:
        target: Path after the device's address, or topic.
    """

    driver: PushDriver
    target: str = ""
    content_type: str = "application/json"
    zone: ZoneInfo | timezone = UTC
    options: dict[str, object] = field(default_factory=dict[str, object])

    @property
    def settings(self) -> DeviceSettings:
        return DeviceSettings(name="camera", zone=self.zone, options=self.options)

    def message(self, body: bytes) -> DeviceMessage:
        return DeviceMessage(
            target=self.target,
            headers={"content-type": self.content_type},
            body=body,
            received_at=RECEIVED_AT,
        )


@dataclass(frozen=True, kw_only=True)
class Read:
    """A sample that tells of a car."""

    file: str
    sent: Sent
    plate: str | None
    confidence: float
    captured_at: datetime
    heading: Heading = Heading.UNKNOWN
    state: CarState = CarState.NEW
    is_backfill: bool = False
    alternatives: tuple[tuple[str, float], ...] = ()
    region: str | None = None


@dataclass(frozen=True, kw_only=True)
class Told:
    """A sample that tells of something else than a car."""

    file: str
    sent: Sent
    signal: DeviceSignal


@dataclass(frozen=True, kw_only=True)
class NoCar:
    """A sample that is refused as not ANPR."""

    file: str
    sent: Sent


@dataclass(frozen=True, kw_only=True)
class Ours:
    """A sample of what we send: `built` is what we make of it."""

    file: str
    built: bytes


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A sample picture, and the read that it comes with."""

    file: str
    sent: Sent
    beside: str


Row = Read | Told | NoCar | Ours | Picture
