"""A refusal that reaches a client which is still sending."""

import asyncio
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.config import BODY_TIMEOUT_S

TOO_LARGE: Final = 413
QUIET_S: Final = 0.5
DISCARDED_BYTES_MAX: Final = 8 * 1024 * 1024


class LingerOnTooLarge:
    """Throws away what follows a 413 before the connection closes.

    A connection that closes on unread bytes is reset, and a reset takes the answer away from a
    client that sends everything before it reads. Bounded: until the client is quiet for QUIET_S,
    for BODY_TIMEOUT_S in all, and for DISCARDED_BYTES_MAX.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_refused = False

        async def send_and_linger(message: Message) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start":
                is_refused = message["status"] == TOO_LARGE
            is_last = message["type"] == "http.response.body" and not message.get("more_body")
            if not (is_refused and is_last):
                await send(message)
                return
            await send({**message, "more_body": True})
            await _discard(receive)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(scope, receive, send_and_linger)


async def _discard(receive: Receive) -> None:
    size_bytes = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while size_bytes < DISCARDED_BYTES_MAX:
                async with asyncio.timeout(QUIET_S):
                    message = await receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
                size_bytes += len(message.get("body", b""))
