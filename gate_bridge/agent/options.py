"""How one agent is set up."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

from gate_bridge.agent.backoff import LONGEST_S
from gate_bridge.agent.offline.options import OfflineOptions
from gate_bridge.options import is_loopback
from gate_bridge.wire.limits import PATH_PREFIX, WireLimits
from parking.kit.errors import InvalidInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """Where the bridge is and who this agent is.

    Attributes:
        url: `wss://host:port`, with or without the lane's path.
        token: The lane's device token, for a listener without TLS of its own.
        certificate: The lane's certificate with its chain, in PEM, instead of a token; the file
            holds its key as well, unless `key` names the key's own.
        tls_ca: Certificate authority of the bridge; None is the system's.
        plain_allowed: Permit `ws://` beyond loopback: the token is then readable on the network.
        reconnect_s_max: Longest pause between two tries to connect.
        offline: When the gate begins to decide by itself.
    """

    url: str
    lane_id: UUID
    token: str | None = field(default=None, repr=False)
    certificate: Path | None = None
    key: Path | None = None
    tls_ca: Path | None = None
    plain_allowed: bool = False
    reconnect_s_max: float = LONGEST_S
    limits: WireLimits = field(default_factory=WireLimits)
    offline: OfflineOptions = field(default_factory=OfflineOptions)

    def check(self) -> None:
        """Refuse an address that cannot work or would show the token.

        Raises:
            InvalidInputError: naming `url`, or what the agent proves itself with.
        """
        if (self.token is None) == (self.certificate is None):
            raise InvalidInputError("certificate", "a certificate, or a token in its place")
        parts = urlsplit(self.url)
        if parts.scheme not in {"ws", "wss"} or not parts.hostname:
            raise InvalidInputError("url", "wss://host:port, or ws:// on this machine")
        if parts.scheme == "ws" and not (self.plain_allowed or is_loopback(parts.hostname)):
            raise InvalidInputError("url", "wss://, because the token would be readable")
        if parts.scheme == "ws" and self.certificate is not None:
            raise InvalidInputError("url", "wss://, where certificates are shown")

    @property
    def address(self) -> str:
        """Return the address of the lane's connection."""
        base = self.url.rstrip("/")
        return base if PATH_PREFIX in base else f"{base}{PATH_PREFIX}{self.lane_id}"

    def headers(self) -> dict[str, str]:
        """Return what goes with the request for a connection."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def tls(self) -> ssl.SSLContext | None:
        """Return how the bridge is checked, and what it is shown; None without TLS.

        The files are read each time: a renewed certificate is shown by the next connection.

        Raises:
            OSError: a file cannot be read, or is of another kind.
        """
        if not self.url.startswith("wss:"):
            return None
        context = ssl.create_default_context(cafile=self.tls_ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context
