"""What devices sent, byte for byte, until long after it was acted on."""

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self, TypeVar
from uuid import UUID

import orjson

from gate_bridge.agent.errors import JournalBusyError, JournalFullError
from gate_bridge.agent.site.waiting_shares import WaitingShares
from gate_bridge.agent.sqlite_file import connect, transaction
from gate_bridge.drivers.port import DeviceMessage
from parking.kit.ids import new_id

MESSAGES_MAX: Final = 20_000
BYTES_MAX: Final = 2 * 1024**3
# Of the oldest that were acted on, when there is no room: more than one, as pictures are large.
DROPPED_AT_ONCE: Final = 50
WAITING_PAGE: Final = 1000

ResultT = TypeVar("ResultT")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, device TEXT NOT NULL,
    target TEXT NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL, digest BLOB NOT NULL,
    received_at TEXT NOT NULL, is_done INTEGER NOT NULL DEFAULT 0, reason TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_state ON messages (is_done, number);
CREATE INDEX IF NOT EXISTS messages_by_digest ON messages (device, digest);
CREATE TABLE IF NOT EXISTS clocks (device TEXT PRIMARY KEY, ahead_s REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS inputs (
    device TEXT NOT NULL, number INTEGER NOT NULL, is_on INTEGER NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (device, number)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message as it was stored.

    Attributes:
        is_repeated: Whether the device sent the same bytes before, and they were acted on.
    """

    stored_id: UUID
    device: str
    message: DeviceMessage
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message that was not acted on.

    Attributes:
        number: Its place in the order of receipt.
    """

    number: int
    stored_id: UUID
    device: str


@dataclass(frozen=True, slots=True)
class KeptInput:
    """The last word about one input of a device."""

    device: str
    number: int
    is_on: bool
    at: datetime


class MessageStore:
    """One site's file, open in one process; one thread does all writing."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread
        self._count = 0
        self._bytes = 0
        self._shares = WaitingShares()

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the file, creating it where there is none.

        Raises:
            JournalBusyError: another process has it open.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="messages")
        try:
            connection = await asyncio.get_running_loop().run_in_executor(
                thread, connect, path, _SCHEMA
            )
        except (sqlite3.OperationalError, OSError) as error:
            thread.shutdown()
            if "locked" in str(error):
                raise JournalBusyError(str(path)) from error
            raise
        store = cls(connection, thread)
        await store._run(store._measure)
        return store

    async def close(self) -> None:
        """Close the file."""
        await self._run(self._connection.close)
        self._thread.shutdown()

    async def keep(self, device: str, message: DeviceMessage) -> KeptMessage:
        """Store a message; it is on the disk when this returns.

        Raises:
            JournalFullError: neither the disk nor the file's bounds leave room for it, or as much
                of this device waits as may.
        """
        # A cancelled caller must not leave the question open whether this was written.
        return await asyncio.shield(self._run(lambda: self._keep(device, message)))

    async def waiting(self, after: int = 0) -> list[WaitingMessage]:
        """Return the oldest messages that were not acted on, without their bodies."""
        return await self._run(lambda: self._waiting(after))

    async def load(self, waiting: WaitingMessage) -> KeptMessage | None:
        """Return a message as it was stored; None where it was acted on meanwhile."""
        return await self._run(lambda: self._load(waiting))

    async def done(self, stored_id: UUID, reason: str | None = None) -> None:
        """Note that a message was acted on, or why it cannot be."""
        await asyncio.shield(self._run(lambda: self._done(str(stored_id), reason)))

    async def clocks(self) -> Mapping[str, float]:
        """Return how far each device's clock was ahead."""
        return await self._run(
            lambda: dict(self._connection.execute("SELECT device, ahead_s FROM clocks"))
        )

    async def remember_clock(self, device: str, ahead_s: float) -> None:
        """Note how far a device's clock is ahead."""
        await self._write("INSERT OR REPLACE INTO clocks VALUES (?, ?)", device, ahead_s)

    async def inputs(self) -> list[KeptInput]:
        """Return the last word about every input."""
        return await self._run(self._inputs)

    async def remember_input(self, kept: KeptInput) -> None:
        """Note what an input says."""
        values = (kept.device, kept.number, int(kept.is_on), kept.at.isoformat())
        await self._write("INSERT OR REPLACE INTO inputs VALUES (?, ?, ?, ?)", *values)

    async def _run(self, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _write(self, statement: str, *values: object) -> None:
        def write() -> None:
            with transaction(self._connection):
                self._connection.execute(statement, values)

        await asyncio.shield(self._run(write))

    def _measure(self) -> None:
        row = self._connection.execute(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM messages"
        ).fetchone()
        self._count, self._bytes = row
        for waiting in self._connection.execute(
            "SELECT id, device, length(body) FROM messages WHERE is_done = 0"
        ):
            self._shares.begin(*waiting)

    def _done(self, message_id: str, reason: str | None) -> None:
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE messages SET is_done = 1, reason = ? WHERE id = ?", (reason, message_id)
            )
        self._shares.end(message_id)

    def _keep(self, device: str, message: DeviceMessage) -> KeptMessage:
        if not self._shares.has_room(device, len(message.body)):
            raise JournalFullError(f"too many messages of {device} wait to be acted on")
        while self._count >= MESSAGES_MAX or self._bytes + len(message.body) > BYTES_MAX:
            if not self._drop_oldest():
                raise JournalFullError(f"{self._count} messages of devices wait to be acted on")
        try:
            return self._insert(device, message)
        except JournalFullError:
            # Freed pages are used again, also where the disk has none to give.
            if not self._drop_oldest():
                raise
            return self._insert(device, message)

    def _insert(self, device: str, message: DeviceMessage) -> KeptMessage:
        stored_id = new_id(message.received_at)
        digest = hashlib.sha256(message.target.encode() + b"\0" + message.body).digest()
        with transaction(self._connection):
            known = self._connection.execute(
                "SELECT 1 FROM messages WHERE device = ? AND digest = ? AND is_done = 1 LIMIT 1",
                (device, digest),
            ).fetchone()
            self._connection.execute(
                "INSERT INTO messages (id, device, target, headers, body, digest, received_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    str(stored_id),
                    device,
                    message.target,
                    orjson.dumps(dict(message.headers)).decode(),
                    message.body,
                    digest,
                    message.received_at.isoformat(),
                ),
            )
        self._count += 1
        self._bytes += len(message.body)
        self._shares.begin(str(stored_id), device, len(message.body))
        return KeptMessage(stored_id, device, message, known is not None)

    def _drop_oldest(self) -> bool:
        """Drop the oldest that were acted on; return whether there were any."""
        rows = self._connection.execute(
            "SELECT number, length(body) FROM messages WHERE is_done = 1 ORDER BY number LIMIT ?",
            (DROPPED_AT_ONCE,),
        ).fetchall()
        if not rows:
            return False
        with transaction(self._connection):
            self._connection.executemany(
                "DELETE FROM messages WHERE number = ?", [(number,) for number, _ in rows]
            )
        self._count -= len(rows)
        self._bytes -= sum(size for _, size in rows)
        return True

    def _waiting(self, after: int) -> list[WaitingMessage]:
        rows = self._connection.execute(
            "SELECT number, id, device FROM messages "
            "WHERE is_done = 0 AND number > ? ORDER BY number LIMIT ?",
            (after, WAITING_PAGE),
        )
        return [
            WaitingMessage(number, UUID(stored_id), device) for number, stored_id, device in rows
        ]

    def _load(self, waiting: WaitingMessage) -> KeptMessage | None:
        row = self._connection.execute(
            "SELECT target, headers, body, received_at FROM messages "
            "WHERE number = ? AND is_done = 0",
            (waiting.number,),
        ).fetchone()
        if row is None:
            return None
        target, headers, body, received_at = row
        message = DeviceMessage(
            target=target,
            headers=orjson.loads(headers),
            body=body,
            received_at=datetime.fromisoformat(received_at),
        )
        return KeptMessage(waiting.stored_id, waiting.device, message)

    def _inputs(self) -> list[KeptInput]:
        rows = self._connection.execute("SELECT device, number, is_on, at FROM inputs")
        return [
            KeptInput(device, number, bool(is_on), datetime.fromisoformat(at))
            for device, number, is_on, at in rows
        ]
