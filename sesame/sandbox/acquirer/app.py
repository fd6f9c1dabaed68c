"""The stand-in as one ASGI application."""

from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from parking.kit.clock import Clock
from sesame.sandbox.acquirer.notices import AcquirerNotices
from sesame.sandbox.acquirer.signing import (
    PlatformKey,
    fingerprint,
    load_merchant_key,
    new_private_pem,
)
from sesame.sandbox.acquirer.wire import Acquirer, wire_routes
from sesame.sandbox.platform import RETRY_MS, PlatformOptions, create_app, open_platform

PLATFORM_KEYS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run the stand-in.

    Attributes:
        data: The SQLite file; made if it is not there.
        merchant: The merchant's name on the wire.
        merchant_keys_pem: Its public keys, one PEM each.
        public_url: Where payers reach the pages, without a slash at the end.
        notice_url: Where notices go; without it they wait.
    """

    data: Path
    merchant: str
    merchant_keys_pem: tuple[bytes, ...]
    public_url: str
    notice_url: str | None = None
    notice_retry_ms: int = RETRY_MS


@dataclass(frozen=True, slots=True)
class StandIn:
    """The application, and what a merchant has to know to use it."""

    app: Starlette
    platform_keys_pem: str
    platform_key_ids: tuple[str, ...]


def create_stand_in(options: Options, clock: Clock) -> StandIn:
    """Return the stand-in; a restart on the same file goes on where the last one stopped.

    Raises:
        ValueError: a merchant key is not an RSA public key, or the file is of another version.
    """
    merchant_keys = [load_merchant_key(pem) for pem in options.merchant_keys_pem]
    platform = open_platform(
        PlatformOptions(
            data=options.data,
            public_url=options.public_url,
            notice_url=options.notice_url,
            notice_retry_ms=options.notice_retry_ms,
            key_count=PLATFORM_KEYS,
        ),
        clock,
    )
    keys = tuple(
        PlatformKey(platform.store.secret(f"platform_key_{position}", new_private_pem))
        for position in range(PLATFORM_KEYS)
    )
    acquirer = Acquirer(
        platform=platform,
        merchant=options.merchant,
        keys=keys,
        merchant_keys={fingerprint(key): key for key in merchant_keys},
    )
    return StandIn(
        app=create_app(platform, AcquirerNotices(acquirer), routes=wire_routes(acquirer)),
        platform_keys_pem="".join(key.public_pem() for key in keys),
        platform_key_ids=tuple(key.key_id for key in keys),
    )
