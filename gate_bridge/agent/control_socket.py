"""The control lines of a lane over a Unix socket: every client also gets the reports."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from gate_bridge.agent.control import CLIENTS_MAX, LINE_BYTES_MAX, Control, obey_stream, to_line
from gate_bridge.agent.reports import Report

_UNREAD_BYTES_MAX = 1024 * 1024


class ControlSocket:
    """The clients of one socket."""

    def __init__(self) -> None:
        self._clients: set[asyncio.StreamWriter] = set()

    def tell(self, report: Report) -> None:
        """Send a report to every client that reads."""
        line = to_line(report)
        for client in self._clients:
            if client.transport.get_write_buffer_size() < _UNREAD_BYTES_MAX:
                client.write(line)

    @asynccontextmanager
    async def serve(self, path: Path, control: Control) -> AsyncGenerator[None]:
        """Listen inside the context."""
        await asyncio.to_thread(path.unlink, missing_ok=True)

        async def serve_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(self._clients) >= CLIENTS_MAX:
                writer.close()
                return
            self._clients.add(writer)
            try:
                await obey_stream(control, reader, lambda report: writer.write(to_line(report)))
            finally:
                self._clients.discard(writer)
                writer.close()

        server = await asyncio.start_unix_server(serve_client, path, limit=LINE_BYTES_MAX)
        try:
            yield
        finally:
            server.close()
            for client in list(self._clients):
                client.close()
            await asyncio.to_thread(path.unlink, missing_ok=True)
