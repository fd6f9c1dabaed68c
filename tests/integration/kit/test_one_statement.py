"""Statements that are transactions by themselves, against PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import text

from parking.kit.clock import SystemClock
from parking.kit.crypto import Vault
from parking.kit.database import ConflictError, Database, DatabaseUnavailableError
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.kit.one_statement import OneStatement

ADD = OneStatement(
    "WITH added AS ("
    "INSERT INTO operators (id, name, created_at) VALUES (:id, :name, :now) RETURNING id"
    ") SELECT id, CAST(:name AS text) || '::x' AS told FROM added"
)


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    vault = Vault(field_key=b"f" * 32, index_key=b"i" * 32)
    opened = Database(database_url, clock=SystemClock(), vault=vault, connections_max=2)
    yield opened
    await opened.close()


async def names(database: Database) -> list[str]:
    async with database.begin() as unit:
        return list((await unit.run(text("SELECT name FROM operators ORDER BY name"))).scalars())


def values(database: Database, name: str) -> dict[str, object]:
    now = database.clock.now()
    return {"id": new_id(now), "name": name, "now": now, "more": "not asked for"}


def test_a_name_is_a_value_wherever_it_comes() -> None:
    statement = OneStatement("SELECT :b, :a, :b, now()::text")
    assert statement.sql == "SELECT $1, $2, $1, now()::text"
    assert statement.given({"a": 1, "b": 2, "c": 3}) == (2, 1)


async def test_it_commits_and_gives_its_row(database: Database) -> None:
    given = values(database, "A")
    row = await database.run_alone(ADD, given)
    assert tuple(row) == (given["id"], "A::x")
    assert await names(database) == ["A"]


async def test_what_fails_leaves_nothing_and_is_named(database: Database) -> None:
    given = values(database, "A")
    await database.run_alone(ADD, given)
    with pytest.raises(ConflictError):
        await database.run_alone(ADD, given)
    with pytest.raises(InvalidInputError):
        await database.run_alone(ADD, values(database, "B\0"))
    assert await names(database) == ["A"]


async def test_a_lost_connection_is_named_and_the_next_statement_works(database: Database) -> None:
    await database.run_alone(ADD, values(database, "A"))
    wait = OneStatement("SELECT pg_sleep(30), CAST(:name AS text)")
    waiting = asyncio.create_task(database.run_alone(wait, {"name": "B"}))
    kill = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep(30)%'"
    )
    killed = 0
    for _ in range(200):
        async with database.begin() as unit:
            killed = (await unit.run(kill)).scalar_one()
        if killed:
            break
        await asyncio.sleep(0.01)
    assert killed == 1
    with pytest.raises(DatabaseUnavailableError):
        await waiting
    await database.run_alone(ADD, values(database, "C"))
    assert await names(database) == ["A", "C"]


async def test_a_statement_that_was_given_up_leaves_the_connection_usable(
    database: Database,
) -> None:
    wait = OneStatement("SELECT pg_sleep(30), CAST(:name AS text)")
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await database.run_alone(wait, {"name": "B"})
    await database.run_alone(ADD, values(database, "A"))
    assert await names(database) == ["A"]
