"""The environment of an installation's processes: servers, keys and ports of one data folder."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parking.kit.crypto import KEY_BYTES
from sesame.embedded.folder import DataFolder
from sesame.embedded.ports import LOOPBACK
from sesame.embedded.stack import DATABASE_SETTING, REDIS_SETTING, Endpoints
from sesame.settings import Settings

API_PORT_SETTING: Final = "SESAME_API_PORT"
GATES_PORT_SETTING: Final = "SESAME_GATES_PORT"
GATES_TLS_SETTING: Final = "SESAME_GATES_TLS_CERT"
PROBE_HOST_SETTING: Final = "SESAME_GATES_PROBE_HOST"
PROBE_PORT_SETTING: Final = "SESAME_GATES_PROBE_PORT"
PROBE_PORT: Final = 8082
PORTS: Final = {API_PORT_SETTING: 8080, GATES_PORT_SETTING: 8081}


@dataclass(frozen=True, slots=True)
class Installation:
    """What the processes of one data folder share.

    Attributes:
        environment: The whole environment of each process.
        api_url: Where drivers' phones and staff connect.
        gates_url: Where gate agents connect.
    """

    environment: Mapping[str, str]
    api_url: str
    gates_url: str

    @property
    def gates_health_url(self) -> str:
        """Return where the bridge says how it is: its listener with TLS answers gates alone."""
        if not self.environment.get(GATES_TLS_SETTING):
            return self.gates_url
        host = self.environment.get(PROBE_HOST_SETTING) or LOOPBACK
        return f"http://{host}:{self.environment[PROBE_PORT_SETTING]}"


def install(
    folder: DataFolder, endpoints: Endpoints, given: Mapping[str, str] | None = None
) -> Installation:
    """Make or find the keys and ports of a data folder.

    Args:
        folder: The folder, locked.
        endpoints: Where the servers are.
        given: Settings of the operator, which win over made ones; the environment if None.
    """
    settings = dict(os.environ if given is None else given)
    defaults = {
        "SESAME_FIELD_KEY": _encoded(folder, "field_key"),
        "SESAME_INDEX_KEY": _encoded(folder, "index_key"),
        "SESAME_TOKEN_KEY_FILE": str(folder.secret_file("token_key.pem", _new_token_key)),
        "SESAME_RECEIPT_KEY_FILE": str(folder.secret_file("receipt_key.pem", _new_receipt_key)),
        "SESAME_API_HOST": LOOPBACK,
        # No balancer stands before it.
        "SESAME_API_DRAIN_S": "0",
        "SESAME_GATES_HOST": LOOPBACK,
    }
    for name, preferred in PORTS.items():
        if not settings.get(name):
            defaults[name] = str(folder.port(name, preferred=preferred))
    is_tls = bool(settings.get(GATES_TLS_SETTING))
    if is_tls and not settings.get(PROBE_PORT_SETTING):
        defaults[PROBE_PORT_SETTING] = str(folder.port(PROBE_PORT_SETTING, preferred=PROBE_PORT))
    environment = settings | {
        name: value for name, value in defaults.items() if not settings.get(name)
    }
    api_url = f"http://{environment['SESAME_API_HOST']}:{environment[API_PORT_SETTING]}"
    gates_at = f"{environment['SESAME_GATES_HOST']}:{environment[GATES_PORT_SETTING]}"
    gates_url = f"{'https' if is_tls else 'http'}://{gates_at}"
    environment.setdefault("SESAME_PUBLIC_URL", api_url)
    environment |= {
        "DATABASE_URL": endpoints.database_url,
        "REDIS_URL": endpoints.redis_url,
        # A line that waits in a buffer is missing from the log of a crash.
        "PYTHONUNBUFFERED": "1",
    }
    return Installation(environment=environment, api_url=api_url, gates_url=gates_url)


def own_ports(folder: DataFolder) -> dict[str, str]:
    """Return settings with free ports: throw-away installations run side by side."""
    return {name: str(folder.port(name)) for name in PORTS}


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings that a process with this environment reads."""
    values = {
        name.removeprefix("SESAME_").lower(): value
        for name, value in environment.items()
        if name.startswith("SESAME_")
    }
    servers = {name: environment[name] for name in (DATABASE_SETTING, REDIS_SETTING)}
    return Settings.model_validate({**values, **servers})


def _encoded(folder: DataFolder, name: str) -> str:
    return base64.b64encode(folder.secret(name, KEY_BYTES)).decode()


def _new_token_key() -> bytes:
    """Return a fresh ES256 key in PEM."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def _new_receipt_key() -> bytes:
    """Return a fresh Ed25519 key in PEM."""
    return _pem(Ed25519PrivateKey.generate())


def _pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
