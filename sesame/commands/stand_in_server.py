"""Serving one stand-in until it is interrupted."""

import secrets
import socket
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from parking.kit.errors import InvalidInputError

# Longer than a merchant keeps an idle connection, so that it is the merchant who closes it.
KEEPALIVE_S = 30
SECRET_FILE_MODE = 0o600
# In hex twice as many characters: what every service behind such a file takes.
SECRET_BYTES = 16


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """Return a listening socket and its URL; port 0 takes a free one.

    Raises:
        InvalidInputError: there is no listening here.
    """
    try:
        listener = socket.create_server((host, port))
    except (OSError, OverflowError) as error:
        expected = f"an address that is free: {host}:{port}: {error}"
        raise InvalidInputError("--host, --port", expected) from error
    return listener, f"http://{host}:{listener.getsockname()[1]}"


def secret_of(path: Path) -> str:
    """Return the secret in a file; made if the file is missing."""
    if not path.exists():
        path.touch(mode=SECRET_FILE_MODE)
        path.write_text(secrets.token_hex(SECRET_BYTES) + "\n", encoding="ascii")
    return path.read_text(encoding="utf-8").strip()


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
