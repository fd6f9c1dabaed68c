"""A platform of books and rules, and the ASGI application around it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Route

from parking.kit.clock import Clock
from sesame.sandbox.platform.agreements import AgreementBook
from sesame.sandbox.platform.ahead import AheadClock
from sesame.sandbox.platform.chargebacks import ChargebackBook
from sesame.sandbox.platform.control import Action, control_routes
from sesame.sandbox.platform.courier import RETRY_MS, Courier, Delivery, NoticeWire, Wakes
from sesame.sandbox.platform.notices import NoticeBook
from sesame.sandbox.platform.orders import OrderBook
from sesame.sandbox.platform.pages import DEFAULT_TITLE, Confirmed, page_routes
from sesame.sandbox.platform.parts import Platform
from sesame.sandbox.platform.scenarios import Script
from sesame.sandbox.platform.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformOptions:
    """How to run a stand-in.

    Attributes:
        name: What is played; a file belongs to one.
        data: The SQLite file; made if it is not there.
        public_url: Where payers reach the pages, without a slash at the end.
        title: Whom it plays, as its pages say.
        notice_url: Where notices go; without it they wait, unless an order says where.
        key_count: How many signing keys `platform_key` of the control may choose from.
    """

    name: str
    data: Path
    public_url: str
    title: str = DEFAULT_TITLE
    notice_url: str | None = None
    notice_retry_ms: int = RETRY_MS
    key_count: int = 1


def open_platform(options: PlatformOptions, clock: Clock) -> Platform:
    """Return the platform; a restart on the same file goes on where the last one stopped.

    Raises:
        InvalidInputError: the file is of another stand-in, or of another version.
    """
    time = AheadClock(clock)

    def now_ms() -> int:
        return int(time.now().timestamp() * 1000)

    store = Store(options.data, options.name)
    notices = NoticeBook(store, now_ms)
    agreements = AgreementBook(store, notices, now_ms)
    orders = OrderBook(store, agreements, notices, now_ms)
    return Platform(
        store=store,
        clock=time,
        notices=notices,
        agreements=agreements,
        orders=orders,
        chargebacks=ChargebackBook(store, orders, notices, now_ms),
        script=Script(),
        delivery=Delivery(
            url=options.notice_url,
            retry_ms=options.notice_retry_ms,
            key_count=options.key_count,
        ),
        wakes=Wakes(),
        public_url=options.public_url,
        title=options.title,
    )


def create_app(
    platform: Platform,
    wire: NoticeWire,
    *,
    routes: Sequence[Route],
    actions: Sequence[Action] = (),
    confirmed: Confirmed | None = None,
) -> Starlette:
    """Return the stand-in as one ASGI application.

    Args:
        platform: The books; closed when the application ends.
        wire: How notices are said.
        routes: The calls of the wire; they come before everything else.
        actions: What `/_control` can do besides what every stand-in can.
        confirmed: What confirming an agreement adds to its `extra`.
    """
    books = (platform.notices, platform.orders)
    courier = Courier(books, platform.delivery, platform.wakes, wire, platform.now_ms)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        work = asyncio.create_task(courier.run())
        yield
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        platform.store.close()

    return Starlette(
        routes=[*routes, *page_routes(platform, confirmed), *control_routes(platform, actions)],
        lifespan=lifespan,
    )
