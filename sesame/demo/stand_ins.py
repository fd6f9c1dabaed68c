"""Stand-ins for the outside services, as processes of their own on loopback."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sesame.embedded.folder import DataFolder
from sesame.embedded.ports import LOOPBACK
from sesame.process_spec import AnsweringUrl, ProcessSpec
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem

ACQUIRER: Final = "acquirer"
MERCHANT: Final = "sesame-demo"
NOTICE_PATH: Final = "/payments/acquirer/notices"
NOTICE_RETRY_MS: Final = 200


@dataclass(frozen=True, slots=True)
class StandIns:
    """What was prepared; `settings` lead the application's processes to the stand-ins."""

    specs: tuple[ProcessSpec, ...]
    settings: Mapping[str, str]
    acquirer_url: str


def prepare_stand_ins(
    folder: DataFolder, *, api_url: str, environment: Mapping[str, str]
) -> StandIns:
    """Make keys, files and ports; the processes are not started yet."""
    acquirer, acquirer_url, settings = _acquirer(folder, api_url, environment)
    return StandIns(specs=(acquirer,), settings=settings, acquirer_url=acquirer_url)


def _acquirer(
    folder: DataFolder, api_url: str, environment: Mapping[str, str]
) -> tuple[ProcessSpec, str, dict[str, str]]:
    private = folder.secret_file("merchant_key.pem", new_private_pem)
    public = _written(folder.root / "merchant_key.pub.pem", public_pem(private.read_bytes()))
    platform_keys = folder.root / "acquirer_keys.pem"
    url, port = _address(folder, ACQUIRER)
    options = {
        "--data": str(folder.root / "acquirer.db"),
        "--merchant-key": str(public),
        "--merchant": MERCHANT,
        "--platform-key-out": str(platform_keys),
        "--port": str(port),
        "--notice-url": f"{api_url}{NOTICE_PATH}",
        "--notice-retry-ms": str(NOTICE_RETRY_MS),
    }
    settings = {
        "SESAME_ACQUIRER_URL": url,
        "SESAME_ACQUIRER_MERCHANT": MERCHANT,
        "SESAME_ACQUIRER_KEY_FILE": str(private),
        "SESAME_ACQUIRER_PLATFORM_KEYS_FILE": str(platform_keys),
    }
    return _spec(ACQUIRER, options, f"{url}/_books", environment), url, settings


def _spec(
    name: str, options: Mapping[str, str], ready_url: str, environment: Mapping[str, str]
) -> ProcessSpec:
    arguments = tuple(part for pair in options.items() for part in pair)
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-m", "sesame", "sandbox", name, *arguments),
        environment=environment,
        ready=AnsweringUrl(ready_url),
    )


def _address(folder: DataFolder, name: str) -> tuple[str, int]:
    port = folder.port(name)
    return f"http://{LOOPBACK}:{port}", port


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="ascii")
    return path
