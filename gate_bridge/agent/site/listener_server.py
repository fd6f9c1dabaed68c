"""Serves the listener over HTTP or HTTPS, inside the process of the site's lanes."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from parking.kit.errors import InvalidInputError, UnavailableError

PORT_MAX: Final = 65_535
CONNECTIONS_MAX: Final = 256  # Beyond them the server refuses by itself: no site has as many.
KEEP_ALIVE_S: Final = 30
SHUTDOWN_S: Final = 5
START_S_MAX: Final = 10.0
_BACKLOG: Final = 128

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedAt:
    """Where and how the listener is reached.

    Attributes:
        port: 0 takes a free one.
        certificate: With `key`, for HTTPS.
        client_ca: Every device has to show a certificate of this authority; only with HTTPS.
    """

    host: str = "127.0.0.1"
    port: int = 8090
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None

    def check(self) -> None:
        """Refuse what cannot be served.

        Raises:
            InvalidInputError: naming the setting.
        """
        if not 0 <= self.port <= PORT_MAX:
            raise InvalidInputError("listener.port", f"0 to {PORT_MAX}")
        if (self.certificate is None) is not (self.key is None):
            raise InvalidInputError("listener.key", "a certificate and its key, or neither")
        if self.client_ca is not None and self.certificate is None:
            raise InvalidInputError("listener.client_ca", "HTTPS, with a certificate and its key")


class _Server(uvicorn.Server):
    """Leaves the signals to the process that it is a part of."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def serve_devices(
    app: ASGIApp, at: ServedAt, connections: type[asyncio.Protocol]
) -> AsyncGenerator[int]:
    """Serve until the end of the block; gives the port.

    Args:
        app: What answers.
        at: Where it is reached.
        connections: An HTTP protocol of the server that bounds headers and the time of a request.

    Raises:
        InvalidInputError: there is no serving at this address.
    """
    at.check()
    with _listening(at) as listening:
        server = _Server(_config(app, at, connections))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            ready = asyncio.create_task(server.ready.wait())
            await asyncio.wait(
                {ready, serving}, timeout=START_S_MAX, return_when=asyncio.FIRST_COMPLETED
            )
            ready.cancel()
            if not server.ready.is_set():
                raise UnavailableError("listener: the server did not start")
            port: int = listening.getsockname()[1]
            _log.info("device_listener_listens", host=at.host, port=port)
            yield port
        finally:
            server.should_exit = True
            await serving


def _listening(at: ServedAt) -> socket.socket:
    family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
    try:
        return socket.create_server((at.host, at.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        expected = f"an address that is free: {at.host}:{at.port}: {error}"
        raise InvalidInputError("listener.host", expected) from error


def _config(app: ASGIApp, at: ServedAt, connections: type[asyncio.Protocol]) -> uvicorn.Config:
    try:
        config = uvicorn.Config(
            app,
            http=connections,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # A device's address is what the socket says, whatever a header claims.
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=SHUTDOWN_S,
            ssl_certfile=at.certificate,
            ssl_keyfile=at.key,
            ssl_ca_certs=None if at.client_ca is None else str(at.client_ca),
            ssl_cert_reqs=ssl.CERT_NONE if at.client_ca is None else ssl.CERT_REQUIRED,
        )
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise InvalidInputError(
            "listener.certificate", f"a certificate and its key: {error}"
        ) from error
    return config
