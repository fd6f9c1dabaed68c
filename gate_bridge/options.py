"""How one bridge process is set up."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from gate_bridge.wire.limits import WireLimits
from parking.kit.errors import InvalidInputError, ParkingError


class PlainListenerError(ParkingError):
    """Device tokens would cross a network in clear."""

    code: ClassVar[str] = "PLAIN_LISTENER"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"host: {host} is not a loopback address, and without TLS the device tokens would be "
            "readable on the network; give a certificate and its key, or allow plain explicitly"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """Bounds of one presentation.

    Attributes:
        frames_max: Frames stored for one presentation on one connection.
        frames_unanswered_max: Frames of one presentation that may wait for recognisers; more would
            only keep these from their turn when the system is slow.
        frames_kept_max: Unanswered frames kept for another submission; the newest are the best.
        answered_frames_max: Answered frames after which the best vote is taken.
        reading_s_max: Time from the first answer after which the best vote is taken.
        silent_s_max: Time without any answer after which the car is sent to staff.
        wait_display_after_s: Time without any answer after which the driver is asked to wait.
        resubmit_after_s: Silence after which a frame is submitted again.
        resubmit_frames_max: Frames of one presentation that are submitted again at a time.
        submissions_max: Submissions of one frame.
        camera_confidence_min: Confidence of a camera's own read that needs no pictures.
        poll_s: Time between two looks for late commands.
        renewal_pause_s: Time before a look for an order in place of one that came too late.
        tries_max: Tries of one call to the domain that fails for a passing reason.
        backoff_s: First pause between tries; it doubles up to `backoff_s_max`.
        command_sends_max: Times that one command is sent on one connection.
        service_timeout_s: Longest call to the domain; a decision may contain a charge.
    """

    frames_max: int = 60
    frames_unanswered_max: int = 3
    frames_kept_max: int = 8
    answered_frames_max: int = 15
    reading_s_max: float = 6.0
    silent_s_max: float = 300.0
    wait_display_after_s: float = 5.0
    resubmit_after_s: float = 1.0
    resubmit_frames_max: int = 3
    submissions_max: int = 300
    camera_confidence_min: float = 0.9
    poll_s: float = 2.0
    renewal_pause_s: float = 0.1
    tries_max: int = 60
    backoff_s: float = 0.1
    backoff_s_max: float = 2.0
    command_sends_max: int = 30
    service_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeOptions:
    """Address, TLS and limits of one bridge process.

    Attributes:
        tls_cert: With it the listener speaks TLS, and gates must show a certificate of their own.
        plain_allowed: Permit plain WebSocket beyond loopback, behind something that ends TLS.
        probe_host: Where probes are answered that no gate sees.
        probe_port: None for none; without TLS the listener of gates answers them as well.
        certificate_look_s: Time between two looks whether connected gates' certificates stand.
        sign_look_s: Time between two looks whether areas are full; shorter than a text is shown.
        ready_look_s: Time between two looks whether decisions can be taken.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls_cert: Path | None = None
    tls_key: Path | None = None
    plain_allowed: bool = False
    probe_host: str = "127.0.0.1"
    probe_port: int | None = None
    certificate_look_s: float = 5.0
    sign_look_s: float = 20.0
    ready_look_s: float = 2.0
    wire: WireLimits = field(default_factory=WireLimits)
    reading: ReadingLimits = field(default_factory=ReadingLimits)

    def check(self) -> None:
        """Refuse an unsafe address.

        Raises:
            PlainListenerError: no TLS on an address that is not loopback.
            InvalidInputError: a certificate without its key, or the other way round.
        """
        if (self.tls_cert is None) != (self.tls_key is None):
            raise InvalidInputError("tls", "a certificate and its key, or neither")
        if self.tls_cert is None and not self.plain_allowed and not is_loopback(self.host):
            raise PlainListenerError(self.host)


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
