"""Every provider's stand-in as a process, with the settings that lead to it."""

import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sesame.embedded.folder import DataFolder
from sesame.embedded.ports import LOOPBACK
from sesame.process_spec import AnsweringUrl, ProcessSpec
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem
from sesame.sandbox.etc.signing import etc_public_pem, new_etc_private_pem

MERCHANT: Final = "sesame-bench"
NOTICE_RETRY_MS: Final = 200
SECRET_BYTES: Final = 20
WECHAT_MERCHANT: Final = "1900007291"
WECHAT_APP: Final = "wxcbda96de0b165486"
WECHAT_SERIAL: Final = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
WECHAT_SERVICE: Final = "/pages/auth-creditpay/auth-creditpay"
ALIPAY_APP: Final = "2021000000000001"
ALIPAY_SELLER: Final = "2088000000000001"
STRIPE_KEY: Final = "sk_test_sesamebench"
STRIPE_SECRET: Final = "whsec_sesamebench"  # noqa: S105 - of a stand-in


@dataclass(frozen=True, slots=True)
class Site:
    """Where stand-ins are built.

    Attributes:
        environment: Of their processes.
        api_url: Where their notices go.
    """

    folder: DataFolder
    environment: Mapping[str, str]
    api_url: str


@dataclass(frozen=True, slots=True)
class StandIn:
    """One provider.

    Attributes:
        settings: For the product's processes.
    """

    name: str
    spec: ProcessSpec
    url: str
    settings: Mapping[str, str]


def acquirer(site: Site) -> StandIn:
    """Prepare the acquirer of docs/acquirer-wire.md."""
    private, public = _keys(site, "acquirer", new_private_pem, public_pem)
    platform_keys = site.folder.root / "acquirer_platform.pem"
    options = {
        "--merchant-key": str(public),
        "--merchant": MERCHANT,
        "--platform-key-out": str(platform_keys),
        "--notice-url": f"{site.api_url}/callbacks/acquirer",
        "--notice-retry-ms": str(NOTICE_RETRY_MS),
    }
    spec, url = _process(site, "acquirer", options)
    return StandIn(
        "acquirer",
        spec,
        url,
        {
            "SESAME_ACQUIRER_URL": url,
            "SESAME_ACQUIRER_MERCHANT": MERCHANT,
            "SESAME_ACQUIRER_KEY_FILE": str(private),
            "SESAME_ACQUIRER_PLATFORM_KEYS_FILE": str(platform_keys),
        },
    )


def wechat(site: Site) -> StandIn:
    """Prepare WeChat Pay."""
    private, public = _keys(site, "wechat", new_private_pem, public_pem)
    platform_keys = site.folder.root / "wechat_platform.pem"
    api_key = site.folder.root / "wechat_api_key"
    options = {
        "--merchant-key": str(public),
        "--merchant": WECHAT_MERCHANT,
        "--key-serial": WECHAT_SERIAL,
        "--api-key-file": str(api_key),
        "--platform-keys-out": str(platform_keys),
    }
    spec, url = _process(site, "wechat", options)
    return StandIn(
        "wechat",
        spec,
        url,
        {
            "SESAME_WECHAT_URL": url,
            "SESAME_WECHAT_MERCHANT": WECHAT_MERCHANT,
            "SESAME_WECHAT_APP": WECHAT_APP,
            "SESAME_WECHAT_KEY_FILE": str(private),
            "SESAME_WECHAT_KEY_SERIAL": WECHAT_SERIAL,
            "SESAME_WECHAT_API_KEY_FILE": str(api_key),
            "SESAME_WECHAT_PLATFORM_KEYS_FILE": str(platform_keys),
            "SESAME_WECHAT_SERVICE_URL": f"{url}{WECHAT_SERVICE}",
        },
    )


def alipay(site: Site) -> StandIn:
    """Prepare Alipay."""
    private, public = _keys(site, "alipay", new_private_pem, public_pem)
    public_keys = site.folder.root / "alipay_platform.pem"
    options = {
        "--app-key": str(public),
        "--app-id": ALIPAY_APP,
        "--seller-id": ALIPAY_SELLER,
        "--public-keys-out": str(public_keys),
    }
    spec, url = _process(site, "alipay", options)
    return StandIn(
        "alipay",
        spec,
        url,
        {
            "SESAME_ALIPAY_APP_ID": ALIPAY_APP,
            "SESAME_ALIPAY_SELLER_ID": ALIPAY_SELLER,
            "SESAME_ALIPAY_KEY_FILE": str(private),
            "SESAME_ALIPAY_PUBLIC_KEYS_FILE": str(public_keys),
            "SESAME_ALIPAY_GATEWAY_URL": f"{url}/gateway.do",
            "SESAME_ALIPAY_BILL_HOST": LOOPBACK,
            # A page that a browser opens, in place of the app's own link.
            "SESAME_ALIPAY_SIGN_CHANNEL": "QRCODE",
        },
    )


def etc(site: Site) -> StandIn:
    """Prepare the ETC acquirer."""
    private, public = _keys(site, "etc", new_etc_private_pem, etc_public_pem)
    platform_keys = site.folder.root / "etc_platform.pem"
    options = {
        "--merchant-key": str(public),
        "--merchant": MERCHANT,
        "--platform-key-out": str(platform_keys),
        "--notice-url": f"{site.api_url}/callbacks/etc",
        "--notice-retry-ms": str(NOTICE_RETRY_MS),
    }
    spec, url = _process(site, "etc", options, "--sees-everything")
    return StandIn(
        "etc",
        spec,
        url,
        {
            "SESAME_ETC_URL": url,
            "SESAME_ETC_MERCHANT": MERCHANT,
            "SESAME_ETC_KEY_FILE": str(private),
            "SESAME_ETC_PLATFORM_KEYS_FILE": str(platform_keys),
        },
    )


def stripe(site: Site) -> StandIn:
    """Prepare Stripe."""
    options = {
        "--secret-key": STRIPE_KEY,
        "--webhook-secret": STRIPE_SECRET,
        "--notice-url": f"{site.api_url}/callbacks/stripe",
        "--notice-retry-ms": str(NOTICE_RETRY_MS),
    }
    spec, url = _process(site, "stripe", options)
    return StandIn(
        "stripe",
        spec,
        url,
        {
            "SESAME_STRIPE_URL": url,
            "SESAME_STRIPE_SECRET_KEY": STRIPE_KEY,
            "SESAME_STRIPE_WEBHOOK_SECRETS": STRIPE_SECRET,
        },
    )


def gocardless(site: Site) -> StandIn:
    """Prepare GoCardless."""
    root = site.folder
    token = root.secret_file("gocardless_token", _new_secret)
    webhook = root.secret_file("gocardless_secret", _new_secret)
    options = {
        "--access-token-file": str(token),
        "--webhook-secret-file": str(webhook),
        "--notice-url": f"{site.api_url}/callbacks/gocardless",
        "--notice-retry-ms": str(NOTICE_RETRY_MS),
    }
    spec, url = _process(site, "gocardless", options)
    return StandIn(
        "gocardless",
        spec,
        url,
        {
            "SESAME_GOCARDLESS_URL": url,
            "SESAME_GOCARDLESS_ACCESS_TOKEN_FILE": str(token),
            "SESAME_GOCARDLESS_WEBHOOK_SECRET_FILE": str(webhook),
        },
    )


MAKERS: Final[Mapping[str, Callable[[Site], StandIn]]] = {
    "acquirer": acquirer,
    "wechat": wechat,
    "alipay": alipay,
    "stripe": stripe,
    "etc": etc,
    "gocardless": gocardless,
}


def _new_secret() -> bytes:
    return secrets.token_hex(SECRET_BYTES).encode()


def _keys(
    site: Site, name: str, make: Callable[[], bytes], publish: Callable[[bytes], str]
) -> tuple[Path, Path]:
    private = site.folder.secret_file(f"{name}_merchant.pem", make)
    public = site.folder.root / f"{name}_merchant.pub.pem"
    public.write_text(publish(private.read_bytes()), encoding="ascii")
    return private, public


def _process(
    site: Site, name: str, options: Mapping[str, str], *flags: str
) -> tuple[ProcessSpec, str]:
    port = site.folder.port(name)
    url = f"http://{LOOPBACK}:{port}"
    every = {"--data": str(site.folder.root / f"{name}.db"), **options, "--port": str(port)}
    arguments = [part for pair in every.items() for part in pair]
    spec = ProcessSpec(
        name=name,
        argv=(sys.executable, "-m", "sesame", "sandbox", name, *arguments, *flags),
        environment=site.environment,
        ready=AnsweringUrl(f"{url}/_books"),
    )
    return spec, url
