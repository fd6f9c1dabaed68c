"""The stand-in as one ASGI application."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from parking.kit.clock import Clock
from sesame.sandbox.acquirer.books import Books
from sesame.sandbox.acquirer.control import control_routes
from sesame.sandbox.acquirer.notices import RETRY_MS, Courier, Delivery
from sesame.sandbox.acquirer.pages import page_routes
from sesame.sandbox.acquirer.scenarios import Script
from sesame.sandbox.acquirer.signing import fingerprint, load_merchant_key
from sesame.sandbox.acquirer.store import Store
from sesame.sandbox.acquirer.wire import Platform, wire_routes


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
        ValueError: a merchant key is not an RSA public key.
    """
    store = Store(options.data)
    keys = store.platform_keys()
    books = Books(store, clock)
    delivery = Delivery(options.merchant, keys[0], options.notice_url, options.notice_retry_ms)
    courier = Courier(store, books, delivery)
    merchant_keys = [load_merchant_key(pem) for pem in options.merchant_keys_pem]
    platform = Platform(
        store=store,
        books=books,
        courier=courier,
        delivery=delivery,
        script=Script(),
        merchant_keys={fingerprint(key): key for key in merchant_keys},
        public_url=options.public_url,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        work = asyncio.create_task(courier.run())
        yield
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        store.close()

    routes = [
        *wire_routes(platform),
        *page_routes(books, courier),
        *control_routes(platform, keys),
    ]
    return StandIn(
        app=Starlette(routes=routes, lifespan=lifespan),
        platform_keys_pem="".join(key.public_pem() for key in keys),
        platform_key_ids=tuple(key.key_id for key in keys),
    )
