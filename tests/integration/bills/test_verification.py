"""A bill proven against everything that is stored, and every way in which it is not."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from parking.flows.payments import prepay
from parking.flows.proof.verification import verify
from parking.payments.errors import BillUnknownError
from parking.tariffs import service as tariffs
from tests.factories.lane_world import PLATE, RATE_TABLE, LaneWorld
from tests.factories.receipts import answer, answers, bills_of, verified

EVERYTHING = {
    "basis",
    "entry_read",
    "entry_time",
    "entry_clock",
    "entry_plate",
    "exit_read",
    "exit_time",
    "exit_clock",
    "exit_plate",
    "rate_table",
    "rate_table_in_force",
    "circumstances",
    "earlier_payments",
    "lines",
    "total",
    "paid",
    "ledger",
    "versions",
}


async def stay(world: LaneWorld, *, hours: float = 1.25) -> UUID:
    """Let a car stay and be charged; returns its bill."""
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(hours=hours)
    assert (await world.drive_out()).action == "open"
    [bill] = await bills_of(world)
    return bill.id


async def test_every_question_is_answered_with_yes(world: LaneWorld) -> None:
    bill_id = await stay(world)
    found = await verified(world, bill_id)
    assert answers(found) == dict.fromkeys(EVERYTHING, True)
    assert found.is_verified
    assert found.first_problem is None
    assert found.timezone == "Asia/Shanghai"
    assert [(item.line["amount_minor"], item.is_same) for item in found.lines] == [(1500, True)]
    assert found.title == f"bill {bill_id}, paid, 15.00 CNY"
    assert answer(found, "lines").words == "1 line recomputed, each one the same"
    assert answer(found, "ledger").found == "2"


async def test_a_bill_that_was_prepaid_and_one_that_followed(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    session_id = await world.drive_in()
    world.wait(minutes=45)
    await prepay.prepay(world.context, driver_id, session_id)
    world.wait(minutes=60)
    assert (await world.drive_out()).action == "open"
    first, second = await bills_of(world)
    assert (first.total_minor, second.total_minor) == (1000, 1000)
    before, after = await verified(world, first.id), await verified(world, second.id)
    assert before.is_verified
    assert after.is_verified
    assert answer(before, "exit_time").words.startswith("priced at the moment")
    assert answer(after, "earlier_payments").found == "10.00 CNY"
    assert answer(after, "earlier_payments").words == "1 earlier bill was paid"


ENTRY = "id = (SELECT entry_presentation_id FROM sessions)"
EXIT = "id = (SELECT exit_presentation_id FROM sessions)"
SEEN_LATER = "UPDATE presentations SET occupied_at = occupied_at + interval '1 s' WHERE "
SEEN_EARLIER = "UPDATE presentations SET occupied_at = occupied_at - interval '6 m' WHERE "
BASIS = "UPDATE bills SET basis = "
LINES = "UPDATE bills SET lines = "
HALF_AN_HOUR_LATER = "to_jsonb((SELECT entered_at + interval '30 m' FROM sessions))"
COLUMNS = "bill_id, debit_account, credit_account, amount_minor, currency, cause, posted_at"
# The question, a part of the answer, and what was altered.
CHANGES = [
    ("entry_time", "earlier", SEEN_LATER + ENTRY),
    ("exit_time", "later", SEEN_EARLIER + EXIT),
    ("entry_clock", "apart", SEEN_EARLIER + ENTRY),
    ("exit_clock", "apart", SEEN_EARLIER + EXIT),
    ("rate_table", "altered", "UPDATE rate_tables SET body = jsonb_set(body, '{grace}', '11')"),
    ("rate_table_in_force", "another", "UPDATE rate_tables SET effective_at = now() + '1 day'"),
    (
        "circumstances",
        "differ",
        'UPDATE sessions SET circumstances = \'{"has_pass": true, "vehicle": {"is_ev": true}}\'',
    ),
    (
        "circumstances",
        "not priced",
        BASIS + f"jsonb_set(basis, '{{priced_from}}', {HALF_AN_HOUR_LATER})",
    ),
    ("total", "do not add up", "UPDATE bills SET total_minor = 1499"),
    ("lines", "line 1 of 1 differs", LINES + "jsonb_set(lines, '{0,amount_minor}', '1400')"),
    ("lines", "line 1 of 1 differs", LINES + "jsonb_set(lines, '{0,block_count}', '4')"),
    ("lines", "line 1 of 1 differs", LINES + "jsonb_set(lines, '{0,ends_at}', '\"2026\"')"),
    ("lines", "line 1 of 1 differs", LINES + "jsonb_set(lines, '{0,more}', '1')"),
    ("lines", "line 2 of 2 differs", LINES + 'lines || \'{"reason": "fee", "amount_minor": 0}\''),
    ("lines", "line 1 of 1 differs", LINES + "'[]'"),
    ("lines", "line 2 of 2 differs", BASIS + "jsonb_set(basis, '{paid_minor}', '100')"),
    ("earlier_payments", "another amount", BASIS + "jsonb_set(basis, '{paid_minor}', '100')"),
    ("basis", "another time", "UPDATE bills SET priced_until = priced_until + interval '1 m'"),
    ("basis", "cannot be read", BASIS + "basis || '{\"paid_minor\": -1}'"),
    ("basis", "cannot be read", BASIS + "basis || '{\"format\": 2}'"),
    (
        "entry_read",
        "another read",
        BASIS + "jsonb_set(basis, '{entry,observation_id}', to_jsonb(id))",
    ),
    (
        "exit_read",
        "another read",
        BASIS + "jsonb_set(basis, '{exit,observation_id}', to_jsonb(id))",
    ),
    ("entry_time", "later", BASIS + f"jsonb_set(basis, '{{entered_at}}', {HALF_AN_HOUR_LATER})"),
    ("paid", "did not succeed", "UPDATE payment_attempts SET state = 'failed'"),
    ("paid", "another amount", "UPDATE payment_attempts SET amount_minor = 1"),
    ("paid", "does not exist", "DELETE FROM payment_attempts"),
    ("ledger", "missing", "DELETE FROM ledger_transfers WHERE cause = 'captured'"),
    (
        "ledger",
        "too many",
        f"INSERT INTO ledger_transfers (operator_id, id, {COLUMNS}) SELECT operator_id, bill_id, "  # noqa: ISC004, S608
        f"{COLUMNS} FROM ledger_transfers WHERE cause = 'captured'",
    ),
    ("ledger", "missing", "UPDATE ledger_transfers SET amount_minor = 1 WHERE cause = 'issued'"),
    ("versions", "replaced it is missing", "UPDATE bills SET state = 'corrected'"),
    ("versions", "before it is missing", "UPDATE bills SET version = 2, corrects_id = session_id"),
]


async def test_whatever_is_altered_is_named(world: LaneWorld) -> None:
    bill_id = await stay(world)
    for name, words, sql in CHANGES:
        found = await altered(world, bill_id, sql)
        assert found[name][0] is False, (sql, found)
        assert words in found[name][1], (sql, found[name])
    # Each change was taken back.
    assert (await verified(world, bill_id)).is_verified


class TakenBackError(Exception):
    """Ends a transaction whose changes must not stay."""


async def altered(world: LaneWorld, bill_id: UUID, sql: str) -> dict[str, tuple[bool | None, str]]:
    """Check the bill with rows changed behind the domain's back, and take the change back."""
    told: dict[str, tuple[bool | None, str]] = {}
    with pytest.raises(TakenBackError):
        async with world.context.database.begin() as unit:
            # Past every trigger, as whoever has the database's password could.
            await unit.run(text("SET LOCAL session_replication_role = replica"), {})
            await unit.run(text(sql), {})
            found = await verify(unit, world.entry.operator_id, bill_id)
            assert not found.is_verified, sql
            for check in found.checks:
                if check.name not in told or check.ok is False:
                    told[str(check.name)] = (check.ok, check.words)
            raise TakenBackError
    return told


async def test_an_old_bill_keeps_to_the_version_of_its_entry(world: LaneWorld) -> None:
    bill_id = await stay(world)
    dearer = {**RATE_TABLE, "caps": [{"per": "calendar_day", "amount": 100}]}
    async with world.context.database.begin() as unit:
        lane = world.entry
        await tariffs.publish(unit, lane.operator_id, lane.place_id, currency="CNY", body=dearer)
    found = await verified(world, bill_id)
    assert answers(found) == dict.fromkeys(EVERYTHING, True)
    assert answer(found, "rate_table_in_force").found == "version 1"


async def test_a_bill_from_before_bills_stored_their_basis(world: LaneWorld) -> None:
    bill_id = await stay(world)
    no_basis = "UPDATE bills SET basis = '{}'"
    with pytest.raises(TakenBackError):
        async with world.context.database.begin() as unit:
            await unit.run(text("SET LOCAL session_replication_role = replica"), {})
            await unit.run(text(no_basis), {})
            found = await verify(unit, world.entry.operator_id, bill_id)
            assert found.is_verified
            assert answers(found) == dict.fromkeys(EVERYTHING, True) | {"basis": None}
            assert "before bills stored their basis" in answer(found, "basis").words
            raise TakenBackError
    no_later_members = "UPDATE bills SET lines = lines #- '{0,block_amount_minor}'"
    with pytest.raises(TakenBackError):
        async with world.context.database.begin() as unit:
            await unit.run(text("SET LOCAL session_replication_role = replica"), {})
            await unit.run(text(no_later_members), {})
            assert (await verify(unit, world.entry.operator_id, bill_id)).is_verified
            raise TakenBackError
    told = await altered(world, bill_id, no_basis + ", total_minor = 1, lines = '[]'")
    assert told["lines"][0] is False
    assert told["total"][0] is False


async def test_what_is_not_kept_any_more_is_said_to_be_missing(world: LaneWorld) -> None:
    bill_id = await stay(world)
    with pytest.raises(TakenBackError):
        async with world.context.database.begin() as unit:
            await unit.run(text("DELETE FROM observations"), {})
            await unit.run(text("UPDATE presentations SET observation_id = NULL"), {})
            found = await verify(unit, world.entry.operator_id, bill_id)
            assert found.is_verified
            told = answers(found)
            assert (told["entry_read"], told["entry_plate"], told["exit_plate"]) == (None,) * 3
            assert (told["entry_time"], told["exit_time"]) == (True, True)
            await unit.run(text("DELETE FROM presentations"), {})
            found = await verify(unit, world.entry.operator_id, bill_id)
            assert found.is_verified
            assert answer(found, "exit_time").words == (
                "the car at the exit is not on record any more"
            )
            raise TakenBackError


async def test_a_misread_at_the_exit_is_told_with_its_distance(world: LaneWorld) -> None:
    await world.permit(await world.add_driver())
    await world.drive_in()
    world.wait(minutes=45)
    assert (await world.drive_out("京A8B731")).action == "open"
    [bill] = await bills_of(world)
    found = await verified(world, bill.id)
    assert found.is_verified
    plate = answer(found, "exit_plate")
    assert plate.found == "distance 0.25, confidence 0.99"
    assert plate.words == "the read differs from the stay's plate by what readers confuse"
    # What was read may be a stranger's plate: the answer does not say it.
    assert "8B731" not in str(found)
    assert PLATE not in str(found)


async def test_another_operators_bill_is_none(world: LaneWorld) -> None:
    bill_id = await stay(world)
    async with world.context.database.begin() as unit:
        for operator_id, wanted in [(uuid4(), bill_id), (world.entry.operator_id, uuid4())]:
            with pytest.raises(BillUnknownError):
                await verify(unit, operator_id, wanted)


async def test_checking_changes_nothing(world: LaneWorld) -> None:
    bill_id = await stay(world)
    tables = ("bills", "ledger_transfers", "outbox", "payment_attempts")
    before = [await world.rows(f"SELECT * FROM {name} ORDER BY id") for name in tables]  # noqa: S608
    await verified(world, bill_id)
    assert [await world.rows(f"SELECT * FROM {name} ORDER BY id") for name in tables] == before  # noqa: S608


async def test_waiting_at_the_exit_costs_nothing_and_the_bill_says_so(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    session_id = await world.drive_in()
    world.wait(minutes=29)
    assert (await world.drive_out()).action == "pay"
    await world.permit(driver_id)
    # The next half hour begins while the car stands at the gate and its driver takes out the phone.
    world.wait(minutes=2)
    paid = await prepay.prepay(world.context, driver_id, session_id)
    assert (paid.status, paid.amount.amount_minor) == ("succeeded", 500)
    [bill] = await bills_of(world)
    found = await verified(world, bill.id)
    assert found.is_verified
    assert answer(found, "exit_time").words == "it is when the car came onto the loop at the exit"
