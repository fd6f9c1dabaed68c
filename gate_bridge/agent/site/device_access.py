"""Which device a request comes from, and whether it may.

A device proves itself by HTTP Digest or a token, as its settings say. One that can do neither may
post from the networks that its installer names, or with a certificate that the listener asks for.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs

from gate_bridge.drivers.digest import (
    DigestAccount,
    DigestAlgorithm,
    DigestAnswer,
    DigestChecker,
    DigestRequest,
    is_empty,
    username_of,
)
from gate_bridge.drivers.port import DeviceSettings, PushDriver
from parking.kit.errors import InvalidInputError

DEVICES_MAX: Final = 256
PREFIX: Final = "/devices/"
# Some Dahua firmwares let nobody change this path: there the username tells which camera it is.
FIXED_PREFIX: Final = "/NotificationInfo/"
FIXED_DRIVER: Final = "dahua"
METHODS: Final = ("POST", "PUT")
_QUERY_FIELDS_MAX: Final = 16

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLimits:
    """What one device may ask for.

    Attributes:
        body_bytes_max: Of one message, pictures and all.
        requests_at_once_max: Further ones wait.
        requests_per_s: Sustained; a lane has a handful of messages for each car.
        requests_burst: What may come at once after a quiet time, such as after an outage.
    """

    body_bytes_max: int = 8 * 1024 * 1024
    requests_at_once_max: int = 4
    requests_per_s: float = 10.0
    requests_burst: int = 100


# Dahua's pictures come in base64, and its cameras send again what is not answered at once.
_LIMITS: Final[Mapping[str, DeviceLimits]] = MappingProxyType(
    {FIXED_DRIVER: DeviceLimits(body_bytes_max=16 * 1024 * 1024, requests_at_once_max=2)}
)
_USUAL_LIMITS: Final = DeviceLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenedDevice:
    """A device that posts.

    Attributes:
        settings: With a username, it has to prove its password by Digest; else with a token, it
            has to send that; else its address has to do, or a certificate in its name.
        allow_from: Networks that it may post from; none is all.
        algorithm: Of Digest; most cameras know MD5 only.
        limits: None is what is usual for its driver.
    """

    settings: DeviceSettings
    driver: PushDriver = field(repr=False)
    allow_from: tuple[Network, ...] = ()
    algorithm: DigestAlgorithm = DigestAlgorithm.MD5
    limits: DeviceLimits | None = None

    @property
    def name(self) -> str:
        """Return the device's name."""
        return self.settings.name

    @property
    def bounds(self) -> DeviceLimits:
        """Return what it may ask for."""
        return self.limits or _LIMITS.get(self.driver.name, _USUAL_LIMITS)

    def check(self, *, certificates_asked: bool) -> None:
        """Refuse a device that anybody could speak for.

        Raises:
            InvalidInputError: naming the device.
        """
        username, password = self.settings.username, self.settings.password
        if bool(username) is not bool(password):
            raise InvalidInputError(f"device.{self.name}", "a username with a password, or neither")
        if not (username or self.settings.token or self.allow_from or certificates_asked):
            raise InvalidInputError(
                f"device.{self.name}",
                "a username and a password, a token, or allow_from with its network",
            )


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a request says before its body.

    Attributes:
        peer: The sender's address; empty where it is not known.
        path: Decoded.
        target: Path and query as they came.
        certificate_names: Those in the sender's certificate; none where it showed none.
    """

    method: str
    peer: str
    path: str
    target: str
    query: str = field(repr=False)
    authorization: str = field(repr=False)
    certificate_names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whose request it is, and the path after the device's own address."""

    device: ListenedDevice
    target: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not. The answer to an unknown device is the same as to a wrong address.

    Attributes:
        device_name: Empty where it is not known.
        is_usual: Whether it only asks for a proof, which is then to follow.
    """

    status: int
    device_name: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    is_usual: bool = False


class DeviceAccess:
    """Knows the devices of a site.

    Raises:
        InvalidInputError: a device could not be told from others, or would need no proof at all.
    """

    def __init__(
        self,
        devices: Sequence[ListenedDevice],
        digest: DigestChecker,
        *,
        certificates_asked: bool = False,
    ) -> None:
        if len(devices) > DEVICES_MAX:
            raise InvalidInputError("device", f"at most {DEVICES_MAX} devices")
        self._digest = digest
        self._certificates_asked = certificates_asked
        self._by_name: dict[str, ListenedDevice] = {}
        self._by_username: dict[str, ListenedDevice] = {}
        for device in devices:
            device.check(certificates_asked=certificates_asked)
            if device.name in self._by_name or not device.name or "/" in device.name:
                raise InvalidInputError("device.name", "a name of its own, without a slash")
            self._by_name[device.name] = device
            if device.driver.name == FIXED_DRIVER and device.settings.username:
                self._add_username(device)

    def _add_username(self, device: ListenedDevice) -> None:
        if device.settings.username in self._by_username:
            raise InvalidInputError(
                f"device.{device.name}.username", "one of its own: it tells Dahua cameras apart"
            )
        self._by_username[device.settings.username] = device

    def admit(self, inquiry: Inquiry) -> Admitted | Refused:
        """Return whose request it is, or how to refuse it."""
        if inquiry.method not in METHODS:
            return Refused(405, headers={"allow": ", ".join(METHODS)})
        if inquiry.path.startswith(FIXED_PREFIX) and self._by_username:
            device = self._by_username.get(username_of(inquiry.authorization))
            if device is None:
                return self._challenge(inquiry, DigestAlgorithm.MD5)
            found = Admitted(device, inquiry.path)
        elif inquiry.path.startswith(PREFIX):
            name, _, rest = inquiry.path.removeprefix(PREFIX).partition("/")
            device = self._by_name.get(name)
            if device is None:
                return Refused(404)
            found = Admitted(device, f"/{rest}")
        else:
            return Refused(404)
        if not _is_near(inquiry.peer, device.allow_from):
            return Refused(404)
        return self._proven(inquiry, device) or found

    def _proven(self, inquiry: Inquiry, device: ListenedDevice) -> Refused | None:
        settings = device.settings
        if settings.username:
            account = DigestAccount(settings.username, settings.password, device.algorithm)
            request = DigestRequest(inquiry.method, inquiry.target, inquiry.authorization)
            answer = self._digest.check(request, account)
            if answer is DigestAnswer.RIGHT:
                return None
            is_stale = answer is DigestAnswer.STALE
            return self._challenge(inquiry, device.algorithm, device.name, is_stale=is_stale)
        if settings.token and not _has_token(inquiry, settings.token):
            return Refused(401, device.name, {"www-authenticate": "Token"})
        if self._proves_by_name(device) and device.name not in inquiry.certificate_names:
            # Each device has a certificate of the authority: it speaks for that device alone.
            return Refused(404, device.name)
        return None

    def _proves_by_name(self, device: ListenedDevice) -> bool:
        settings = device.settings
        has_other = settings.username or settings.token or device.allow_from
        return self._certificates_asked and not has_other

    def _challenge(
        self,
        inquiry: Inquiry,
        algorithm: DigestAlgorithm,
        device_name: str = "",
        *,
        is_stale: bool = False,
    ) -> Refused:
        challenge = self._digest.challenge(algorithm, is_stale=is_stale)
        is_usual = is_stale or not inquiry.authorization or is_empty(inquiry.authorization)
        return Refused(401, device_name, {"www-authenticate": challenge}, is_usual=is_usual)


def _is_near(peer: str, networks: Sequence[Network]) -> bool:
    if not networks:
        return True
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def _has_token(inquiry: Inquiry, token: str) -> bool:
    """Return whether the token is in the header, or in the address where a device has no header."""
    scheme, _, given = inquiry.authorization.partition(" ")
    if scheme.lower() not in {"token", "bearer"}:
        try:
            fields = parse_qs(inquiry.query, max_num_fields=_QUERY_FIELDS_MAX)
        except ValueError:
            return False
        given = fields.get("token", [""])[0]
    return hmac.compare_digest(given.strip().encode(), token.encode())
