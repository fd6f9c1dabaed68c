"""Every stand-in as a process of its own, with the settings that lead the product to it."""

import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sesame.embedded.folder import DataFolder
from sesame.embedded.ports import LOOPBACK
from sesame.process_spec import AnsweringUrl, ProcessSpec
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem
from sesame.sandbox.alipay.app import APP_ID, SELLER_ID
from sesame.sandbox.etc.signing import etc_public_pem, new_etc_private_pem
from sesame.sandbox.wechat.app import APP, MERCHANT, SERIAL
from sesame.sandbox.wechat.pages import SERVICE_PATH

WIRE_MERCHANT: Final = "sesame-sandbox"
STRIPE_KEY: Final = "sk_test_sesamesandbox"
STRIPE_SECRET: Final = "whsec_sesamesandbox"  # noqa: S105 - of a stand-in
NOTICE_RETRY_MS: Final = 200
SECRET_BYTES: Final = 20


@dataclass(frozen=True, slots=True)
class Site:
    """Where stand-ins are built.

    Attributes:
        folder: For their books, keys and ports.
        environment: Of their processes.
        api_url: Where their notices go; None where nobody listens.
    """

    folder: DataFolder
    environment: Mapping[str, str]
    api_url: str | None


@dataclass(frozen=True, slots=True)
class StandIn:
    """One stand-in's process, where it answers, and the settings for the product's processes."""

    spec: ProcessSpec
    url: str
    settings: Mapping[str, str]


Maker = Callable[[Site], StandIn]


def acquirer(site: Site) -> StandIn:
    """Prepare the acquirer of docs/acquirer-wire.md."""
    return _wire(site, "acquirer", new_private_pem, public_pem)


def etc(site: Site) -> StandIn:
    """Prepare the acquirer of docs/etc-wire.md; every antenna sees every car."""
    return _wire(site, "etc", new_etc_private_pem, etc_public_pem, "--sees-everything")


def wechat(site: Site) -> StandIn:
    """Prepare WeChat Pay."""
    private, public = _keys(site, "wechat", new_private_pem, public_pem)
    platform_keys = site.folder.root / "wechat_platform.pem"
    api_key = site.folder.root / "wechat_api_key"
    options = {
        "--merchant-key": public,
        "--api-key-file": api_key,
        "--platform-keys-out": platform_keys,
    }
    spec, url = _process(site, "wechat", _with_books(site, "wechat", options))
    settings = {
        "SESAME_WECHAT_URL": url,
        "SESAME_WECHAT_MERCHANT": MERCHANT,
        "SESAME_WECHAT_APP": APP,
        "SESAME_WECHAT_KEY_FILE": str(private),
        "SESAME_WECHAT_KEY_SERIAL": SERIAL,
        "SESAME_WECHAT_API_KEY_FILE": str(api_key),
        "SESAME_WECHAT_PLATFORM_KEYS_FILE": str(platform_keys),
        "SESAME_WECHAT_SERVICE_URL": f"{url}{SERVICE_PATH}",
    }
    return StandIn(spec, url, settings)


def alipay(site: Site) -> StandIn:
    """Prepare Alipay."""
    private, public = _keys(site, "alipay", new_private_pem, public_pem)
    public_keys = site.folder.root / "alipay_platform.pem"
    options = {"--app-key": public, "--public-keys-out": public_keys}
    spec, url = _process(site, "alipay", _with_books(site, "alipay", options))
    settings = {
        "SESAME_ALIPAY_APP_ID": APP_ID,
        "SESAME_ALIPAY_SELLER_ID": SELLER_ID,
        "SESAME_ALIPAY_KEY_FILE": str(private),
        "SESAME_ALIPAY_PUBLIC_KEYS_FILE": str(public_keys),
        "SESAME_ALIPAY_GATEWAY_URL": f"{url}/gateway.do",
        "SESAME_ALIPAY_BILL_HOST": LOOPBACK,
        # A page that a browser opens, in place of the app's own link.
        "SESAME_ALIPAY_SIGN_CHANNEL": "QRCODE",
    }
    return StandIn(spec, url, settings)


def stripe(site: Site) -> StandIn:
    """Prepare Stripe."""
    options = {
        "--secret-key": STRIPE_KEY,
        "--webhook-secret": STRIPE_SECRET,
        **_notices(site, "stripe"),
    }
    spec, url = _process(site, "stripe", _with_books(site, "stripe", options))
    settings = {
        "SESAME_STRIPE_URL": url,
        "SESAME_STRIPE_SECRET_KEY": STRIPE_KEY,
        "SESAME_STRIPE_WEBHOOK_SECRETS": STRIPE_SECRET,
    }
    return StandIn(spec, url, settings)


def gocardless(site: Site) -> StandIn:
    """Prepare GoCardless."""
    token = site.folder.secret_file("gocardless_token", _new_secret)
    webhook = site.folder.secret_file("gocardless_secret", _new_secret)
    options = {
        "--access-token-file": token,
        "--webhook-secret-file": webhook,
        **_notices(site, "gocardless"),
    }
    spec, url = _process(site, "gocardless", _with_books(site, "gocardless", options))
    settings = {
        "SESAME_GOCARDLESS_URL": url,
        "SESAME_GOCARDLESS_ACCESS_TOKEN_FILE": str(token),
        "SESAME_GOCARDLESS_WEBHOOK_SECRET_FILE": str(webhook),
    }
    return StandIn(spec, url, settings)


def fcm(site: Site) -> StandIn:
    """Prepare Firebase Cloud Messaging."""
    credentials = site.folder.root / "fcm_account.json"
    spec, url = _process(site, "fcm", {"--credentials-out": credentials}, ready_path="/_log")
    settings = {"SESAME_FCM_CREDENTIALS_FILE": str(credentials), "SESAME_FCM_ENDPOINT": url}
    return StandIn(spec, url, settings)


def sms(site: Site) -> StandIn:
    """Prepare the gateway of docs/sms-webhook.md."""
    secret = site.folder.secret_file("sms_secret", _new_secret)
    spec, url = _process(site, "sms", {"--secret-file": secret}, ready_path="/_messages")
    settings = {
        "SESAME_SMS_WEBHOOK_URL": f"{url}/messages",
        "SESAME_SMS_WEBHOOK_SECRET": secret.read_text(encoding="ascii"),
    }
    return StandIn(spec, url, settings)


PAYMENT_MAKERS: Final[Mapping[str, Maker]] = {
    "acquirer": acquirer,
    "wechat": wechat,
    "alipay": alipay,
    "stripe": stripe,
    "etc": etc,
    "gocardless": gocardless,
}
MAKERS: Final[Mapping[str, Maker]] = {**PAYMENT_MAKERS, "fcm": fcm, "sms": sms}


def prepare(site: Site, names: Sequence[str]) -> dict[str, StandIn]:
    """Return the named stand-ins; nothing starts yet."""
    return {name: MAKERS[name](site) for name in names}


def with_stand_ins(
    environment: Mapping[str, str], stand_ins: Mapping[str, StandIn]
) -> dict[str, str]:
    """Return an environment that leads to the stand-ins."""
    settings = [stand_in.settings for stand_in in stand_ins.values()]
    return {**environment, **{name: each[name] for each in settings for name in each}}


def _wire(
    site: Site, name: str, make: Callable[[], bytes], publish: Callable[[bytes], str], *flags: str
) -> StandIn:
    private, public = _keys(site, name, make, publish)
    platform_keys = site.folder.root / f"{name}_platform.pem"
    options = {
        "--merchant-key": public,
        "--merchant": WIRE_MERCHANT,
        "--platform-key-out": platform_keys,
        **_notices(site, name),
    }
    spec, url = _process(site, name, _with_books(site, name, options), *flags)
    prefix = f"SESAME_{name.upper()}"
    settings = {
        f"{prefix}_URL": url,
        f"{prefix}_MERCHANT": WIRE_MERCHANT,
        f"{prefix}_KEY_FILE": str(private),
        f"{prefix}_PLATFORM_KEYS_FILE": str(platform_keys),
    }
    return StandIn(spec, url, settings)


def _new_secret() -> bytes:
    return secrets.token_hex(SECRET_BYTES).encode()


def _keys(
    site: Site, name: str, make: Callable[[], bytes], publish: Callable[[bytes], str]
) -> tuple[Path, Path]:
    private = site.folder.secret_file(f"{name}_merchant.pem", make)
    public = site.folder.root / f"{name}_merchant.pub.pem"
    public.write_text(publish(private.read_bytes()), encoding="ascii")
    return private, public


def _notices(site: Site, name: str) -> dict[str, str]:
    if site.api_url is None:
        return {}
    return {
        "--notice-url": f"{site.api_url}/callbacks/{name}",
        "--notice-retry-ms": str(NOTICE_RETRY_MS),
    }


def _with_books(site: Site, name: str, options: Mapping[str, object]) -> dict[str, object]:
    return {"--data": site.folder.root / f"{name}.db", **options}


def _process(
    site: Site, name: str, options: Mapping[str, object], *flags: str, ready_path: str = "/_books"
) -> tuple[ProcessSpec, str]:
    port = site.folder.port(name)
    url = f"http://{LOOPBACK}:{port}"
    given = {**options, "--port": port}
    arguments = [str(part) for pair in given.items() for part in pair]
    spec = ProcessSpec(
        name=name,
        argv=(sys.executable, "-m", "sesame", "sandbox", name, *arguments, *flags),
        environment=site.environment,
        ready=AnsweringUrl(f"{url}{ready_path}"),
    )
    return spec, url
