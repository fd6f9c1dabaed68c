"""SQLite files at the edge: one process each, and what is written survives a power cut."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gate_bridge.agent.errors import JournalFullError

_BUSY_TIMEOUT_S = 0.2
# A disk that is full, and one that takes nothing any more.
_NO_ROOM = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_PRIMARY_CODE = 0xFF


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """Open a file, creating it and its tables where there are none.

    Args:
        path: The file.
        schema: Statements that may be repeated.

    Raises:
        sqlite3.OperationalError: `locked`, where another process has it open.
        OSError: there is no such folder, or nothing may be written there.
    """
    # Plates stand in it, and in what SQLite puts beside it: they belong to this user alone.
    path.touch(mode=0o600)
    connection = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        # Exclusive: two agents on one file would hand out the same numbers.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(schema)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Write all or nothing; what was committed is on the disk.

    Raises:
        JournalFullError: the disk takes nothing any more.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        # A full disk may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError) and _is_no_room(error):
            raise JournalFullError("the disk is full") from error
        raise


def _is_no_room(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & _PRIMARY_CODE in _NO_ROOM
