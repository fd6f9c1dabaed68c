"""The least that any such bridge needs: a WebSocket server that only echoes.

`python -m sesame.bench.gates.bare_peer CONNECTIONS [CERTIFICATE KEY CA]` prints its port.
"""

import asyncio
import ssl
import sys
from contextlib import suppress
from typing import Final

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from sesame.bench.gates.open_files import raise_open_files

_BACKLOG: Final = 4096
_TLS_ARGUMENTS: Final = 3


async def _echo(connection: ServerConnection) -> None:
    with suppress(ConnectionClosed):
        async for message in connection:
            await connection.send(message)


async def _run(tls: ssl.SSLContext | None) -> None:
    async with serve(
        _echo, "127.0.0.1", 0, compression=None, ssl=tls, backlog=_BACKLOG, open_timeout=60
    ) as server:
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _tls(certificate: str, key: str, trusted: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile=trusted)
    context.num_tickets = 0
    return context


if __name__ == "__main__":
    raise_open_files(int(sys.argv[1]))
    files = sys.argv[2:]
    uvloop.run(_run(_tls(*files) if len(files) == _TLS_ARGUMENTS else None))
