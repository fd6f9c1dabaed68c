"""What the edge keeps for the time without network: in the lane's journal, all or nothing."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from gate_bridge.agent.errors import DecidedMeanwhileError
from gate_bridge.agent.journal import Append, Journal
from gate_bridge.agent.offline.edge_clock import Anchor
from gate_bridge.agent.offline.rules import Spent, Verdict
from gate_bridge.wire.actions import CommandStatus

DECISIONS_MAX = 1000
_NEWEST = "SELECT coalesce(max(number), 0) FROM offline_decisions"

SCHEMA = """
CREATE TABLE IF NOT EXISTS offline_policy (
    only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, signature BLOB NOT NULL,
    bundle BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS offline_key (
    only INTEGER PRIMARY KEY CHECK (only = 1), public_key BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS offline_spent (
    only INTEGER PRIMARY KEY CHECK (only = 1), cars INTEGER NOT NULL, amount_minor INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO offline_spent VALUES (1, 0, 0);
CREATE TABLE IF NOT EXISTS offline_clock (
    only INTEGER PRIMARY KEY CHECK (only = 1), bridge_time TEXT NOT NULL,
    uncertainty_s REAL NOT NULL, steady_s REAL NOT NULL, wall TEXT NOT NULL, boot_id TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS offline_decisions (
    number INTEGER PRIMARY KEY, presentation_id TEXT NOT NULL UNIQUE, command_id TEXT,
    plate_hash BLOB, policy_version INTEGER
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A policy as it came, with the key that it must be signed by."""

    version: int
    bundle: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision to write down, with its event.

    Attributes:
        command_id: Under which the arm rises; None where it stays down.
        body: The event's payload in JSON, without `seq`.
        plate_hash: None where no plate was read, or there is no policy.
    """

    presentation_id: UUID
    command_id: UUID | None
    event_id: UUID
    body: str
    verdict: Verdict
    plate_hash: bytes | None
    policy_version: int | None


@dataclass(frozen=True, slots=True)
class KnownDecision:
    """What was decided for a car before.

    Attributes:
        status: Of its pulse; None while that is unknown, and where there was none.
    """

    command_id: UUID | None
    status: CommandStatus | None


class OfflineStore:
    """One lane's tables."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def start(self) -> None:
        """Make the tables where there are none."""
        statements = [part for part in SCHEMA.split(";") if part.strip()]

        def work(connection: sqlite3.Connection, _append: Append) -> None:
            for statement in statements:
                connection.execute(statement)

        await self._journal.transact(work)

    async def policy(self) -> StoredPolicy | None:
        """Return the policy that was stored last."""
        row = await self._one("SELECT version, bundle, signature FROM offline_policy")
        return StoredPolicy(*row) if row is not None and row[1] else None

    async def pinned_key(self) -> bytes | None:
        """Return the key that policies must be signed by; None before the first one."""
        row = await self._one("SELECT public_key FROM offline_key")
        return None if row is None else row[0]

    async def store_policy(
        self, policy: StoredPolicy, public_key: bytes, decisions: int | None = None
    ) -> bool:
        """Keep a policy in the place of an older one; returns whether it was newer.

        What was risked counts anew from here: the bridge knows of it, for the policy was fetched
        after every decision was told.

        Args:
            policy: It, checked.
            public_key: That its signature was checked by.
            decisions: What `decisions` said before the policy was asked for; None to take it
                whatever was decided since.

        Raises:
            DecidedMeanwhileError: there was a decision since.
        """

        def work(connection: sqlite3.Connection, _append: Append) -> bool:
            _check_none_since(connection, decisions)
            row = connection.execute("SELECT version FROM offline_policy").fetchone()
            if row is not None and row[0] >= policy.version:
                return False
            connection.execute(
                "INSERT OR REPLACE INTO offline_policy VALUES (1, ?, ?, ?)",
                (policy.version, policy.signature, policy.bundle),
            )
            connection.execute("INSERT OR IGNORE INTO offline_key VALUES (1, ?)", (public_key,))
            connection.execute("UPDATE offline_spent SET cars = 0, amount_minor = 0")
            return True

        return await self._journal.transact(work)

    async def distrust_policy(self) -> None:
        """Let the bridge give the stored version again; an older one is refused as before."""

        def work(connection: sqlite3.Connection, _append: Append) -> None:
            connection.execute("UPDATE offline_policy SET version = version - 1, bundle = x''")

        await self._journal.transact(work)

    async def decisions(self) -> int:
        """Return the number of the newest decision; 0 for none."""
        row = await self._one(_NEWEST)
        return 0 if row is None else row[0]

    async def forget_spent(self, decisions: int | None = None) -> None:
        """Let what is risked count anew.

        Raises:
            DecidedMeanwhileError: as for `store_policy`.
        """

        def work(connection: sqlite3.Connection, _append: Append) -> None:
            _check_none_since(connection, decisions)
            connection.execute("UPDATE offline_spent SET cars = 0, amount_minor = 0")

        await self._journal.transact(work)

    async def spent(self) -> Spent:
        """Return what was risked since the newest policy came."""
        row = await self._one("SELECT cars, amount_minor FROM offline_spent")
        return Spent() if row is None else Spent(*row)

    async def was_let_out(self, plate_hash: bytes, policy_version: int) -> bool:
        """Return whether a plate was let through under a policy."""
        row = await self._one(
            "SELECT 1 FROM offline_decisions WHERE plate_hash = ? AND policy_version = ? "
            "AND command_id IS NOT NULL",
            plate_hash,
            policy_version,
        )
        return row is not None

    async def decide(self, decided: Decided) -> bool:
        """Write a decision, its event and what it risks, at once; False where one stands already.

        A car for which the bridge's own order was carried out is not decided on again.
        """

        def work(connection: sqlite3.Connection, append: Append) -> bool:
            car = str(decided.presentation_id)
            known = connection.execute(
                "SELECT 1 FROM offline_decisions WHERE presentation_id = ? UNION ALL "
                "SELECT 1 FROM commands WHERE presentation_id = ? "
                "AND (status IS NULL OR status = 'accepted')",
                (car, car),
            ).fetchone()
            if known is not None:
                return False
            command = None if decided.command_id is None else str(decided.command_id)
            connection.execute(
                "INSERT INTO offline_decisions "
                "(presentation_id, command_id, plate_hash, policy_version) VALUES (?, ?, ?, ?)",
                (car, command, decided.plate_hash, decided.policy_version),
            )
            connection.execute(
                "DELETE FROM offline_decisions WHERE number <= "
                "(SELECT max(number) FROM offline_decisions) - ?",
                (DECISIONS_MAX,),
            )
            if command is not None:
                connection.execute(
                    "INSERT INTO commands (command_id, presentation_id) VALUES (?, ?)",
                    (command, car),
                )
            connection.execute(
                "UPDATE offline_spent SET cars = cars + ?, amount_minor = amount_minor + ?",
                (decided.verdict.cars, decided.verdict.risk_minor),
            )
            append(decided.event_id, "OfflineDecision", decided.body)
            return True

        return await self._journal.transact(work)

    async def decision_of(self, presentation_id: UUID) -> KnownDecision | None:
        """Return what was decided for a car."""
        row = await self._one(
            "SELECT offline_decisions.command_id, commands.status FROM offline_decisions "
            "LEFT JOIN commands ON commands.command_id = offline_decisions.command_id "
            "WHERE offline_decisions.presentation_id = ?",
            str(presentation_id),
        )
        if row is None:
            return None
        command_id = None if row[0] is None else UUID(row[0])
        return KnownDecision(command_id, None if row[1] is None else CommandStatus(row[1]))

    async def has_unsent_decisions(self) -> bool:
        """Return whether the bridge has yet to commit a decision."""
        row = await self._one("SELECT 1 FROM events WHERE action = 'OfflineDecision' LIMIT 1")
        return row is not None

    async def observations(self, presentation_id: UUID) -> list[dict[str, object]]:
        """Return the reads of a car that the bridge has not committed, oldest first."""

        def work(connection: sqlite3.Connection, _append: Append) -> list[tuple[str]]:
            return connection.execute(
                "SELECT body FROM events WHERE action = 'Observation' "
                "AND json_extract(body, '$.presentation_id') = ? ORDER BY seq LIMIT 50",
                (str(presentation_id),),
            ).fetchall()

        return [orjson.loads(row[0]) for row in await self._journal.transact(work)]

    async def save_anchor(self, anchor: Anchor) -> None:
        """Keep a moment at which the bridge's time was known."""

        def work(connection: sqlite3.Connection, _append: Append) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO offline_clock VALUES (1, ?, ?, ?, ?, ?)",
                (
                    anchor.bridge_time.isoformat(),
                    anchor.uncertainty_s,
                    anchor.steady_s,
                    anchor.wall.isoformat(),
                    anchor.boot_id,
                ),
            )

        await self._journal.transact(work)

    async def anchor(self) -> Anchor | None:
        """Return the last moment at which the bridge's time was known."""
        row = await self._one(
            "SELECT bridge_time, uncertainty_s, steady_s, wall, boot_id FROM offline_clock"
        )
        if row is None:
            return None
        return Anchor(
            datetime.fromisoformat(row[0]), row[1], row[2], datetime.fromisoformat(row[3]), row[4]
        )

    async def _one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        def work(connection: sqlite3.Connection, _append: Append) -> tuple[Any, ...] | None:
            return connection.execute(statement, values).fetchone()

        return await self._journal.transact(work)


def _check_none_since(connection: sqlite3.Connection, decisions: int | None) -> None:
    if decisions is not None and connection.execute(_NEWEST).fetchone()[0] != decisions:
        raise DecidedMeanwhileError
