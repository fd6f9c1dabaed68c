"""Typed access of tests to the real servers; the drivers themselves come without types."""

import asyncio
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self, cast

import asyncpg
import redis

STATEMENT_TIMEOUT_S: Final = 60
MEMORY_FOLDER: Final = Path("/dev/shm")  # noqa: S108 - the folders below it have random names
FOLDER_PREFIX: Final = "sesame-tests-"
# A younger folder may belong to a run that has not locked it yet.
LEFTOVER_AGE_S: Final = 600.0


class PostgresConnection(Protocol):
    """What tests use of a connection of asyncpg."""

    async def execute(self, statement: str, *arguments: object) -> str: ...
    async def fetchval(self, statement: str, *arguments: object) -> object: ...
    async def close(self) -> None: ...


class ValkeyClient(Protocol):
    """What tests use of a client of Valkey."""

    def set(self, name: str, value: str) -> bool: ...
    def get(self, name: str) -> bytes | None: ...
    def dbsize(self) -> int: ...
    def flushall(self) -> bool: ...
    def xlen(self, name: str) -> int: ...


class Administrator:
    """Makes and drops databases on one connection that lasts, outside the tests' event loops."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = ThreadPoolExecutor(1)
        self._connection: PostgresConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self.wait_for(self._connection.close())
        self._thread.shutdown()
        self._loop.close()

    def url_of(self, database: str) -> str:
        """Return where a database of this server is."""
        return f"{self._url.rpartition('/')[0]}/{database}"

    def execute(self, *statements: str) -> None:
        """Run statements one after the other, each its own transaction."""
        for statement in statements:
            self.wait_for(self._execute(statement))

    def wait_for(self, work: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine to its end."""
        self._thread.submit(self._loop.run_until_complete, work).result()

    async def _execute(self, statement: str) -> None:
        connection = self._connection or await _connect(self._url)
        try:
            await connection.execute(statement)
        except (asyncpg.InterfaceError, asyncpg.PostgresConnectionError, OSError):
            # A test killed the server in between.
            connection = await _connect(self._url)
            await connection.execute(statement)
        self._connection = connection


@contextmanager
def throwaway_folder() -> Generator[Path]:
    """Make an empty data folder for a block, in memory where the machine allows it."""
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=_parent()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def remove_leftovers() -> None:
    """Remove the folders of killed test runs; a folder in use is locked."""
    for folder in _parent().glob(f"{FOLDER_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime > LEFTOVER_AGE_S:
                _remove_unlocked(folder)
        except OSError:
            # Another run was faster, or the folder is another user's.
            continue


async def execute(url: str, *statements: str) -> None:
    """Run statements one after the other on a connection of their own, each its own transaction."""
    connection = await _connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def fetch_value(url: str, statement: str, *arguments: object) -> object:
    """Return the first value of a query."""
    connection = await _connect(url)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


@contextmanager
def valkey_client(url: str) -> Generator[ValkeyClient]:
    """Connect to Valkey for the length of a block."""
    connect = cast("Any", redis.Redis).from_url
    client = connect(url, socket_timeout=STATEMENT_TIMEOUT_S)
    try:
        yield cast("ValkeyClient", client)
    finally:
        client.close()


async def _connect(url: str) -> PostgresConnection:
    connect = cast("Any", asyncpg).connect
    connection = await connect(
        url, timeout=STATEMENT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S
    )
    return cast("PostgresConnection", connection)


def _parent() -> Path:
    return MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else Path(tempfile.gettempdir())


def _remove_unlocked(folder: Path) -> None:
    lock = os.open(folder / "lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(lock)
