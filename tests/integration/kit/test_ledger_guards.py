"""Breaking into the ledger, straight on PostgreSQL: nothing is changed, lost, or posted twice."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from parking.flows import override
from parking.flows.payments import desk_payment, write_off
from parking.kit.ids import derive_id, new_id
from parking.kit.partitions import ensure_partitions
from parking.payments import balances, ledger, owing
from parking.payments.fake import Fault
from parking.payments.models import Bill
from tests.factories.credit import allow_credit
from tests.factories.lane_world import PLATE, LaneWorld, open_lane_world, read_of

INSERT = (
    "INSERT INTO ledger_transfers (operator_id, id, bill_id, debit_account, credit_account,"
    " amount_minor, currency, cause, posted_at) VALUES (:operator_id, :id, :id, :debit, :credit,"
    " :amount, 'CNY', 'issued', now())"
)


@pytest.fixture
async def world(database_url: str, valkey_url: str) -> AsyncGenerator[LaneWorld]:
    async with open_lane_world(database_url, valkey_url) as opened:
        yield opened


async def unpaid(world: LaneWorld) -> Bill:
    """Let a car without an app leave by a person's hand; returns its owed bill."""
    await world.drive_in()
    world.wait(minutes=45)
    await world.drive_out()
    [row] = await world.rows("SELECT operator_id, id FROM bills")
    async with world.context.database.begin() as unit:
        bill = await unit.session.get(Bill, (row["operator_id"], row["id"]))
    assert bill is not None
    return bill


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_transfers SET amount_minor = 1",
        "UPDATE ledger_transfers SET debit_account = 'cash_desk'",
        "UPDATE ledger_transfers SET operator_id = gen_random_uuid()",
        "DELETE FROM ledger_transfers",
        "SET LOCAL sesame.moves_rows = 'on'; DELETE FROM ledger_transfers",
        "TRUNCATE ledger_transfers",
        "TRUNCATE ledger_transfers_{month}",
        "DELETE FROM ledger_transfers_{month}",
        "UPDATE ledger_transfers_{month} SET amount_minor = 1",
        "TRUNCATE bills, ledger_transfers",
    ],
)
async def test_no_posting_is_changed_or_deleted(world: LaneWorld, statement: str) -> None:
    await unpaid(world)
    before = await world.rows("SELECT * FROM ledger_transfers")
    month = f"{world.clock.now():%Y_%m}"
    with pytest.raises(Exception, match="rows are never changed or deleted"):
        async with world.context.database.begin() as unit:
            for part in statement.format(month=month).split("; "):
                await unit.run(text(part))
    assert await world.rows("SELECT * FROM ledger_transfers") == before
    assert len(before) == 1


async def test_what_a_person_decided_is_kept_as_it_is(world: LaneWorld) -> None:
    await world.permit(await world.add_driver())
    await world.rows_changed(
        "INSERT INTO mandate_consents SELECT driver_id, id, id, 1, 'en', '', '', now()"
        " FROM mandates ON CONFLICT DO NOTHING"
    )
    await world.drive_in()
    world.wait(minutes=45)
    car = await world.arrive(world.exit)
    world.provider.play(Fault.DECLINE)
    await world.decide(world.exit, car, read_of(PLATE))
    operator_id = world.exit.operator_id
    reason = {"reason": "the reader is broken", "by": "Ada"}
    await override.let_out(world.context, operator_id, world.exit.lane_id, **reason)
    await world.barrier(world.exit, car, "opened", "passed")
    [bill] = await world.rows("SELECT id FROM bills")
    await write_off.write_off(world.context, operator_id, bill["id"], **reason)
    await desk_payment.take_cash(world.context, operator_id, operator_id, bill["id"], by="Ada")
    for statement in (
        "UPDATE exit_overrides SET let_out_by = 'Eve'",
        "DELETE FROM exit_overrides",
        "UPDATE write_offs SET reason = 'none'",
        "DELETE FROM write_offs",
        "UPDATE mandate_consents SET confirmed_at = now()",
        "DELETE FROM mandate_consents",
        "UPDATE payment_attempts SET ended_by = 'Eve' WHERE kind = 'cash'",
        "UPDATE payment_attempts SET ended_by = NULL WHERE kind = 'cash'",
    ):
        with pytest.raises(Exception, match="rows are never changed or deleted"):
            await world.rows_changed(statement)
    assert await world.count("exit_overrides") == await world.count("write_offs") == 1


async def test_a_stray_row_leaves_only_to_where_it_is_already(world: LaneWorld) -> None:
    later = world.clock.now() + timedelta(days=125)
    values = {
        "operator_id": world.entry.operator_id,
        "id": new_id(later),
        "debit": "receivable:unbound",
        "credit": "revenue",
        "amount": 1,
    }
    await world.rows_changed(INSERT, **values)
    with pytest.raises(Exception, match="rows are never changed or deleted"):
        async with world.context.database.begin() as unit:
            await unit.run(text("SET LOCAL sesame.moves_rows = 'on'"))
            await unit.run(text("DELETE FROM ledger_transfers_default"))
    world.clock.advance(timedelta(days=125))
    await ensure_partitions(world.context.database)
    assert await world.count("ledger_transfers_default") == 0
    assert await world.count("ledger_transfers") == 1
    with pytest.raises(Exception, match="rows are never changed or deleted"):
        await world.rows_changed(f"TRUNCATE ledger_transfers_{later:%Y_%m}")


@pytest.mark.parametrize(
    ("debit", "credit", "amount", "constraint"),
    [
        ("revenue", "revenue", 1, "accounts_differ"),
        ("receivable:unbound", "revenue", 0, "amount_positive"),
        ("receivable:unbound", "revenue", -5, "amount_positive"),
        ("receivable:nobody", "revenue", 1, "accounts_known"),
        ("receivable:", "revenue", 1, "accounts_known"),
        ("pocket", "revenue", 1, "accounts_known"),
        ("receivable:unbound", "provider:", 1, "accounts_known"),
        ("receivable:unbound", "provider:Fake", 1, "accounts_known"),
        ("receivable:unbound", "partner:me", 1, "accounts_known"),
        ("coupon_budget:a b", "revenue", 1, "accounts_known"),
        ("receivable:unbound\n", "revenue", 1, "accounts_known"),
    ],
)
async def test_no_unbalanced_or_unknown_posting_is_taken(
    world: LaneWorld, debit: str, credit: str, amount: int, constraint: str
) -> None:
    values = {"operator_id": world.entry.operator_id, "id": new_id(world.clock.now())}
    with pytest.raises(Exception, match=r"another change came first") as refused:
        await world.rows_changed(INSERT, **values, debit=debit, credit=credit, amount=amount)
    assert constraint in str(refused.value.__cause__)
    assert await world.count("ledger_transfers") == 0


async def test_the_same_posting_counts_once_and_another_under_its_key_is_refused(
    world: LaneWorld,
) -> None:
    bill = await unpaid(world)
    async with world.context.database.begin() as unit:
        await ledger.post_issued(unit, bill)
    assert await world.count("ledger_transfers") == 1
    bill.total_minor += 1
    with pytest.raises(Exception, match="this key was posted before"):
        async with world.context.database.begin() as unit:
            await ledger.post_issued(unit, bill)
    assert await world.accounts() == {"receivable:unbound": 1000, "revenue": -1000}


async def test_every_account_is_posted_to_by_its_name(world: LaneWorld) -> None:
    bill = await unpaid(world)
    amount = ledger.Money(100, "CNY")
    source = derive_id(bill.id, "test")
    async with world.context.database.begin() as unit:
        await ledger.post_coupon(unit, bill, amount, definition="autumn-26", source=source)
    assert await world.accounts() == {
        "coupon_budget:autumn-26": 100,
        "receivable:unbound": 1000,
        "revenue": -1100,
    }


async def test_what_a_bill_owes_moves_with_its_driver_and_back(world: LaneWorld) -> None:
    bill = await unpaid(world)
    drivers = [await world.add_driver(plate) for plate in ("京A00001", "京A00002")]
    moves: list[UUID | None] = [drivers[0], None, drivers[0], drivers[1]]
    started = world.clock.now()
    for driver_id in moves:
        world.wait(seconds=1)
        async with world.context.database.begin() as unit:
            stored = await unit.session.get(Bill, (bill.operator_id, bill.id))
            assert stored is not None
            await owing.hand_over(unit, stored, driver_id)
            await owing.hand_over(unit, stored, driver_id)
        assert await world.accounts() == {
            ledger.receivable_of(driver_id): 1000,
            "revenue": -1000,
        }
    async with world.context.database.begin() as unit:
        then = await balances.balances(unit, bill.operator_id, until=started)
        owed = await balances.balance_of(unit, bill.operator_id, ledger.receivable_of(drivers[1]))
    assert then["receivable:unbound", "CNY"] == 1000
    assert [one.amount_minor for one in owed] == [1000]


async def test_credit_never_exceeds_its_limit_in_the_database(world: LaneWorld) -> None:
    await allow_credit(world)
    with pytest.raises(Exception, match="another change came first"):
        await world.rows_changed(
            "INSERT INTO credit_accounts (operator_id, driver_id, currency, used_minor,"
            " limit_minor, changed_at) VALUES (gen_random_uuid(), gen_random_uuid(), 'CNY', 2, 1,"
            " now())"
        )
