"""`sesame api`: HTTP, GraphQL and WebSockets for phones, staff, payers and payment providers."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer
import uvicorn
import uvloop
from starlette.types import ASGIApp

from api.app import create_app
from api.config import SOCKET_MESSAGE_BYTES_MAX, SOCKETS_MAX
from api.draining import Drain
from parking.drivers.port import NullSmsSender
from parking.kit.tasks import end_tasks
from sesame.api_config import api_config
from sesame.firebase.opening import open_firebase
from sesame.freed_memory import FreedMemory, give_back
from sesame.http_connection import BoundedConnection
from sesame.settings import Settings
from sesame.sms import open_sms
from sesame.socket_connection import SmallSocket
from sesame.wiring import open_context

SHUTDOWN_TIMEOUT_S: Final = 10
KEEP_ALIVE_S: Final = 30
BACKLOG: Final = 2048
# Sockets count too: beyond this every request is answered 503, which keeps the process alive.
CONNECTIONS_MAX: Final = SOCKETS_MAX + 2000
# A phone in a tunnel is given this long before its socket is closed.
WS_PING_TIMEOUT_S: Final = 20.0
# Objects made before the collector looks: requests leave no cycles, and one makes hundreds.
# What survives once are sockets, which stay: to look through them again is work for nothing.
COLLECTED_AFTER: Final = (20_000, 60, 20)
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def api_command(
    *,
    host: Annotated[str | None, typer.Option(help="Address; default SESAME_API_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default SESAME_API_PORT.")] = None,
    trusted_documents: Annotated[
        Path | None,
        typer.Option(
            help="Manifest of the apps' operations; default SESAME_TRUSTED_DOCUMENTS_FILE."
        ),
    ] = None,
) -> None:
    """Serve drivers, staff, payers and payment providers until SIGTERM."""
    settings = Settings()
    if trusted_documents is not None:
        settings.trusted_documents_file = trusted_documents
    chosen_port = settings.api_port if port is None else port
    uvloop.run(_serve(settings, host=host or settings.api_host, port=chosen_port))


def server_config(app: ASGIApp, *, host: str, port: int) -> uvicorn.Config:
    """Return how the application is served, here and in the tests."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=BoundedConnection,
        ws=SmallSocket,
        ws_max_size=SOCKET_MESSAGE_BYTES_MAX,
        # Compression costs more memory than a thousand small messages are worth.
        ws_per_message_deflate=False,
        ws_ping_timeout=WS_PING_TIMEOUT_S,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )


class ApiServer(uvicorn.Server):
    """Lets go of its clients after SIGTERM, and ends with 0.

    The library would close everything at once and kill itself with the same signal.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain
        self._draining: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain, then end; the second signal does not wait."""
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain_and_exit(sig, frame))
        else:
            super().handle_exit(sig, frame)

    async def _drain_and_exit(self, sig: int, frame: FrameType | None) -> None:
        await self._drain()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Let SIGTERM and SIGINT end the serving, for the length of the block."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)


async def _serve(settings: Settings, *, host: str, port: int) -> None:
    async with (
        open_context(settings) as context,
        open_sms(settings) as sms,
        open_firebase(settings) as firebase,
    ):
        config = api_config(settings, sms or NullSmsSender(), firebase)
        app = create_app(context, config)
        drain: Drain = app.state.drain
        server = ApiServer(
            server_config(app, host=host, port=port), partial(drain.run, settings.api_drain_s)
        )
        # Everything loaded so far lives to the end: the collector need never look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECTED_AFTER)
        places = app.sockets.places
        watching = asyncio.create_task(FreedMemory(lambda: places.sockets, give_back).watch())
        try:
            await server.serve()
        finally:
            await end_tasks(watching)
