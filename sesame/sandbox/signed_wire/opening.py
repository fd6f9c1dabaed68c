"""Opens a stand-in that speaks a signed wire."""

from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from parking.kit.clock import Clock
from sesame.sandbox.platform import RETRY_MS, PlatformOptions, open_platform
from sesame.sandbox.signed_wire.signing import Scheme
from sesame.sandbox.signed_wire.wire import SignedWire

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


def open_wire(options: Options, scheme: Scheme, agreement_field: str, clock: Clock) -> SignedWire:
    """Return the wire; a restart on the same file goes on where the last one stopped.

    Raises:
        InvalidInputError: the file is of another stand-in, or of another version.
        ValueError: a merchant key is of another algorithm.
    """
    merchant_keys = [scheme.load_merchant_key(pem) for pem in options.merchant_keys_pem]
    platform = open_platform(
        PlatformOptions(
            name=scheme.name,
            data=options.data,
            public_url=options.public_url,
            notice_url=options.notice_url,
            notice_retry_ms=options.notice_retry_ms,
            key_count=PLATFORM_KEYS,
        ),
        clock,
    )
    secrets = [
        platform.store.secret(f"platform_key_{position}", scheme.new_private_pem)
        for position in range(PLATFORM_KEYS)
    ]
    return SignedWire(
        platform=platform,
        scheme=scheme,
        agreement_field=agreement_field,
        merchant=options.merchant,
        keys=tuple(map(scheme.load_platform_key, secrets)),
        merchant_keys={key.key_id: key for key in merchant_keys},
    )


def stand_in(wire: SignedWire, app: Starlette) -> StandIn:
    """Return the application with the platform's keys."""
    return StandIn(
        app=app,
        platform_keys_pem="".join(key.public_pem for key in wire.keys),
        platform_key_ids=tuple(key.key_id for key in wire.keys),
    )
