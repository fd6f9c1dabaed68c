"""HTTP on loopback, served by the event loop of the test itself: no thread, no waiting."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator

import uvicorn
from starlette.types import ASGIApp

POLL_S = 0.005
START_TRIES_MAX = 1000


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        # Ctrl-C belongs to pytest.
        yield


@contextlib.asynccontextmanager
async def served(app: ASGIApp, listening: socket.socket) -> AsyncGenerator[None]:
    """Serve until the end of the block."""
    config = uvicorn.Config(
        app, log_config=None, access_log=False, ws="none", timeout_keep_alive=30
    )
    # Without it every second answer waits 40 ms for an acknowledgement: see Nagle's algorithm.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    for _ in range(START_TRIES_MAX):
        if server.started or serving.done():
            break
        await asyncio.sleep(POLL_S)
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        listening.close()
