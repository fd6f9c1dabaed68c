"""The stand-in as one ASGI application."""

from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from parking.kit.clock import Clock
from sesame.sandbox.alipay.agreements import confirmed
from sesame.sandbox.alipay.gateway import Gateway
from sesame.sandbox.alipay.notices import AlipayNotices
from sesame.sandbox.alipay.signing import PlatformKey, load_app_key, new_private_pem
from sesame.sandbox.alipay.wire import wire_routes
from sesame.sandbox.platform import RETRY_MS, PlatformOptions, create_app, open_platform

PLATFORM_KEYS = 2
APP_ID = "2021000000000001"
SELLER_ID = "2088000000000002"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run the stand-in.

    Attributes:
        data: The SQLite file; made if it is not there.
        app_key_pem: The application's public key.
        public_url: Where payers reach the pages, without a slash at the end.
        app_id: The application.
        seller_id: The merchant's account.
    """

    data: Path
    app_key_pem: bytes
    public_url: str
    app_id: str = APP_ID
    seller_id: str = SELLER_ID
    notice_retry_ms: int = RETRY_MS


@dataclass(frozen=True, slots=True)
class StandIn:
    """The application, and what a merchant has to know to use it."""

    app: Starlette
    gateway: Gateway
    public_keys_pem: str


def create_stand_in(options: Options, clock: Clock) -> StandIn:
    """Return the stand-in; a restart on the same file goes on where the last one stopped.

    Raises:
        InvalidInputError: the file is of another stand-in, or of another version.
        ValueError: the key is not an RSA public key.
    """
    app_key = load_app_key(options.app_key_pem)
    platform = open_platform(
        PlatformOptions(
            name="alipay",
            data=options.data,
            public_url=options.public_url,
            title="Alipay",
            notice_retry_ms=options.notice_retry_ms,
            key_count=PLATFORM_KEYS,
        ),
        clock,
    )
    keys = tuple(
        PlatformKey(platform.store.secret(f"platform_key_{position}", new_private_pem))
        for position in range(PLATFORM_KEYS)
    )
    gateway = Gateway(
        platform=platform,
        app_id=options.app_id,
        seller_id=options.seller_id,
        keys=keys,
        app_key=app_key,
    )
    app = create_app(
        platform, AlipayNotices(gateway), routes=wire_routes(gateway), confirmed=confirmed
    )
    return StandIn(
        app=app, gateway=gateway, public_keys_pem="".join(key.public_pem() for key in keys)
    )
