"""A connection of the API that cannot be kept, or filled, by a request that never ends."""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.body import WHOLE_BODY
from gate_bridge.agent.site.client_names import CLIENT_NAMES, client_names
from sesame.socket_connection import SmallSocket
from sesame.socket_handshake import plain_handshake

# From the first byte to the last; a body of its own has BODY_TIMEOUT_S.
REQUEST_TIMEOUT_S: Final = 30.0
# Address, headers, the framing of chunks and what follows them: everything but the body.
FRAMING_BYTES_MAX: Final = 128 * 1024
_TIMEOUT: Final = b"408 Request Timeout"
_TOO_LARGE: Final = b"431 Request Header Fields Too Large"


class BoundedConnection(HttpToolsProtocol):
    """Ends a connection whose request does not come, or has no end to its headers.

    The library waits for ever, and joins what comes of one header in memory: a megabyte after the
    other, each slower than the one before, while every other request waits.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(*args, **kwargs)
        self._framing_bytes = 0
        # The same of the newest read alone.
        self._read_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._is_incomplete = False
        # Whether the newest request began in the newest read: nobody was given any of it yet.
        self._is_fresh = False
        self._client_names: frozenset[str] = frozenset()

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as the library does
        """Wait for a request, but not for ever."""
        super().connection_made(transport)
        self._client_names = client_names(transport.get_extra_info("peercert"))
        self._deadline = self.loop.call_later(REQUEST_TIMEOUT_S, self._end, _TIMEOUT)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless too much came that is no body."""
        self._framing_bytes += len(data)
        self._read_bytes = len(data)
        self._is_fresh = False
        super().data_received(data)
        # Most requests are whole by now, and need no timer.
        if self._is_incomplete and self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_TIMEOUT_S, self._end, _TIMEOUT)
        if self._framing_bytes > FRAMING_BYTES_MAX:
            self._end(_TOO_LARGE)

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the WebSocket, which has limits of its own."""
        self._stop_waiting()
        self._framing_bytes = 0
        handshake = plain_handshake(self.scope, self.url)
        if handshake is None or not issubclass(self.ws_protocol_class or object, SmallSocket):
            super().handle_websocket_upgrade()
        else:
            self.connections.discard(self)
            socket = SmallSocket(self.config, self.server_state, self.app_state)
            socket.take_over(self.transport, self.scope, self.url, handshake)
            self.transport.set_protocol(socket)
        # It has us, and we have it: only the collector would free both.
        self.parser: Any = None

    def on_message_begin(self) -> None:
        """Begin to count: what earlier reads brought belongs to an earlier request.

        Nobody says where in this read the request begins. Of requests that come in one read, what
        the last one follows is counted to it.
        """
        self._framing_bytes = self._read_bytes
        self._stop_waiting()
        self._is_incomplete = True
        super().on_message_begin()
        self._is_fresh = True
        if self._client_names:
            self.scope["extensions"] = {CLIENT_NAMES: {"names": self._client_names}}

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, which whoever reads it counts."""
        self._framing_bytes -= len(body)
        self._read_bytes -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait no longer: the whole request is here."""
        self._stop_waiting()
        super().on_message_complete()
        cycle: RequestResponseCycle | None = self.cycle
        if self._is_fresh and cycle is not None and cycle.scope is self.scope:  # pyright: ignore[reportUnnecessaryComparison] - none at first
            # Most requests come in one read, and need not be waited for.
            cast("dict[str, Any]", self.scope)[WHOLE_BODY] = bytes(cycle.body)

    def _stop_waiting(self) -> None:
        self._is_incomplete = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self, status: bytes) -> None:
        if self.transport.is_closing():
            return
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:  # pyright: ignore[reportUnnecessaryComparison] - none at first
            head = b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            self.transport.write(head % status)
        self.transport.close()
