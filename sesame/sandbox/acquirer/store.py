"""The stand-in's file: what it has promised survives a kill."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sesame.sandbox.acquirer.signing import PlatformKey, new_private_pem

PLATFORM_KEYS = 2
NONCE_LIFETIME_MS = 2 * 300 * 1000
_BUSY_TIMEOUT_S = 5.0

_SCHEMA = """
create table if not exists platform_key (
    position integer primary key, pem blob not null);
create table if not exists nonce (
    nonce text primary key, seen_ms integer not null);
create index if not exists nonce_seen on nonce (seen_ms);
create table if not exists agreement (
    reference text primary key, number text not null unique, parameters text not null,
    description text not null, return_url text not null, token text not null unique,
    status text not null, payer_hint text, created_ms integer not null,
    expires_ms integer not null, signed_ms integer, cancelled_ms integer, manner text not null);
create table if not exists orders (
    space text not null check (space in ('order', 'refund')),
    number text not null, kind text, parent text, parameters text,
    amount_minor integer check (amount_minor > 0), currency text, description text,
    return_url text, token text unique, reference text,
    status text not null check (status in ('accepted', 'succeeded', 'failed')),
    guaranteed integer not null default 0, failure_code text, manner text not null,
    created_ms integer not null, settled_ms integer,
    due_ms integer, due_status text, due_failure_code text,
    primary key (space, number));
create index if not exists orders_due on orders (due_ms) where due_ms is not null;
create index if not exists orders_parent on orders (parent);
create table if not exists notice (
    serial integer primary key autoincrement, id text not null, body blob not null,
    manner text not null, due_ms integer, attempts integer not null default 0,
    last_status integer, delivered_ms integer);
create index if not exists notice_due on notice (due_ms) where due_ms is not null;
"""


@dataclass(frozen=True, slots=True)
class PendingNotice:
    """A notice that is to be posted."""

    serial: int
    body: bytes
    manner: str
    attempts: int


class Store:
    """One SQLite file; calls never overlap, for none of them waits for anything else."""

    def __init__(self, path: Path) -> None:
        # One thread opens the file, another may serve from it; never two at once.
        self._connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        # Write-ahead without a sync per commit survives a killed process, which is what is tested.
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = normal")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit at the end of the block, or nothing at all."""
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def one(self, statement: str, *values: object) -> dict[str, Any] | None:
        """Return the first row."""
        row = self._connection.execute(statement, values).fetchone()
        return None if row is None else dict(row)

    def all(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Return all rows."""
        return [dict(row) for row in self._connection.execute(statement, values)]

    def run(self, statement: str, *values: object) -> int:
        """Return how many rows changed."""
        return self._connection.execute(statement, values).rowcount

    def platform_keys(self) -> list[PlatformKey]:
        """Return the platform's keys; the first start makes them."""
        with self.transaction():
            for position in range(PLATFORM_KEYS):
                if self.one("select 1 from platform_key where position = ?", position) is None:
                    self.run("insert into platform_key values (?, ?)", position, new_private_pem())
        rows = self.all("select pem from platform_key order by position")
        return [PlatformKey(row["pem"]) for row in rows]

    def remember_nonce(self, nonce: str, now_ms: int) -> bool:
        """Return whether the nonce is new, and remember it past the time window."""
        with self.transaction():
            self.run("delete from nonce where seen_ms < ?", now_ms - NONCE_LIFETIME_MS)
            return self.run("insert or ignore into nonce values (?, ?)", nonce, now_ms) == 1

    def due_notices(self, now_ms: int, limit: int) -> list[PendingNotice]:
        """Return the notices to post now, oldest first."""
        rows = self.all(
            "select serial, body, manner, attempts from notice"
            " where due_ms <= ? order by due_ms, serial limit ?",
            now_ms,
            limit,
        )
        return [PendingNotice(**row) for row in rows]

    def notice_tried(
        self, serial: int, *, status: int | None, now_ms: int, again_ms: int | None, done: bool
    ) -> None:
        """Note one delivery; `again_ms` is when to try again, `None` for never."""
        self.run(
            "update notice set attempts = attempts + 1, last_status = ?, due_ms = ?,"
            " delivered_ms = ? where serial = ?",
            status,
            again_ms,
            now_ms if done else None,
            serial,
        )

    def next_due_ms(self, table: str) -> int | None:
        """Return when something is to be done in `orders` or `notice`."""
        statements = {
            "orders": "select min(due_ms) as due from orders where due_ms is not null",
            "notice": "select min(due_ms) as due from notice where due_ms is not null",
        }
        row = self.one(statements[table])
        return row["due"] if row else None
