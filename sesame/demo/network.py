"""A network cable between a site and the bridge, which somebody may pull."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

CHUNK_BYTES_MAX: Final = 64 * 1024
CONNECT_TIMEOUT_S: Final = 5.0


class Cable:
    """Passes connections on to one port of this machine, until it is pulled.

    Attributes:
        port: Where connections are taken.
    """

    def __init__(self, to_port: int) -> None:
        self.port = 0
        self._to_port = to_port
        self._is_pulled = False
        self._ends: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def laid(self) -> AsyncGenerator[None]:
        """Pass on for the length of the block."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            self.pull()
            server.close()
            await server.wait_closed()

    def pull(self) -> None:
        """Cut every connection, and take no other."""
        self._is_pulled = True
        for end in self._ends:
            end.transport.abort()

    def plug_in(self) -> None:
        """Take connections again."""
        self._is_pulled = False

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = {writer}
        try:
            if self._is_pulled:
                return
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
            ends.add(far_writer)
            self._ends |= ends
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        except OSError:
            # Nobody is at the other end: this one is cut like any other.
            pass
        finally:
            self._ends -= ends
            for end in ends:
                end.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK_BYTES_MAX):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        # The cable was pulled, or an end went away.
        pass
    finally:
        writer.transport.abort()
