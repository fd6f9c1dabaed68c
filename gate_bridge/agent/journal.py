"""The edge's memory: events to send, orders carried out, and the car on the loop.

SQLite with full synchronisation: what was written survives a power cut. One thread does all
writing, so that the event loop never waits for the disk.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar
from uuid import UUID

from gate_bridge.agent.errors import JournalBusyError, JournalFullError
from gate_bridge.agent.sqlite_file import connect, transaction
from gate_bridge.wire.actions import CommandStatus

EVENTS_MAX = 100_000
COMMANDS_MAX = 1000
REFUSED_EVENTS_MAX = 1000
ORIGINS_MAX = 1000

ResultT = TypeVar("ResultT")
Append = Callable[[UUID, str, str], None]
"""Queues an event: its id, its action, and its payload in JSON without `seq`."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO counters VALUES ('next_seq', 1);
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, action TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS refused_events (
    number INTEGER PRIMARY KEY, action TEXT NOT NULL, body TEXT NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS commands (
    number INTEGER PRIMARY KEY, command_id TEXT NOT NULL UNIQUE, presentation_id TEXT NOT NULL,
    status TEXT, reason TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS last_passed (
    only INTEGER PRIMARY KEY CHECK (only = 1), command_id TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS origins (
    number INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS presentation (
    only INTEGER PRIMARY KEY CHECK (only = 1), presentation_id TEXT NOT NULL,
    occupied_at TEXT NOT NULL, event_id TEXT NOT NULL
) STRICT;
DROP TABLE IF EXISTS last_look;
"""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event that the bridge has not acknowledged.

    Attributes:
        body: The payload in JSON, without `seq`.
    """

    seq: int
    action: str
    body: str


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """An order that was met before.

    Attributes:
        status: None while it is unknown whether the barrier was pulsed.
        has_passed: Whether it was let through by this order that passed last.
    """

    command_id: UUID
    presentation_id: UUID
    status: CommandStatus | None
    reason: str | None
    has_passed: bool = False


@dataclass(frozen=True, slots=True)
class CurrentCar:
    """The car on the loop."""

    presentation_id: UUID
    occupied_at: datetime
    event_id: UUID


class Journal:
    """One journal file, open in one process."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the journal, creating it where there is none.

        Raises:
            JournalBusyError: another agent has it open.
        """
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        loop = asyncio.get_running_loop()
        try:
            connection = await loop.run_in_executor(thread, connect, path, _SCHEMA)
        except (sqlite3.OperationalError, OSError) as error:
            thread.shutdown()
            if "locked" in str(error):
                raise JournalBusyError(str(path)) from error
            raise
        return cls(connection, thread)

    async def close(self) -> None:
        """Close the file."""
        await self._run(self._connection.close)
        self._thread.shutdown()

    async def append(self, event_id: UUID, action: str, body: str) -> None:
        """Queue an event under the next seq.

        Raises:
            JournalFullError: too many events wait.
        """
        await self._write(lambda: self._append(event_id, action, body))

    async def append_once(self, origin: str, event_id: UUID, action: str, body: str) -> None:
        """Queue an event, unless there was one of the same origin.

        Raises:
            JournalFullError: too many events wait, or the disk is full.
        """
        await self._write(lambda: self._append_once(origin, event_id, action, body))

    async def begin_presentation(self, car: CurrentCar, body: str) -> None:
        """Remember the car on the loop, and queue its event, in one step."""
        await self._write(lambda: self._begin_presentation(car, body))

    async def end_presentation(self, event_id: UUID, body: str) -> None:
        """Forget the car, and queue the event, in one step."""
        await self._write(lambda: self._end_presentation(event_id, body))

    async def current_car(self) -> CurrentCar | None:
        """Return the car on the loop."""
        return await self._run(self._current_car)

    async def standing(self) -> tuple[CurrentCar | None, int]:
        """Return the car on the loop and the seq of the next event, of one moment."""
        return await self._run(lambda: (self._current_car(), self._next_seq()))

    async def queued(self, limit: int) -> list[StoredEvent]:
        """Return the oldest events that are not acknowledged."""
        return await self._run(lambda: self._queued(limit))

    async def backlog(self) -> tuple[int, UUID | None]:
        """Return how many events are not acknowledged, and the id of the oldest."""
        return await self._run(self._backlog)

    async def is_queued(self, event_id: UUID) -> bool:
        """Return whether the event still waits for its acknowledgement."""
        return await self._run(
            lambda: self._one("SELECT 1 FROM events WHERE event_id = ?", str(event_id)) is not None
        )

    async def acknowledge(self, last_seq: int) -> None:
        """Drop the events that the bridge has committed."""
        await self._write(
            lambda: self._connection.execute("DELETE FROM events WHERE seq <= ?", (last_seq,))
        )

    async def align(self, last_seq: int) -> None:
        """Go on after the bridge's last committed event.

        Normally that drops what was committed. A journal that was lost starts below `last_seq`,
        and a bridge that was restored from a backup is behind: the waiting events then get the
        numbers that follow, so that neither is taken for the other.
        """
        await self._write(lambda: self._align(last_seq))

    async def set_aside(self, seq: int, reason: str) -> None:
        """Take an event that the bridge will never accept out of the queue, and keep it."""
        await self._write(lambda: self._set_aside(seq, reason))

    async def command(self, command_id: UUID) -> StoredCommand | None:
        """Return an order that was met before."""
        return await self._run(lambda: self._command(command_id))

    async def last_command(self) -> StoredCommand | None:
        """Return the newest order that was carried out, or was about to be."""
        return await self._run(self._last_command)

    async def append_shown(self, command_id: UUID, event_id: UUID, action: str, body: str) -> None:
        """Queue an event that shows that the pulse of an order arrived, and note that, in one step.

        Raises:
            JournalFullError: too many events wait.
        """
        await self._write(lambda: self._append_shown(command_id, event_id, action, body))

    async def append_passed(self, command_id: UUID, event_id: UUID, action: str, body: str) -> None:
        """Queue that the car of an order has passed, and note that, in one step.

        Raises:
            JournalFullError: too many events wait.
        """
        await self._write(lambda: self._append_passed(command_id, event_id, action, body))

    async def begin_command(self, command_id: UUID, presentation_id: UUID) -> None:
        """Note that the barrier is about to be pulsed; the oldest orders are forgotten."""
        await self._write(lambda: self._begin_command(command_id, presentation_id))

    async def finish_command(
        self, command_id: UUID, presentation_id: UUID, status: CommandStatus, reason: str | None
    ) -> None:
        """Note what became of an order."""
        await self._write(lambda: self._finish_command(command_id, presentation_id, status, reason))

    async def transact(self, work: Callable[[sqlite3.Connection, Append], ResultT]) -> ResultT:
        """Do what belongs together at once, besides the journal's own; `append` queues an event.

        Raises:
            JournalFullError: too many events wait, or the disk is full.
        """
        done: list[ResultT] = []
        await self._write(lambda: done.append(work(self._connection, self._append)))
        return done[0]

    async def _run(self, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _write(self, work: Callable[[], object]) -> None:
        def write() -> None:
            with transaction(self._connection):
                work()

        # A cancelled caller must not leave the question open whether this was written.
        await asyncio.shield(self._run(write))

    def _one(self, statement: str, *values: object) -> tuple[str | int | None, ...] | None:
        return self._connection.execute(statement, values).fetchone()

    def _next_seq(self) -> int:
        row = self._one("SELECT value FROM counters WHERE name = 'next_seq'")
        return int(row[0] or 1) if row else 1

    def _set_next_seq(self, seq: int) -> None:
        self._connection.execute("UPDATE counters SET value = ? WHERE name = 'next_seq'", (seq,))

    def _append(self, event_id: UUID, action: str, body: str) -> None:
        row = self._one("SELECT count(*) FROM events")
        if row is not None and int(row[0] or 0) >= EVENTS_MAX:
            raise JournalFullError(f"{EVENTS_MAX} events wait for the bridge")
        seq = self._next_seq()
        self._connection.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?)", (seq, str(event_id), action, body)
        )
        self._set_next_seq(seq + 1)

    def _append_once(self, origin: str, event_id: UUID, action: str, body: str) -> None:
        statement = "INSERT OR IGNORE INTO origins (origin) VALUES (?)"
        if self._connection.execute(statement, (origin,)).rowcount == 0:
            return
        self._append(event_id, action, body)
        self._connection.execute(
            "DELETE FROM origins WHERE number <= (SELECT max(number) FROM origins) - ?",
            (ORIGINS_MAX,),
        )

    def _begin_presentation(self, car: CurrentCar, body: str) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO presentation VALUES (1, ?, ?, ?)",
            (str(car.presentation_id), car.occupied_at.isoformat(), str(car.event_id)),
        )
        self._append(car.event_id, "Presentation", body)

    def _end_presentation(self, event_id: UUID, body: str) -> None:
        self._connection.execute("DELETE FROM presentation")
        self._append(event_id, "Presentation", body)

    def _current_car(self) -> CurrentCar | None:
        row = self._one("SELECT presentation_id, occupied_at, event_id FROM presentation")
        if row is None:
            return None
        return CurrentCar(UUID(str(row[0])), datetime.fromisoformat(str(row[1])), UUID(str(row[2])))

    def _queued(self, limit: int) -> list[StoredEvent]:
        rows = self._connection.execute(
            "SELECT seq, action, body FROM events ORDER BY seq LIMIT ?", (limit,)
        )
        return [StoredEvent(*row) for row in rows]

    def _backlog(self) -> tuple[int, UUID | None]:
        row = self._one("SELECT event_id, (SELECT count(*) FROM events) FROM events ORDER BY seq")
        return (0, None) if row is None else (int(row[1] or 0), UUID(str(row[0])))

    def _align(self, last_seq: int) -> None:
        if last_seq < self._next_seq():
            self._connection.execute("DELETE FROM events WHERE seq <= ?", (last_seq,))
        self._renumber_from(last_seq + 1)

    def _renumber_from(self, first_seq: int) -> None:
        numbers = [row[0] for row in self._connection.execute("SELECT seq FROM events")]
        numbers.sort()
        if numbers and numbers[0] != first_seq:
            # Through negative numbers: no row may meet another's number on the way.
            self._connection.execute("UPDATE events SET seq = -seq")
            self._connection.executemany(
                "UPDATE events SET seq = ? WHERE seq = ?",
                [(first_seq + index, -seq) for index, seq in enumerate(numbers)],
            )
        self._set_next_seq(first_seq + len(numbers))

    def _set_aside(self, seq: int, reason: str) -> None:
        self._connection.execute(
            "INSERT INTO refused_events (action, body, reason) "
            "SELECT action, body, ? FROM events WHERE seq = ?",
            (reason, seq),
        )
        self._connection.execute(
            "DELETE FROM refused_events WHERE number <= "
            "(SELECT max(number) FROM refused_events) - ?",
            (REFUSED_EVENTS_MAX,),
        )
        self._connection.execute("DELETE FROM events WHERE seq = ?", (seq,))
        # The bridge commits without gaps, so nothing after this event is committed yet.
        self._connection.execute("UPDATE events SET seq = -seq WHERE seq > ?", (seq,))
        self._connection.execute("UPDATE events SET seq = -seq - 1 WHERE seq < 0")
        self._set_next_seq(self._next_seq() - 1)

    def _command(self, command_id: UUID) -> StoredCommand | None:
        row = self._one(
            "SELECT presentation_id, status, reason, "
            "command_id IN (SELECT command_id FROM last_passed) "
            "FROM commands WHERE command_id = ?",
            str(command_id),
        )
        if row is None:
            return None
        status = None if row[1] is None else CommandStatus(str(row[1]))
        reason = None if row[2] is None else str(row[2])
        return StoredCommand(command_id, UUID(str(row[0])), status, reason, bool(row[3]))

    def _last_command(self) -> StoredCommand | None:
        row = self._one(
            "SELECT command_id FROM commands WHERE status IS NULL OR status = 'accepted' "
            "ORDER BY number DESC LIMIT 1"
        )
        return None if row is None else self._command(UUID(str(row[0])))

    def _append_shown(self, command_id: UUID, event_id: UUID, action: str, body: str) -> None:
        self._append(event_id, action, body)
        self._connection.execute(
            "UPDATE commands SET status = ? WHERE command_id = ? AND status IS NULL",
            (CommandStatus.ACCEPTED.value, str(command_id)),
        )

    def _append_passed(self, command_id: UUID, event_id: UUID, action: str, body: str) -> None:
        self._append_shown(command_id, event_id, action, body)
        self._connection.execute(
            "INSERT OR REPLACE INTO last_passed VALUES (1, ?)", (str(command_id),)
        )

    def _begin_command(self, command_id: UUID, presentation_id: UUID) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO commands (command_id, presentation_id) VALUES (?, ?)",
            (str(command_id), str(presentation_id)),
        )
        self._connection.execute(
            "DELETE FROM commands WHERE number <= (SELECT max(number) FROM commands) - ?",
            (COMMANDS_MAX,),
        )

    def _finish_command(
        self, command_id: UUID, presentation_id: UUID, status: CommandStatus, reason: str | None
    ) -> None:
        self._begin_command(command_id, presentation_id)
        self._connection.execute(
            "UPDATE commands SET status = ?, reason = ? WHERE command_id = ?",
            (status.value, reason, str(command_id)),
        )
