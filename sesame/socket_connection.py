"""A WebSocket's connection that holds little while nothing happens."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import Protocol, State

from sesame.socket_handshake import Handshake

_ACCEPTED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n%s\r\n"
)


class Messages:
    """What came and was not taken yet, for one reader; the library stops reading after one.

    A queue of asyncio has four deques, and an event has one: 700 bytes each, empty.
    """

    __slots__ = ("_messages", "_waiter")

    def __init__(self) -> None:
        self._messages: deque[Any] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def put_nowait(self, message: Any) -> None:  # noqa: ANN401 - the library's own
        """Add a message."""
        if self._messages is None:
            self._messages = deque()
        self._messages.append(message)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def empty(self) -> bool:
        """Return whether there is none."""
        return not self._messages

    async def get(self) -> Any:  # noqa: ANN401 - the library's own
        """Wait for the next one, and take it."""
        while not self._messages:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message = self._messages.popleft()
        if not self._messages:
            self._messages = None
        return message


class Gate:
    """An event for any number of waiters that is nearly always set."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: asyncio.Event | None = None

    def set(self) -> None:
        """Let all pass, those who wait too."""
        if self._event is not None:
            self._event.set()
            self._event = None

    def clear(self) -> None:
        """Let nobody pass."""
        if self._event is None:
            self._event = asyncio.Event()

    async def wait(self) -> bool:
        """Wait until it is set."""
        if self._event is not None:
            await self._event.wait()
        return True


class SmallSocket(WebSocketsSansIOProtocol):
    """The library's connection; thousands of them wait most of the time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the library's own
        super().__init__(*args, **kwargs)
        self.queue: Any = Messages()
        self.writable: Any = Gate()
        self._accept: bytes | None = None

    def take_over(
        self,
        transport: asyncio.Transport,
        scope: Mapping[str, Any],
        url: bytes,
        handshake: Handshake,
    ) -> None:
        """Begin with what the parser of HTTP has read, as `handle_connect` does with its own.

        Args:
            transport: The connection.
            scope: Of the HTTP request.
            url: That it asked for.
            handshake: What it asked for.
        """
        self.connections.add(self)
        self.transport = transport
        self.handshake_initiated = True
        self._accept = handshake.accept
        conn: Any = self.conn
        # Frames come next, and no request.
        conn.parser.close()
        conn.parser = Protocol.parse(conn)
        next(conn.parser)
        path, _, query = url.partition(b"?")
        self.scope: Any = {
            "type": "websocket",
            "asgi": {"version": self.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if scope["scheme"] == "https" else "ws",
            "server": scope["server"],
            "client": scope["client"],
            "root_path": self.root_path,
            "path": self.root_path + unquote(path.decode("ascii")),
            "raw_path": self.root_path.encode("ascii") + path,
            "query_string": query,
            "headers": scope["headers"],
            "subprotocols": handshake.subprotocols,
            "state": self.app_state.copy(),
            "extensions": {"websocket.http.response": {}},
        }
        self.queue.put_nowait({"type": "websocket.connect"})
        task = self.loop.create_task(self.run_asgi())
        task.add_done_callback(self.on_task_complete)
        self.tasks.add(task)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application, and let go of what has us and is had by us."""
        super().connection_lost(exc)
        # Nothing is parsed any more; only the collector would free the two of them.
        conn: Any = self.conn
        conn.parser = None

    async def send(self, message: Any) -> None:  # noqa: ANN401 - the library's own
        """Send a message; with the one that accepts, forget how the client asked."""
        if message["type"] != "websocket.accept":
            await super().send(message)
            return
        if self._accept is None or self.handshake_complete or self.initial_response is not None:
            await super().send(message)
        else:
            await self._accept_plainly(self._accept, message)
        self.scope["headers"] = []
        self.request: Any = None
        self.response: Any = None
        self._accept = None

    async def _accept_plainly(self, accept: bytes, message: Mapping[str, Any]) -> None:
        await self.writable.wait()
        if self.disconnected:
            raise ClientDisconnected
        if self.transport.is_closing():
            return
        headers = [*self.default_headers, *message.get("headers", ())]
        if message.get("subprotocol"):
            headers.append((b"Sec-WebSocket-Protocol", message["subprotocol"].encode("ascii")))
        told = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.handshake_complete = True
        self.conn.state = State.OPEN
        self.transport.write(_ACCEPTED % (accept, told))
        self.start_keepalive()
