"""TLS handshakes under way: so many at a time, fairly by address.

Whoever connects and says nothing costs a socket and its buffers until the timeout. Where all places
are taken, the address that holds the most gives one up to an address that holds fewer: one
client alone keeps nobody out, and a place's gates behind one address come in one after the other.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import ClassVar, Final, cast

import structlog
from prometheus_client import Counter

from gate_bridge.admission import GateSocket
from gate_bridge.loops import stop_task

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# So many end before their agents give up after 5 s, also on a busy machine; the others find the
# door closed and come back at random. More at once would all be late together.
HANDSHAKES_MAX: Final = 256
HANDSHAKE_TIMEOUT_S: Final = 10.0
SHUTDOWN_TIMEOUT_S: Final = 2.0
_NETWORK_BITS: Final = 64

Work = Callable[[], "asyncio.Task[None]"]


class Handshakes:
    """Who is in the middle of one, by address.

    Args:
        context: Of the listener.
        refused: Counts connections that were closed for want of a place.
        at_once: How many may be under way.
    """

    def __init__(
        self, context: ssl.SSLContext, refused: Counter, at_once: int = HANDSHAKES_MAX
    ) -> None:
        self.context = context
        self._refused = refused
        self._at_once = at_once
        # The order of each address is that of arrival.
        self._tasks: dict[str, OrderedDict[asyncio.Task[None], None]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Return how many are under way."""
        return self._count

    def begin(self, address: str, work: Work) -> bool:
        """Start the work of one handshake; return whether there was a place for it."""
        group = network_of(address)
        if self._count >= self._at_once and not self._make_room(group):
            self._refused.inc()
            return False
        task = work()
        self._tasks.setdefault(group, OrderedDict())[task] = None
        self._count += 1
        task.add_done_callback(lambda done: self._ended(group, done))
        return True

    async def close(self) -> None:
        """End every handshake that is under way."""
        for task in [task for tasks in self._tasks.values() for task in tasks]:
            await stop_task(task)

    def _make_room(self, group: str) -> bool:
        largest = max(self._tasks, key=lambda one: len(self._tasks[one]))
        if len(self._tasks[largest]) <= len(self._tasks.get(group, ())) + 1:
            return False
        oldest = next(iter(self._tasks[largest]))
        self._forget(largest, oldest)
        self._refused.inc()
        oldest.cancel()
        return True

    def _ended(self, group: str, task: "asyncio.Task[None]") -> None:
        self._forget(group, task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("handshake_failed", exc_info=error)

    def _forget(self, group: str, task: "asyncio.Task[None]") -> None:
        tasks = self._tasks.get(group)
        if tasks is None or task not in tasks:
            return
        del tasks[task]
        self._count -= 1
        if not tasks:
            del self._tasks[group]


class GuardedSocket(GateSocket):
    """A connection that begins when its TLS handshake is done, if there is a place for it.

    Attributes:
        handshakes: Of the listener that took it in.
    """

    handshakes: ClassVar[Handshakes]
    _is_made = False
    _is_lost = False
    _early: bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, or close."""
        stream = cast("asyncio.Transport", transport)
        # What the client says meanwhile is the handshake's.
        stream.pause_reading()
        peer = stream.get_extra_info("peername")
        address = str(peer[0]) if peer else ""
        if not self.handshakes.begin(address, lambda: self._start(stream)):
            stream.abort()

    def data_received(self, data: bytes) -> None:
        """Keep what came in one piece with the end of the handshake."""
        if self._is_made:
            super().data_received(data)
        else:
            self._early += data

    def eof_received(self) -> None:
        """Let a connection that is one end."""
        if self._is_made:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end, also before the beginning."""
        self._is_lost = True
        if self._is_made:
            super().connection_lost(exc)

    def _start(self, transport: asyncio.Transport) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(self._shake(transport))
        # Also of one that gave up its place in the turn in which it came: it never ran.
        task.add_done_callback(lambda _: None if self._is_made else transport.abort())
        return task

    async def _shake(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        securing = loop.create_task(self._secure(transport))
        try:
            # Until the library has taken over; one event loop reads in spite of the pause.
            await asyncio.sleep(0)
            if self._early:
                early, self._early = self._early, b""
                loop.call_soon(_feed, transport, early)
            secured = await securing
            if secured is not None and not secured.is_closing() and not self._is_lost:
                self._begin(secured)
        except OSError:
            # No TLS, the wrong certificate, or gone.
            return
        finally:
            securing.cancel()

    async def _secure(self, transport: asyncio.Transport) -> asyncio.Transport | None:
        return await asyncio.get_running_loop().start_tls(
            transport,
            self,
            self.handshakes.context,
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            ssl_shutdown_timeout=SHUTDOWN_TIMEOUT_S,
        )

    def _begin(self, secured: asyncio.Transport) -> None:
        self._is_made = True
        super().connection_made(secured)
        if self._early:
            early, self._early = self._early, b""
            super().data_received(early)


def _feed(transport: asyncio.Transport, data: bytes) -> None:
    """Hand what was read too early to the protocol that reads now."""
    protocol = cast("asyncio.BufferedProtocol", transport.get_protocol())
    while data and not transport.is_closing():
        buffer = memoryview(protocol.get_buffer(len(data)))
        taken = min(len(buffer), len(data))
        buffer[:taken] = data[:taken]
        protocol.buffer_updated(taken)
        data = data[taken:]


def guarded(handshakes: Handshakes) -> type[GuardedSocket]:
    """Return the class of one listener's connections."""

    class Guarded(GuardedSocket):
        """A connection of this listener."""

    Guarded.handshakes = handshakes
    return Guarded


def network_of(address: str) -> str:
    """Return what counts as one address: in IPv6 a whole network is one customer's."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(int(parsed) >> (128 - _NETWORK_BITS))
    return address
