"""Counts round trips to PostgreSQL where they cannot be hidden: on the wire."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from sqlalchemy import make_url

from sesame.embedded.ports import LOOPBACK

CHUNK_BYTES_MAX: Final = 256 * 1024
CONNECT_TIMEOUT_S: Final = 10.0


class RoundTripCounter:
    """A relay on loopback in front of PostgreSQL.

    A round trip is one turn of a connection's talk: the client writes, the server answers, and
    only then the client writes again. BEGIN and COMMIT count like any statement; statements sent
    together without waiting are one.

    Attributes:
        count: Round trips since the relay started, of all connections together.
    """

    def __init__(self, database_url: str) -> None:
        self._server_url = make_url(database_url)
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self.count = 0

    @property
    def url(self) -> str:
        """Where to connect so that it is counted."""
        if self._server is None:
            raise RuntimeError("the relay is not open")
        port = self._server.sockets[0].getsockname()[1]
        return self._server_url.set(host=LOOPBACK, port=port).render_as_string(hide_password=False)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        if talk is not None:
            self._talks.add(talk)
            talk.add_done_callback(self._talks.discard)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            answers, server = await asyncio.open_connection(
                self._server_url.host, self._server_url.port
            )
        connection = _Connection(self)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass_on(reader, server, connection.asked))
                group.create_task(_pass_on(answers, writer, connection.answered))
        except* OSError:
            # One side went away; closing tells the other.
            pass
        finally:
            server.close()
            writer.close()


class _Connection:
    """Whose turn it is to talk."""

    def __init__(self, counter: RoundTripCounter) -> None:
        self._counter = counter
        self._is_asking = False

    def asked(self) -> None:
        if not self._is_asking:
            self._counter.count += 1
        self._is_asking = True

    def answered(self) -> None:
        self._is_asking = False


async def _pass_on(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, note: Callable[[], None]
) -> None:
    while chunk := await source.read(CHUNK_BYTES_MAX):
        note()
        sink.write(chunk)
        await sink.drain()
    sink.close()
