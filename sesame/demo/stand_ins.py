"""Stand-ins for the outside services, as processes of their own on loopback."""

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sesame.embedded.folder import DataFolder
from sesame.embedded.ports import LOOPBACK
from sesame.process_spec import AnsweringUrl, ProcessSpec
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem

ACQUIRER: Final = "acquirer"
FCM: Final = "fcm"
SMS: Final = "sms"
MERCHANT: Final = "sesame-demo"
NOTICE_PATH: Final = "/callbacks/acquirer"
NOTICE_RETRY_MS: Final = 200
SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class StandIn:
    """One stand-in's process, where it answers, and the settings that lead to it."""

    spec: ProcessSpec
    url: str
    settings: Mapping[str, str]


def acquirer(folder: DataFolder, *, api_url: str, environment: Mapping[str, str]) -> StandIn:
    """Prepare the acquirer of docs/acquirer-wire.md, with a merchant's key of our own."""
    private = folder.secret_file("merchant_key.pem", new_private_pem)
    public = folder.root / "merchant_key.pub.pem"
    public.write_text(public_pem(private.read_bytes()), encoding="ascii")
    platform_keys = folder.root / "acquirer_keys.pem"
    options = {
        "--data": str(folder.root / "acquirer.db"),
        "--merchant-key": str(public),
        "--merchant": MERCHANT,
        "--platform-key-out": str(platform_keys),
        "--notice-url": f"{api_url}{NOTICE_PATH}",
        "--notice-retry-ms": str(NOTICE_RETRY_MS),
    }
    url, spec = _prepare(folder, ACQUIRER, options, "/_books", environment)
    settings = {
        "SESAME_ACQUIRER_URL": url,
        "SESAME_ACQUIRER_MERCHANT": MERCHANT,
        "SESAME_ACQUIRER_KEY_FILE": str(private),
        "SESAME_ACQUIRER_PLATFORM_KEYS_FILE": str(platform_keys),
    }
    return StandIn(spec, url, settings)


def fcm(folder: DataFolder, *, environment: Mapping[str, str]) -> StandIn:
    """Prepare Firebase Cloud Messaging."""
    credentials = folder.root / "fcm_account.json"
    options = {"--credentials-out": str(credentials)}
    url, spec = _prepare(folder, FCM, options, "/_log", environment)
    settings = {"SESAME_FCM_CREDENTIALS_FILE": str(credentials), "SESAME_FCM_ENDPOINT": url}
    return StandIn(spec, url, settings)


def sms(folder: DataFolder, *, environment: Mapping[str, str]) -> StandIn:
    """Prepare the gateway of docs/sms-webhook.md."""
    secret = folder.secret_file("sms_secret", _new_secret)
    options = {"--secret-file": str(secret)}
    url, spec = _prepare(folder, SMS, options, "/_messages", environment)
    settings = {
        "SESAME_SMS_WEBHOOK_URL": f"{url}/messages",
        "SESAME_SMS_WEBHOOK_SECRET": secret.read_text(encoding="ascii"),
    }
    return StandIn(spec, url, settings)


def _prepare(
    folder: DataFolder,
    name: str,
    options: Mapping[str, str],
    ready_path: str,
    environment: Mapping[str, str],
) -> tuple[str, ProcessSpec]:
    port = folder.port(name)
    url = f"http://{LOOPBACK}:{port}"
    arguments = [part for pair in options.items() for part in pair]
    spec = ProcessSpec(
        name=name,
        argv=(sys.executable, "-m", "sesame", "sandbox", name, *arguments, "--port", str(port)),
        environment=environment,
        ready=AnsweringUrl(f"{url}{ready_path}"),
    )
    return url, spec


def _new_secret() -> bytes:
    return secrets.token_urlsafe(SECRET_BYTES).encode()
