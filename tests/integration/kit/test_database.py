"""The unit of work on real PostgreSQL: commits, conflicts, lost connections, lock order."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from parking.drivers.models import SignIn
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.crypto import Vault
from parking.kit.database import ConflictError, Database, DatabaseUnavailableError, UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.kit.locks import LockOrderError, lock
from parking.kit.partitions import ensure_partitions
from parking.places.models import Operator
from parking.sessions.models import Session
from tests.servers import Administrator

TLS_WANTED = (80877103).to_bytes(4)
STARTING_UP = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
VAULT = Vault(field_key=b"f" * 32, index_key=b"i" * 32)


@pytest.fixture
async def clock() -> ManualClock:
    return ManualClock(SystemClock().now())


@pytest.fixture
async def database(database_url: str, clock: ManualClock) -> AsyncGenerator[Database]:
    opened = Database(database_url, clock=clock, vault=VAULT, connections_max=2)
    yield opened
    await opened.close()


async def operators(database: Database) -> int:
    async with database.begin() as unit:
        return int((await unit.run(text("SELECT count(*) FROM operators"))).scalar_one())


async def test_block_commits_and_an_error_rolls_back(database: Database) -> None:
    async with database.begin() as unit:
        unit.session.add(Operator(id=new_id(unit.now()), name="A", created_at=unit.now()))
    with pytest.raises(RuntimeError, match="on purpose"):
        async with database.begin() as unit:
            unit.session.add(Operator(id=new_id(unit.now()), name="B", created_at=unit.now()))
            raise RuntimeError("on purpose")
    assert await operators(database) == 1


async def test_constraint_is_a_conflict_that_may_be_tried_again(database: Database) -> None:
    async with database.begin() as unit:
        row = Operator(id=new_id(unit.now()), name="A", created_at=unit.now())
        unit.session.add(row)
    with pytest.raises(ConflictError) as caught:
        async with database.begin() as unit:
            unit.session.add(Operator(id=row.id, name="B", created_at=unit.now()))
    assert caught.value.retryable
    assert await operators(database) == 1


async def test_an_error_does_not_tell_what_somebody_wrote(database: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with database.begin() as unit:
            await unit.run(text("SELECT 1 / (length(:given) - 8)"), {"given": "京A·88731"})
    assert "division by zero" in str(caught.value)
    assert "88731" not in str(caught.value)


@pytest.mark.parametrize("statement", ["SELECT length(:given)", "SELECT CAST(:given AS jsonb)"])
async def test_what_no_text_can_hold_is_refused(database: Database, statement: str) -> None:
    given = "a\x00b" if "length" in statement else '"a\\u0000b"'
    with pytest.raises(InvalidInputError, match=r"^text: expected no zero characters"):
        async with database.begin() as unit:
            unit.session.add(Operator(id=new_id(unit.now()), name="A", created_at=unit.now()))
            await unit.run(text(statement), {"given": given})
    assert await operators(database) == 0


@pytest.mark.parametrize(
    "at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)]
)
async def test_the_first_and_the_last_moment_are_read_again(
    database: Database, at: datetime
) -> None:
    async with database.begin() as unit:
        row = Operator(id=new_id(unit.now()), name="A", created_at=at)
        unit.session.add(row)
    async with database.begin() as unit:
        stored = await unit.session.get(Operator, row.id, populate_existing=True)
        assert stored is not None
        assert stored.created_at == at


async def test_lost_connection_is_named_and_the_next_one_works(database: Database) -> None:
    with pytest.raises(DatabaseUnavailableError) as caught:
        async with database.begin() as unit:
            own = (await unit.run(text("SELECT pg_backend_pid()"))).scalar_one()
            async with database.begin() as killer:
                await killer.run(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
            await unit.run(text("SELECT 1"))
    assert caught.value.retryable
    assert await operators(database) == 0


async def test_no_use_fails_after_the_server_closed_every_connection(
    database: Database, administrator: Administrator
) -> None:
    async with database.begin() as first, database.begin() as second:
        pooled = [await driver_connection(unit) for unit in (first, second)]
    pids = [connection.get_server_pid() for connection in pooled]
    administrator.execute(*(f"SELECT pg_terminate_backend({pid})" for pid in pids))
    await until(lambda: all(connection.is_closed() for connection in pooled))
    async with database.begin() as first, database.statements() as second:
        assert (await first.run(text("SELECT count(*) FROM operators"))).scalar_one() == 0
        await second.exec(select(Operator))
    assert await operators(database) == 0


async def driver_connection(unit: UnitOfWork) -> Any:  # noqa: ANN401 - the driver's own
    connection = await unit.session.connection()
    return (await connection.get_raw_connection()).driver_connection


async def until(is_so: Callable[[], bool], looks_max: int = 1000) -> None:
    for _ in range(looks_max):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not become so")


async def test_a_database_that_takes_nobody_in_is_away_and_no_defect(
    database_url: str, clock: ManualClock, administrator: Administrator
) -> None:
    name = database_url.rpartition("/")[2]
    database = Database(database_url, clock=clock, vault=VAULT)
    administrator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    with pytest.raises(DatabaseUnavailableError) as caught:
        await operators(database)
    assert caught.value.retryable
    administrator.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert await operators(database) == 0
    await database.close()


async def test_server_that_is_not_there_is_unavailable(clock: ManualClock) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none", clock=clock, vault=VAULT)
    with pytest.raises(DatabaseUnavailableError):
        async with nowhere.begin() as unit:
            await unit.ping()
    await nowhere.close()


def fails_with(state: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "SELECT no_such_column FROM operators",
            "its schema is of another version: sesame migrate",
        ),
        ("SELECT 1 FROM no_such_table", "its schema is of another version: sesame migrate"),
        ("SET TRANSACTION READ ONLY|DELETE FROM operators", "it is read-only"),
        (fails_with("53100"), "its disk is full"),
        (fails_with("53200"), "SQLSTATE 53200"),
        (fails_with("53300"), "SQLSTATE 53300"),
        (fails_with("58030"), "SQLSTATE 58030"),
    ],
)
async def test_a_server_that_cannot_work_is_no_defect_of_what_was_asked(
    database: Database, statement: str, told: str
) -> None:
    with pytest.raises(
        DatabaseUnavailableError, match=f"^PostgreSQL cannot work: {told}$"
    ) as caught:
        async with database.begin() as unit:
            unit.session.add(Operator(id=new_id(unit.now()), name="A", created_at=unit.now()))
            for part in statement.split("|"):
                await unit.run(text(part))
    assert caught.value.retryable
    assert await operators(database) == 0


async def test_a_server_that_takes_nothing_in_is_not_ready(database: Database) -> None:
    async with database.begin() as unit:
        await unit.ping()
    with pytest.raises(
        DatabaseUnavailableError, match=r"^PostgreSQL cannot work: it is read-only$"
    ) as caught:
        async with database.begin() as unit:
            await unit.run(text("SET TRANSACTION READ ONLY"))
            await unit.ping()
    assert caught.value.retryable


@pytest.mark.parametrize("statement", ["SELECT 1 / 0", fails_with("55000")])
async def test_what_is_wrong_with_the_statement_itself_stays_a_defect(
    database: Database, statement: str
) -> None:
    with pytest.raises(DBAPIError):
        async with database.begin() as unit:
            await unit.run(text(statement))


async def test_locks_go_one_way(database: Database) -> None:
    key = new_id(database.clock.now())
    async with database.begin() as unit:
        assert await lock(unit, Session, operator_id=key, id=key) is None
        assert await lock(unit, SignIn, driver_id=key, id=key) is None
        with pytest.raises(LockOrderError, match="sessions must be locked before sign_ins"):
            await lock(unit, Session, operator_id=key, id=key)


async def test_partitions_are_made_ahead_once(database: Database, clock: ManualClock) -> None:
    assert await ensure_partitions(database) == []
    now = clock.now()
    next_month = (now.replace(day=1) + timedelta(days=32)).replace(day=1)
    clock.advance(next_month - now)
    made = await ensure_partitions(database)
    async with database.begin() as unit:
        rows = await unit.run(text("SELECT relname FROM pg_class WHERE relkind = 'p'"))
        growing = [str(row.relname) for row in rows]
    assert sorted(name[: -len("_2026_01")] for name in made) == sorted(growing)
    assert "ledger_transfers" in growing
    assert await ensure_partitions(database) == []


async def test_rows_that_came_before_their_month_move_into_its_partition(
    database: Database, clock: ManualClock
) -> None:
    later = clock.now() + timedelta(days=125)
    owner = new_id(clock.now())
    async with database.begin() as unit:
        for number in range(3):
            await unit.run(
                text(
                    "INSERT INTO ledger_transfers VALUES (:owner, :id, :owner, 'receivable',"
                    " 'revenue', 100, 'CNY', 'issued', :at)"
                ),
                {"owner": owner, "id": new_id(later + timedelta(seconds=number)), "at": later},
            )
    assert await rows_in(database, "ledger_transfers_default") == 3
    clock.advance(timedelta(days=125))
    made = await ensure_partitions(database)
    assert f"ledger_transfers_{later:%Y_%m}" in made
    assert await rows_in(database, "ledger_transfers_default") == 0
    assert await rows_in(database, f"ledger_transfers_{later:%Y_%m}") == 3
    assert await rows_in(database, "ledger_transfers") == 3
    with pytest.raises(Exception, match="rows are never changed or deleted"):
        async with database.begin() as unit:
            await unit.run(text("DELETE FROM ledger_transfers"))


async def rows_in(database: Database, table: str) -> int:
    async with database.begin() as unit:
        return int((await unit.run(text(f"SELECT count(*) FROM {table}"))).scalar_one())  # noqa: S608


async def test_a_pool_that_is_used_up_says_so(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parking.kit.database.POOL_WAIT_S", 0.01)
    database = Database(database_url, clock=clock, vault=VAULT, connections_max=1)
    async with database.begin() as first:
        await first.run(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailableError):
            async with database.begin() as second:
                await second.run(text("SELECT 1"))
    async with database.begin() as again:
        assert (await again.run(text("SELECT 1"))).scalar_one() == 1
    await database.close()


async def test_server_that_is_starting_up_is_away_and_no_defect(clock: ManualClock) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What asks for TLS first, or for a session: the answers of PostgreSQL's own protocol.
        try:
            length = int.from_bytes(await reader.readexactly(4))
            if await reader.readexactly(length - 4) == TLS_WANTED:
                writer.write(b"N")
                length = int.from_bytes(await reader.readexactly(4))
                await reader.readexactly(length - 4)
            writer.write(b"E" + (len(STARTING_UP) + 4).to_bytes(4) + STARTING_UP)
        finally:
            writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://sesame:secret@127.0.0.1:{port}/sesame"
        away = Database(url, clock=clock, vault=VAULT, connections_max=1)
        try:
            with pytest.raises(DatabaseUnavailableError):
                async with away.begin() as unit:
                    await unit.ping()
        finally:
            await away.close()
