"""Reads that bypass SQLAlchemy: how many connections they hold, and what becomes of broken ones."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest

from parking.kit.clock import SystemClock
from parking.kit.database import Database, DatabaseUnavailableError
from parking.kit.one_statement import OneStatement
from parking.kit.quick_reads import CONNECTIONS_MAX
from tests.factories.identity import VAULT

PID: Final = OneStatement("SELECT pg_backend_pid() AS pid, :number::int AS number")
SLEEP: Final = OneStatement("SELECT pg_sleep(:seconds)")
OTHERS: Final = OneStatement(
    "SELECT count(*) AS count FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> :pid"
)


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    opened = Database(database_url, clock=SystemClock(), vault=VAULT)
    yield opened
    await opened.close()


async def pids(database: Database, count: int) -> list[tuple[int, int]]:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(database.read_quickly(PID, {"number": number}))
            for number in range(count)
        ]
    return [(row["pid"], row["number"]) for [row] in (task.result() for task in tasks)]


async def test_so_many_at_once_share_a_few_connections(database: Database) -> None:
    found = await pids(database, 40)
    assert [number for _, number in found] == list(range(40))
    assert len({pid for pid, _ in found}) <= CONNECTIONS_MAX
    # One after the other they need one alone.
    again = [(await pids(database, 1))[0][0] for _ in range(5)]
    assert len(set(again)) == 1
    assert database.quick_reads.sent == 45


async def test_whoever_gives_up_leaves_the_place_to_the_next(database: Database) -> None:
    for _ in range(CONNECTIONS_MAX + 1):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await database.read_quickly(SLEEP, {"seconds": 30.0})
    assert len(await pids(database, CONNECTIONS_MAX)) == CONNECTIONS_MAX


async def test_a_statement_that_is_wrong_is_not_said_to_be_an_outage(database: Database) -> None:
    wrong: Any = OneStatement("SELECT nothing FROM nowhere")
    with pytest.raises(Exception, match="nowhere") as caught:
        await database.read_quickly(wrong, {})
    assert not isinstance(caught.value, DatabaseUnavailableError)
    assert len(await pids(database, 1)) == 1


async def test_a_server_that_is_not_there_is_said_to_be_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    gone = Database(f"postgresql://a@127.0.0.1:{port}/b", clock=SystemClock(), vault=VAULT)
    with pytest.raises(DatabaseUnavailableError):
        await gone.read_quickly(PID, {"number": 1})
    await gone.close()


async def test_closing_leaves_no_connection(database_url: str, database: Database) -> None:
    other = Database(database_url, clock=SystemClock(), vault=VAULT)
    await pids(other, 20)
    await other.close()
    [(pid, _)] = await pids(database, 1)
    async with asyncio.timeout(5):
        # PostgreSQL lets go of a backend a moment after its client.
        while (await database.read_quickly(OTHERS, {"pid": pid}))[0]["count"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
