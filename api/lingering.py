"""A refusal that reaches a client which is still sending."""

import asyncio
from contextlib import suppress
from typing import Final

from starlette.types import Receive

from api.config import BODY_TIMEOUT_S

TOO_LARGE: Final = 413
QUIET_S: Final = 0.5
DISCARDED_BYTES_MAX: Final = 8 * 1024 * 1024


async def linger(receive: Receive) -> None:
    """Throw away what follows a 413 before the connection closes.

    A connection that closes on unread bytes is reset, and a reset takes the answer away from a
    client that sends everything before it reads. Bounded: until the client is quiet for QUIET_S,
    for BODY_TIMEOUT_S in all, and for DISCARDED_BYTES_MAX.
    """
    size_bytes = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(BODY_TIMEOUT_S):
            while size_bytes < DISCARDED_BYTES_MAX:
                async with asyncio.timeout(QUIET_S):
                    message = await receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
                size_bytes += len(message.get("body", b""))
