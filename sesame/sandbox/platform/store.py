"""The stand-in's file: what it has promised survives a kill."""

import json
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from parking.kit.errors import InvalidInputError
from sesame.sandbox.platform.upgrade import upgrade

NONCE_LIFETIME_MS = 2 * 300 * 1000
SCHEMA_VERSION = 2
_BUSY_TIMEOUT_S = 5.0

Json = dict[str, Any]

_SCHEMA = """
create table if not exists secret (name text primary key, value blob not null);
create table if not exists nonce (
    nonce text primary key, seen_ms integer not null);
create index if not exists nonce_seen on nonce (seen_ms);
create table if not exists agreement (
    reference text primary key, number text not null unique, parameters text not null,
    description text not null, return_url text not null, token text not null unique,
    status text not null, payer_hint text, extra text not null default '{}',
    created_ms integer not null, expires_ms integer not null, signed_ms integer,
    cancelled_ms integer, manner text not null);
create table if not exists orders (
    space text not null check (space in ('order', 'refund')),
    number text not null, kind text, parent text, parameters text,
    amount_minor integer check (amount_minor > 0), currency text, description text,
    return_url text, token text unique, reference text, extra text not null default '{}',
    status text not null check (status in ('accepted', 'succeeded', 'failed')),
    guaranteed integer not null default 0, failure_code text, manner text not null,
    created_ms integer not null, settled_ms integer,
    due_ms integer, due_status text, due_failure_code text,
    primary key (space, number));
create index if not exists orders_due on orders (due_ms) where due_ms is not null;
create index if not exists orders_parent on orders (parent);
create index if not exists orders_reference on orders (reference);
create index if not exists orders_settled on orders (settled_ms) where settled_ms is not null;
create table if not exists chargeback (
    reference text primary key, number text not null unique, amount_minor integer not null,
    currency text not null, reason text not null, extra text not null default '{}',
    status text not null check (status in ('opened', 'won', 'lost')),
    created_ms integer not null, settled_ms integer);
create table if not exists notice (
    serial integer primary key autoincrement, id text not null, kind text not null,
    subject text not null, occurred_ms integer not null, manner text not null, url text,
    due_ms integer, held integer not null default 0, attempts integer not null default 0,
    verdict text, delivered_ms integer);
create index if not exists notice_due on notice (due_ms) where due_ms is not null;
"""


class Store:
    """One SQLite file; calls never overlap, for none of them waits for anything else.

    Args:
        path: The file; made if it is not there.
        platform: Whose books they are; a file that another platform began is not taken.

    Raises:
        InvalidInputError: the file is of another platform or another version, or is none.
    """

    def __init__(self, path: Path, platform: str) -> None:
        try:
            # One thread opens the file, another may serve from it; never two at once.
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            # Write-ahead without a sync per commit survives a killed process: that is tested.
            self._connection.execute("pragma journal_mode = wal")
        except sqlite3.DatabaseError as error:
            raise InvalidInputError("--data", f"a file for the books: {path}: {error}") from error
        self._connection.execute("pragma synchronous = normal")
        self._require_version(path)
        self._connection.executescript(_SCHEMA)
        self._connection.execute(f"pragma user_version = {SCHEMA_VERSION}")
        owner = self.secret("platform", platform.encode).decode()
        if owner != platform:
            self._connection.close()
            raise InvalidInputError("--data", f"a file of its own: {path} has the books of {owner}")

    def _require_version(self, path: Path) -> None:
        tables = self._connection.execute("select count(*) from sqlite_schema").fetchone()[0]
        version = self._connection.execute("pragma user_version").fetchone()[0]
        if (
            tables
            and version != SCHEMA_VERSION
            and not (version == 0 and upgrade(self._connection))
        ):
            self._connection.close()
            raise InvalidInputError(
                "--data", f"a new file: {path} was written by another version of the stand-in"
            )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit at the end of the block, or nothing at all; inside another it is part of it."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._connection.execute("rollback")
            raise
        self._connection.execute("commit")

    def one(self, statement: str, *values: object) -> Json | None:
        """Return the first row; its `extra`, where it has one, as an object."""
        row = self._connection.execute(statement, values).fetchone()
        return None if row is None else _decoded(row)

    def all(self, statement: str, *values: object) -> list[Json]:
        """Return all rows, decoded as in `one`."""
        return [_decoded(row) for row in self._connection.execute(statement, values)]

    def run(self, statement: str, *values: object) -> int:
        """Return how many rows changed."""
        return self._connection.execute(statement, values).rowcount

    def insert(self, table: str, values: Json) -> bool:
        """Return whether the row is new; `table` and the names of `values` are our own words."""
        marks = ", ".join("?" * len(values))
        names = ", ".join(values)
        statement = f"insert or ignore into {table} ({names}) values ({marks})"  # noqa: S608
        return self.run(statement, *values.values()) == 1

    def secret(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Return what is kept under this name; the first call makes it."""
        with self.transaction():
            row = self.one("select value from secret where name = ?", name)
            if row is None:
                row = {"value": make()}
                self.run("insert into secret values (?, ?)", name, row["value"])
        return row["value"]

    def remember_nonce(self, nonce: str, now_ms: int) -> bool:
        """Return whether the nonce is new, and remember it past the time window."""
        with self.transaction():
            self.run("delete from nonce where seen_ms < ?", now_ms - NONCE_LIFETIME_MS)
            return self.run("insert or ignore into nonce values (?, ?)", nonce, now_ms) == 1


def canonical(asked: Json) -> str:
    """Return the parameters so that equal ones are equal texts."""
    return json.dumps(asked, sort_keys=True, ensure_ascii=False)


def instant(milliseconds: int | None) -> str | None:
    """Return a time in RFC 3339, UTC."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat().replace("+00:00", "Z")


def _decoded(row: sqlite3.Row) -> Json:
    values = dict(row)
    if "extra" in values:
        values["extra"] = json.loads(values["extra"])
    return values
