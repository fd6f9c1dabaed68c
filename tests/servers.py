"""Typed access of tests to the real servers; the drivers themselves come without types."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast

import asyncpg
import redis

STATEMENT_TIMEOUT_S: Final = 60


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
