"""How connections to relays and barriers behave when they are given up."""

import asyncio
import socket
import struct

USER_TIMEOUT_MS = 2000

SocketOption = tuple[int, int, int] | tuple[int, int, bytes]


def socket_options() -> list[SocketOption]:
    """Return what keeps an order from arriving after we stopped waiting for its answer."""
    options: list[SocketOption] = [
        # Without lingering, closing throws away what the device has not acknowledged.
        (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    ]
    user_timeout = getattr(socket, "TCP_USER_TIMEOUT", None)
    if user_timeout is not None:
        # The kernel gives up by itself, even while this process is frozen.
        options.append((socket.IPPROTO_TCP, user_timeout, USER_TIMEOUT_MS))
    return options


def throw_away_when_closed(transport: asyncio.BaseTransport | None) -> None:
    """Set the options on a connection that a library opened."""
    opened = None if transport is None else transport.get_extra_info("socket")
    if opened is not None:
        for level, name, value in socket_options():
            opened.setsockopt(level, name, value)
