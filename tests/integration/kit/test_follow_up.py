"""The unit of work in one round trip, on real PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlmodel import select

from parking.drivers.models import Driver, SignIn
from parking.events.models import OutboxRow
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.crypto import Vault
from parking.kit.database import ConflictError, Database, UnitOfWork
from parking.kit.follow_up import follow_up
from parking.kit.ids import new_id
from parking.kit.locks import LockOrderError, lock
from parking.payments.models import LedgerTransfer, Mandate, MandateState

VAULT = Vault(field_key=b"f" * 32, index_key=b"i" * 32)


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    clock = ManualClock(SystemClock().now())
    opened = Database(database_url, clock=clock, vault=VAULT, connections_max=4)
    yield opened
    await opened.close()


async def a_mandate(database: Database) -> Mandate:
    async with database.begin() as unit:
        row = Mandate(
            driver_id=new_id(unit.now()),
            id=new_id(unit.now()),
            provider="fake",
            state=MandateState.ACTIVE,
            created_at=unit.now(),
        )
        unit.session.add(row)
    return row


async def stored(database: Database, row: Mandate) -> Mandate | None:
    async with database.begin() as unit:
        return await unit.session.get(Mandate, (row.driver_id, row.id))


async def hold(unit: UnitOfWork, row: Mandate, *, shared: bool = False) -> Mandate:
    held = await lock(unit, Mandate, shared=shared, driver_id=row.driver_id, id=row.id)
    assert held is row
    return row


def event(unit: UnitOfWork, owner_id: UUID) -> OutboxRow:
    unit.has_events = True
    return OutboxRow(
        owner_id=owner_id,
        id=new_id(unit.now()),
        type="Test",
        subject_id=owner_id,
        version=1,
        payload={"amount": 1, "place": None},
        occurred_at=unit.now(),
        next_at=unit.now(),
    )


async def events_of(database: Database, owner_id: UUID) -> list[OutboxRow]:
    async with database.begin() as unit:
        statement = select(OutboxRow).where(OutboxRow.owner_id == owner_id)
        return list(await unit.session.exec(statement))


async def test_changes_and_new_rows_are_written_together(database: Database) -> None:
    mandate = await a_mandate(database)
    async with follow_up(database, mandate) as unit:
        (await hold(unit, mandate)).payer_hint = "•••• 4242"
        mandate.position = 3
        mandate.activated_at = unit.now()
        unit.session.add(event(unit, mandate.driver_id))
    assert await stored(database, mandate) == mandate
    assert (mandate.payer_hint, mandate.position) == ("•••• 4242", 3)
    [told] = await events_of(database, mandate.driver_id)
    assert told.payload == {"amount": 1, "place": None}


async def test_rows_may_be_followed_up_again(database: Database) -> None:
    mandate = await a_mandate(database)
    for position in (1, 2, 3):
        async with follow_up(database, mandate) as unit:
            (await hold(unit, mandate)).position = position
    async with follow_up(database, mandate) as unit:
        added = event(unit, mandate.driver_id)
        unit.session.add(added)
    async with follow_up(database, added) as unit:
        added.attempts = 7
    found = await stored(database, mandate)
    assert found is not None
    assert found.position == 3
    assert [row.attempts for row in await events_of(database, mandate.driver_id)] == [7]


@pytest.mark.parametrize("is_changed_here", [True, False])
async def test_a_row_that_changed_meanwhile_stops_everything(
    database: Database, *, is_changed_here: bool
) -> None:
    mandate, other = await a_mandate(database), await a_mandate(database)
    async with database.begin() as unit:
        rival = await lock(unit, Mandate, driver_id=mandate.driver_id, id=mandate.id)
        assert rival is not None
        rival.state = MandateState.REVOKED
    with pytest.raises(ConflictError) as caught:
        async with follow_up(database, mandate, other) as unit:
            await hold(unit, mandate, shared=True)
            if is_changed_here:
                mandate.position = 9
            other.position = 9
            unit.session.add(event(unit, mandate.driver_id))
    assert caught.value.retryable
    assert (mandate.position, other.position) == (0, 0)
    assert mandate.state == MandateState.ACTIVE
    for row in (mandate, other):
        found = await stored(database, row)
        assert found is not None
        assert found.position == 0
    assert await events_of(database, mandate.driver_id) == []


async def test_of_many_rivals_one_writes(database: Database) -> None:
    mandate = await a_mandate(database)
    seen = [await stored(database, mandate) for _ in range(8)]

    async def write(row: Mandate | None, number: int) -> bool:
        assert row is not None
        try:
            async with follow_up(database, row) as unit:
                (await hold(unit, row)).position = number
                unit.session.add(event(unit, row.driver_id))
        except ConflictError:
            return False
        return True

    done = await asyncio.gather(*(write(row, number + 1) for number, row in enumerate(seen)))
    assert done.count(True) == 1
    found = await stored(database, mandate)
    assert found is not None
    assert found.position == done.index(True) + 1
    assert len(await events_of(database, mandate.driver_id)) == 1


async def test_it_waits_for_a_rival_that_has_not_committed(database: Database) -> None:
    mandate = await a_mandate(database)

    async def write() -> None:
        async with follow_up(database, mandate) as unit:
            (await hold(unit, mandate, shared=True)).position = 5

    async with database.begin() as unit:
        rival = await lock(unit, Mandate, driver_id=mandate.driver_id, id=mandate.id)
        assert rival is not None
        writing = asyncio.create_task(write())
        done, _ = await asyncio.wait({writing}, timeout=0.2)
        assert not done
        rival.state = MandateState.REVOKED
        await unit.session.flush()
    with pytest.raises(ConflictError):
        await writing
    found = await stored(database, mandate)
    assert found is not None
    assert (found.state, found.position) == (MandateState.REVOKED, 0)


async def test_a_key_that_exists_is_inserted_once(database: Database) -> None:
    mandate = await a_mandate(database)
    values = {
        "operator_id": mandate.driver_id,
        "id": new_id(database.clock.now()),
        "bill_id": mandate.id,
        "debit_account": "cash_desk",
        "credit_account": "revenue",
        "amount_minor": 1,
        "currency": "EUR",
        "cause": "test",
        "posted_at": database.clock.now(),
    }
    for position in (1, 2):
        async with follow_up(database, mandate) as unit:
            (await hold(unit, mandate)).position = position
            await unit.insert_once(LedgerTransfer, values)
    async with database.begin() as unit:
        await unit.insert_once(LedgerTransfer, values)
        rows = await unit.run(
            text("SELECT count(*) FROM ledger_transfers WHERE operator_id = :owner"),
            {"owner": mandate.driver_id},
        )
        assert rows.scalar_one() == 1
    found = await stored(database, mandate)
    assert found is not None
    assert found.position == 2


async def test_an_error_in_the_block_writes_nothing(database: Database) -> None:
    mandate = await a_mandate(database)
    with pytest.raises(RuntimeError, match="on purpose"):
        async with follow_up(database, mandate) as unit:
            unit.session.add(event(unit, mandate.driver_id))
            raise RuntimeError("on purpose")
    assert await events_of(database, mandate.driver_id) == []


async def test_a_read_leaves_what_is_not_written_yet(database: Database) -> None:
    mandate = await a_mandate(database)
    async with follow_up(database, mandate) as unit:
        mandate.position = 4
        statement = select(Mandate).where(Mandate.driver_id == mandate.driver_id)
        anew = statement.execution_options(populate_existing=True)
        assert (await unit.session.exec(anew)).one() is mandate
        assert mandate.position == 4
    found = await stored(database, mandate)
    assert found is not None
    assert found.position == 4


async def test_what_it_cannot_do_is_a_conflict(database: Database) -> None:
    mandate = await a_mandate(database)
    with pytest.raises(ConflictError, match="expected one that was just read"):
        async with follow_up(database) as unit:
            await lock(unit, Mandate, driver_id=mandate.driver_id, id=mandate.id)
    with pytest.raises(ConflictError, match="only reads"):
        async with follow_up(database, mandate) as unit:
            await unit.run(text("UPDATE mandates SET position = 1"))
    with pytest.raises(ConflictError, match="deleted"):
        async with follow_up(database, mandate) as unit:
            await unit.session.delete(mandate)
    found = await stored(database, mandate)
    assert found is not None
    assert found.position == 0


async def test_the_lock_order_holds_here_too(database: Database) -> None:
    async with database.begin() as unit:
        driver_id = new_id(unit.now())
        unit.session.add(Driver(id=driver_id, created_at=unit.now()))
        await unit.session.flush()
        sign_in = SignIn(
            driver_id=driver_id,
            id=new_id(unit.now()),
            refresh_digest=b"1",
            device_name="phone",
            created_at=unit.now(),
            authenticated_at=unit.now(),
            refreshed_at=unit.now(),
            expires_at=unit.now() + timedelta(days=1),
        )
        unit.session.add(sign_in)
    mandate = await a_mandate(database)
    with pytest.raises(LockOrderError):
        async with follow_up(database, sign_in, mandate) as unit:
            await lock(unit, SignIn, driver_id=driver_id, id=sign_in.id)
            await lock(unit, Mandate, driver_id=mandate.driver_id, id=mandate.id)
