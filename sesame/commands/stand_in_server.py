"""Serving one stand-in until it is interrupted."""

import socket

import uvicorn
from starlette.types import ASGIApp

# Longer than a merchant keeps an idle connection, so that it is the merchant who closes it.
KEEPALIVE_S = 30


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """Return a listening socket and its URL; port 0 takes a free one."""
    listener = socket.create_server((host, port))
    return listener, f"http://{host}:{listener.getsockname()[1]}"


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until interrupted."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        ws="none",
        timeout_keep_alive=KEEPALIVE_S,
    )
    uvicorn.Server(config).run(sockets=[listener])
