"""The one subscription connection of a process, however many listeners it has."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Final, cast

import structlog
from redis.asyncio import Redis

from parking.events.listener import PokeReceiver
from parking.events.outage import Outage
from parking.events.pokes import Poke
from parking.events.valkey import CONNECT_TIMEOUT_S, Connection, open_connection
from parking.kit.errors import UnavailableError
from parking.kit.tasks import end_tasks

HEARTBEAT_S: Final = 5.0
ACTIVE_WAIT_S: Final = 1.0
COMMAND_CHANNELS_MAX: Final = 500
# While many come close together, each command waits so long for some more of them.
GATHER_S: Final = 0.003
LISTENERS_MAX: Final = 20_000
_REPLY_WORDS: Final = 3

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class BusFullError(UnavailableError):
    """This process has as many listeners as it takes."""

    code = "BUS_FULL"


class _Topic:
    """The listeners of one channel."""

    def __init__(self) -> None:
        self.listeners: set[PokeReceiver] = set()
        self.active = asyncio.Event()
        # Set while pokes may go past unheard: the listeners then learn of it with a RESYNC.
        self.is_deaf = False


class Subscription:
    """Keeps the server's idea of our channels equal to ours, over lost connections."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._topics: dict[str, _Topic] = {}
        self._listener_count = 0
        self._changed: set[str] = set()
        self._has_changes = asyncio.Event()
        self._sent: set[str] = set()
        self._unanswered: Counter[str] = Counter()
        self._outage = Outage("valkey subscription")
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False

    async def add(self, channel: str, listener: PokeReceiver) -> None:
        """Give a listener its channel; returns when the server has it, or soon if it is away.

        Raises:
            BusFullError: there are LISTENERS_MAX listeners.
        """
        if self._listener_count >= LISTENERS_MAX:
            raise BusFullError(f"listeners: at most {LISTENERS_MAX}")
        if self._task is None:
            self._task = asyncio.create_task(self._keep_connected())
        topic = self._topics.setdefault(channel, _Topic())
        topic.listeners.add(listener)
        self._listener_count += 1
        self._note_change(channel)
        if channel in self._sent and not self._unanswered[channel]:
            topic.active.set()
        try:
            async with asyncio.timeout(ACTIVE_WAIT_S):
                await topic.active.wait()
        except TimeoutError:
            topic.is_deaf = True

    def remove(self, channel: str, listener: PokeReceiver) -> None:
        """Take a listener off its channel."""
        topic = self._topics.get(channel)
        if topic is None or listener not in topic.listeners:
            return
        topic.listeners.remove(listener)
        self._listener_count -= 1
        if not topic.listeners:
            del self._topics[channel]
            self._note_change(channel)

    async def close(self) -> None:
        """End the connection and wake every listener for the last time."""
        self._is_closing = True
        if self._task is not None:
            await end_tasks(self._task)
            self._task = None
        for topic in self._topics.values():
            for listener in topic.listeners:
                listener.close()

    def _note_change(self, channel: str) -> None:
        self._changed.add(channel)
        self._has_changes.set()

    async def _keep_connected(self) -> None:
        # A task group whose child fails while it is cancelled raises the failure, not the
        # cancellation: hence the flag.
        while not self._is_closing:
            try:
                await self._converse()
            except Exception as error:  # noqa: BLE001 - whatever broke it, a new connection is the cure
                self._forget_connection()
                await asyncio.sleep(self._outage.failed(error))

    async def _converse(self) -> None:
        connection = open_connection(self._redis)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await connection.connect()
            self._changed.update(self._topics)
            self._has_changes.set()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write(connection))
                tasks.create_task(self._read(connection))
        finally:
            await connection.disconnect()

    def _forget_connection(self) -> None:
        self._sent.clear()
        self._unanswered.clear()
        for topic in self._topics.values():
            topic.active.clear()
            topic.is_deaf = True

    async def _write(self, connection: Connection) -> None:
        while True:
            await self._has_changes.wait()
            self._has_changes.clear()
            changed, self._changed = self._changed, set()
            added = [name for name in changed if name in self._topics and name not in self._sent]
            gone = [name for name in changed if name not in self._topics and name in self._sent]
            self._sent.difference_update(gone)
            self._sent.update(added)
            # Counted before sending: an answer can come while a later command is on its way.
            self._unanswered.update(added)
            await _send(connection, "UNSUBSCRIBE", gone)
            await _send(connection, "SUBSCRIBE", added)
            if len(added) + len(gone) > 1:
                await asyncio.sleep(GATHER_S)

    async def _read(self, connection: Connection) -> None:
        is_pinged = False
        while True:
            reply = await connection.read_response(timeout=HEARTBEAT_S)
            if reply is None:
                if is_pinged:
                    raise ConnectionError("no answer to PING")
                await connection.send_command("PING")
                is_pinged = True
                continue
            is_pinged = False
            self._outage.ended()
            self._take(reply)

    def _take(self, reply: object) -> None:
        words = cast("list[object]", reply) if isinstance(reply, list) else []
        if len(words) != _REPLY_WORDS:
            return
        kind, channel, body = words[0], _text(words[1]), words[2]
        if kind in (b"message", "message"):
            self._deliver(channel, body if isinstance(body, bytes) else _text(body).encode())
        elif kind in (b"subscribe", "subscribe"):
            self._confirm(channel)

    def _deliver(self, channel: str, body: bytes) -> None:
        topic = self._topics.get(channel)
        if topic is None:
            return
        try:
            poke = Poke.from_json(body)
        except ValueError as error:
            _log.warning("poke_malformed", channel=channel, error=str(error))
            return
        for listener in topic.listeners:
            listener.push(poke)

    def _confirm(self, channel: str) -> None:
        self._unanswered[channel] -= 1
        if self._unanswered[channel] > 0:
            return
        del self._unanswered[channel]
        topic = self._topics.get(channel)
        if topic is None:
            return
        topic.active.set()
        if topic.is_deaf:
            # Only now: who reads PostgreSQL before the channel is open could miss a change.
            topic.is_deaf = False
            for listener in topic.listeners:
                listener.push_resync()


async def _send(connection: Connection, command: str, channels: Iterable[str]) -> None:
    names = list(channels)
    for start in range(0, len(names), COMMAND_CHANNELS_MAX):
        await connection.send_command(command, *names[start : start + COMMAND_CHANNELS_MAX])


def _text(word: object) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)
