"""What an installer says of a site, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from gate_bridge.agent.displays.displays import DisplaySettings
from gate_bridge.agent.machines.contacts import ContactUse, Wiring
from gate_bridge.agent.offline.options import OfflineOptions
from gate_bridge.drivers.port import DeviceSettings

BARRIER_CONTACTS = "barrier"
"""In place of a device's name: the inputs of the lane's own barrier or relay."""


class LoopKind(StrEnum):
    """What tells that a car stands in the lane."""

    CONTACT = "contact"
    CAMERA = "camera"


@dataclass(frozen=True, slots=True)
class Contact:
    """One input.

    Attributes:
        device: A device's name, or `BARRIER_CONTACTS`.
        number: As the device counts.
        is_inverted: Whether "off" means yes.
    """

    device: str
    number: int
    is_inverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSettings:
    """Where the bridge is.

    Attributes:
        ca: Certificate authority of the bridge; None is the system's.
    """

    url: str
    ca: Path | None = None
    plain_allowed: bool = False
    reconnect_s_max: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSettings:
    """Where devices post to.

    Attributes:
        port: 0 takes a free one.
        certificate: With `key`, for HTTPS; None is plain HTTP.
        client_ca: Every device has to show a certificate of this authority.
    """

    host: str = "127.0.0.1"
    port: int = 8090
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """An MQTT broker that devices publish to.

    Attributes:
        url: `mqtt://host:1883` or `mqtts://host:8883`.
        ca: Certificate authority of the broker; None is the system's.
    """

    name: str
    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierSettings:
    """What opens the lane.

    Attributes:
        driver: `shelly`, `modbus`, `hikvision`, `dahua`, `vzenith-http`, `vzenith-mqtt`, ...
        url: Of the relay or camera; empty where the driver needs none.
        device: The device that is the barrier, too; None where it is one of its own.
        options: The driver's own keys; the driver names what it knows.
    """

    driver: str
    url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    device: str | None = None
    options: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings:
    """One lane.

    Attributes:
        journal: SQLite file of this lane.
        token: The lane's device token; empty with a certificate.
        certificate: With `key`, who the lane is; None with a token.
        contacts: Which inputs of devices mean what; those of the barrier are in `wiring`.
        wiring: What the lane's machine can tell, and how long things take.
        offline: When it decides by itself; whether it may, its signed policy says.
        stay_s: Without a loop: how long a car that is not read again is taken to be there.
        display: Where drivers read; None for a lane without.
        shares: Name of the lane whose barrier and contacts this one uses the other way round.
    """

    lane_id: UUID
    name: str
    journal: Path
    loop: LoopKind
    barrier: BarrierSettings
    token: str = field(default="", repr=False)
    certificate: Path | None = None
    key: Path | None = None
    contacts: Mapping[ContactUse, Contact] = field(default_factory=dict[ContactUse, Contact])
    wiring: Wiring = field(default_factory=Wiring)
    offline: OfflineOptions = field(default_factory=OfflineOptions)
    stay_s: float = 120.0
    display: DisplaySettings | None = None
    shares: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDevice:
    """One camera or other device that tells of a lane.

    Attributes:
        settings: What its driver is given.
        driver: `hikvision`, `dahua`, `axis`, ...; `frames` for a camera that only shows pictures.
        broker: Name of the broker that it publishes to; None for HTTP.
        topic: What it publishes under, for MQTT.
        url: Of the device itself, where we call it; empty where it only calls us.
        sees_rear: Whether it looks at cars from behind, so that "away" is towards the gate.
        stream: `rtsp://` or `http://` address of its pictures; empty for none. May hold
            credentials, so it is never shown.
        allow_from: Networks that it may post from; none is all.
        away_lane_id: The lane of cars that it sees drive away, where one arm serves both ways.
        digest: The algorithm of HTTP Digest that it knows, `MD5` or `SHA-256`.
    """

    settings: DeviceSettings
    lane_id: UUID
    driver: str
    broker: str | None = None
    topic: str = ""
    url: str = ""
    sees_rear: bool = False
    stream: str = field(default="", repr=False)
    allow_from: tuple[str, ...] = ()
    digest: str = "MD5"
    away_lane_id: UUID | None = None

    @property
    def name(self) -> str:
        """Return the device's name."""
        return self.settings.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything that one process serves.

    Attributes:
        messages: SQLite file of what devices sent.
    """

    name: str
    messages: Path
    bridge: BridgeSettings
    lanes: tuple[LaneSettings, ...]
    devices: tuple[SiteDevice, ...]
    listener: ListenerSettings | None = None
    brokers: tuple[BrokerSettings, ...] = ()
