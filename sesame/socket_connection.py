"""A WebSocket's connection that holds little while nothing happens."""

import asyncio
from collections import deque
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


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

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application, and let go of what has us and is had by us."""
        super().connection_lost(exc)
        # Nothing is parsed any more; only the collector would free the two of them.
        conn: Any = self.conn
        conn.parser = None

    async def send(self, message: Any) -> None:  # noqa: ANN401 - the library's own
        """Send a message; with the one that accepts, forget how the client asked."""
        await super().send(message)
        if message["type"] == "websocket.accept":
            self.scope["headers"] = []
            self.request: Any = None
            self.response: Any = None
