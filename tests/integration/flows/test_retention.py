"""What is let go of after its period, what is not, and what nobody placed."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from parking.flows.retention import purging, rows
from parking.flows.retention.kinds import KINDS, TAX_DAYS, Act
from parking.flows.retention.policy import Policy, read_policy
from parking.kit.errors import InvalidInputError
from parking.kit.ids import floor_id, new_id
from parking.kit.partitions import ensure_partitions
from parking.plates import service as plates
from parking.sessions import service as sessions
from parking.sessions.models import Session
from parking.tariffs import service as tariffs
from tests.factories.lane_world import PLATE, RATE_TABLE, LaneWorld
from tests.factories.pass_desk import PassDesk

DEFAULTS = Policy()


async def retain(world: LaneWorld, policy: Policy = DEFAULTS) -> dict[str, int]:
    return await purging.apply(world.context.database, policy)


async def add_frame(world: LaneWorld, operator_id: UUID | None = None) -> UUID:
    now = world.clock.now()
    frame_id = new_id(now)
    await world.rows_changed(
        "INSERT INTO frames (operator_id, id, lane_id, presentation_id, captured_at, received_at, "
        "content_type, image) VALUES (:operator, :id, :id, :id, :now, :now, 'image/jpeg', '')",
        operator=operator_id or world.entry.operator_id,
        id=frame_id,
        now=now,
    )
    return frame_id


async def frames(world: LaneWorld) -> set[UUID]:
    return {row["id"] for row in await world.rows("SELECT id FROM frames")}


async def test_every_table_is_of_one_kind(world: LaneWorld) -> None:
    """A new table needs a kind in parking/flows/retention/kinds.py, and a line in the document."""
    async with world.context.database.begin() as unit:
        found = await rows.tables(unit)
    placed = [rule.table for kind in KINDS for rule in kind.rules]
    assert sorted(placed) == sorted(found)
    for kind in KINDS:
        is_kept = all(rule.act is Act.KEEP for rule in kind.rules)
        assert bool(kind.why_kept) == is_kept, kind.name
        assert is_kept or kind.days is not None, kind.name


async def test_every_statement_runs_and_nothing_young_goes(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    await world.drive_in()
    world.wait(minutes=45)
    assert (await world.drive_out()).action == "open"
    assert await retain(world) == {}
    reports = {one.table: one for one in await purging.report(world.context.database, DEFAULTS)}
    assert (reports["sessions"].rows, reports["sessions"].due) == (1, 0)
    assert reports["sessions"].oldest == world.clock.now()
    assert (reports["bills"].days, reports["bills"].act) == (TAX_DAYS, "keep")


async def test_expired_claims_and_codes_go_and_bindings_stay(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    async with world.context.database.begin() as unit:
        await plates.claim_plate(unit, driver_id, "沪B12345")
    await world.drive_in("沪B12345")
    assert (await world.count("binding_claims"), await world.count("lane_codes")) == (1, 1)
    world.wait(days=7)
    assert await retain(world) == {}
    world.wait(hours=1)
    assert await retain(world) == {"lane_codes": 1}
    world.wait(days=24)
    assert (await retain(world))["binding_claims"] == 1
    assert (await world.count("binding_claims"), await world.count("lane_codes")) == (0, 0)
    assert await world.count("plate_bindings") == 1
    assert await world.count("sessions") == 1


async def test_traces_of_stays_go_after_their_time(world: LaneWorld) -> None:
    allowance = {"name": "first half hour", "minutes": 30}
    async with world.context.database.begin() as unit:
        await tariffs.publish(
            unit,
            world.entry.operator_id,
            world.entry.place_id,
            currency="CNY",
            body=RATE_TABLE | {"grace": 0, "reentry_merge": 60, "allowances": [allowance]},
        )
    world.wait(seconds=1)
    await world.drive_in()
    world.wait(minutes=20)
    await world.drive_out()
    world.wait(days=7)
    assert await retain(world) == {}
    world.wait(hours=2)
    assert await retain(world) == {"departures": 1, "allowance_uses": 1}
    assert await world.count("sessions") == 1


async def test_a_past_stay_keeps_its_bill_and_loses_plate_and_driver(world: LaneWorld) -> None:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    session_id = await world.drive_in()
    world.wait(minutes=45)
    assert (await world.drive_out()).action == "open"
    accounts = await world.accounts()
    world.wait(days=400, seconds=-1)
    assert "sessions" not in await retain(world)
    world.wait(seconds=2)
    younger = await world.drive_in()
    world.wait(minutes=45)
    await world.drive_out()
    done = await retain(world)
    assert (done["sessions"], done["driver_stays"]) == (1, 1)
    stays = await world.rows("SELECT id, driver_id, plate_sealed FROM sessions")
    forgotten = {row["id"]: row["plate_sealed"] == sessions.FORGOTTEN for row in stays}
    assert forgotten == {session_id: True, younger: False}
    assert {row["id"]: row["driver_id"] for row in stays} == {session_id: None, younger: driver_id}
    index = plates.plate_index(world.context.vault, PLATE)
    found = await world.rows("SELECT id FROM sessions WHERE plate_index = :i", i=index)
    assert [row["id"] for row in found] == [younger]
    assert await world.count("bills") == 2
    assert (await world.accounts()).keys() == accounts.keys()
    async with world.context.database.begin() as unit:
        row = await unit.session.get_one(Session, (world.entry.operator_id, session_id))
        assert sessions.plate_of(unit, row) == "•••••••"
    assert "sessions" not in await retain(world)


async def test_the_plates_of_a_pass_go_a_year_after_it_ended(world: LaneWorld) -> None:
    desk = PassDesk(world)
    driver_id = await desk.buyer(PLATE)
    right_id = await desk.buy(driver_id, await desk.add_product())
    world.wait(days=400)
    # The pass is still somebody's.
    assert "right_plates" not in await retain(world)
    ended_at = world.clock.now() - timedelta(days=365, seconds=1)
    await world.rows_changed(
        "UPDATE assigned_rights SET ended_at = :at WHERE id = :id", at=ended_at, id=right_id
    )
    assert (await retain(world))["right_plates"] == 1
    assert (await world.count("right_plates"), await world.count("assigned_rights")) == (0, 1)


async def test_pictures_go_by_the_period_of_their_operator(world: LaneWorld) -> None:
    other, first = uuid4(), await add_frame(world)
    theirs = await add_frame(world, other)
    policy = Policy({"lane_pictures": 10}, {other: {"lane_pictures": 3}})
    world.wait(days=3, seconds=1)
    [report] = [
        one for one in await purging.report(world.context.database, policy) if one.table == "frames"
    ]
    assert (report.rows, report.due, report.days) == (2, 1, 10)
    assert await frames(world) == {first, theirs}
    assert await retain(world, policy) == {"frames": 1}
    assert await frames(world) == {first}
    world.wait(days=7)
    assert (await retain(world, policy))["frames"] == 1
    assert await frames(world) == set()


async def test_what_leads_to_a_stay_is_kept_as_long_as_the_stay(world: LaneWorld) -> None:
    """Else an operator's longer period would keep plates that deleting the account cannot find."""
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    await world.drive_in()
    world.wait(minutes=45)
    assert (await world.drive_out()).action == "open"
    own = {world.entry.operator_id: {"stays": 800, "disputes": 2000}}
    await world.rows_changed(
        "INSERT INTO driver_disputes (driver_id, dispute_id, operator_id, bill_id, line_index, "
        "is_automatic, opened_at, closed_at) SELECT driver_id, id, operator_id, id, -1, false, "
        "issued_at, issued_at FROM bills"
    )
    world.wait(days=1100)
    lists = "driver_stays", "driver_disputes"
    done = await retain(world, Policy({}, own | {world.entry.operator_id: {"stays": 2000}}))
    assert "driver_disputes" in done
    assert "driver_stays" not in done
    assert [await world.count(table) for table in lists] == [1, 0]
    done = await retain(world, Policy({}, own))
    assert (done["sessions"], done["driver_stays"]) == (1, 1)


async def make_month(world: LaneWorld, table: str, start: datetime, end: datetime) -> str:
    name = f"{table}_{start:%Y_%m}"
    await world.rows_changed(
        f"CREATE TABLE {name} PARTITION OF {table} "
        f"FOR VALUES FROM ('{floor_id(start)}') TO ('{floor_id(end)}')"
    )
    return name


async def has_table(world: LaneWorld, name: str) -> bool:
    return bool(await world.rows("SELECT 1 FROM pg_class WHERE relname = :name", name=name))


async def test_a_past_month_goes_whole_unless_something_in_it_serves(world: LaneWorld) -> None:
    dates = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3)]
    january = await make_month(world, "outbox", dates[0], dates[1])
    february = await make_month(world, "outbox", dates[1], dates[2])
    for at, done_at in (
        (dates[0], dates[0]),
        (dates[0] + timedelta(days=1), dates[0]),
        (dates[1], dates[1]),
        (dates[1] + timedelta(days=1), None),
    ):
        await world.rows_changed(
            "INSERT INTO outbox (owner_id, id, type, subject_id, occurred_at, payload, attempts, "
            "next_at, done_at) VALUES (:id, :id, 'X', :id, :at, '{}', 0, :at, :done)",
            id=new_id(at),
            at=at,
            done=done_at,
        )
    assert await retain(world) == {"outbox": 3}
    left = await world.rows("SELECT done_at FROM outbox")
    assert [row["done_at"] for row in left] == [None]
    names = await world.rows("SELECT relname FROM pg_class WHERE relname LIKE 'outbox_2026_0_'")
    assert {row["relname"] for row in names} >= {february}
    assert january not in {row["relname"] for row in names}
    assert await ensure_partitions(world.context.database) == []


async def test_a_month_in_use_waits_for_nobody_and_goes_the_next_time(world: LaneWorld) -> None:
    dates = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2)]
    january = await make_month(world, "occupancy_counts", dates[0], dates[1])
    world.wait(days=1096)
    async with world.context.database.begin() as unit:
        await unit.run(rows.text(f"LOCK TABLE {january} IN ROW EXCLUSIVE MODE"))
        assert await retain(world) == {}
        assert await has_table(world, january)
    await retain(world)
    assert not await has_table(world, january)


async def test_the_record_of_what_staff_did_goes_by_whole_months_only(world: LaneWorld) -> None:
    counted_at = world.clock.now()
    await world.rows_changed(
        "INSERT INTO occupancy_counts (operator_id, id, pool_id, place_id, occupied_before, "
        "occupied_after, sessions, reason, counted_by, counted_at) "
        "VALUES (:o, :id, :id, :id, 1, 2, 2, 'counted', 'Ada', :at)",
        o=world.entry.operator_id,
        id=new_id(counted_at),
        at=counted_at,
    )
    month = f"occupancy_counts_{counted_at:%Y_%m}"
    world.wait(days=1096)
    assert "occupancy_counts" not in await retain(world)
    assert await world.count("occupancy_counts") == 1
    world.wait(days=31)
    assert (await retain(world))["occupancy_counts"] == 1
    assert not await has_table(world, month)


async def test_rows_that_somebody_works_on_wait_for_the_next_time(world: LaneWorld) -> None:
    first, second = await add_frame(world), await add_frame(world)
    world.wait(days=31)
    async with world.context.database.begin() as unit:
        await unit.session.connection()
        await unit.run(rows.text("SELECT 1 FROM frames WHERE id = :id FOR UPDATE"), {"id": first})
        assert await retain(world) == {"frames": 1}
        assert await frames(world) == {first}
    assert second not in await frames(world)
    assert await retain(world) == {"frames": 1}


async def test_two_at_once_let_go_of_each_row_once(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "ROWS_PER_BATCH", 3)
    for _ in range(20):
        await add_frame(world)
    world.wait(days=31)
    young = await add_frame(world)
    both = await asyncio.gather(retain(world), retain(world))
    done = sum(one.get("frames", 0) for one in both)
    done += (await retain(world)).get("frames", 0)
    assert (done, await frames(world)) == (20, {young})


async def test_a_run_is_bounded_and_the_next_goes_on(
    world: LaneWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "ROWS_PER_BATCH", 2)
    monkeypatch.setattr(purging, "BATCHES_PER_RUN_MAX", 2)
    for _ in range(5):
        await add_frame(world)
    world.wait(days=31)
    assert await retain(world) == {"frames": 4}
    assert await retain(world) == {"frames": 1}
    assert await retain(world) == {}


def test_a_settings_file_says_periods_for_all_and_for_some() -> None:
    operator_id = uuid4()
    policy = read_policy(f"[days]\nstays = 90\n[operators.{operator_id}]\nlane_pictures = 7\n")
    assert policy == Policy({"stays": 90}, {operator_id: {"lane_pictures": 7}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("days = [", "TOML: "),
        ("[day]\nstays = 9", "[days] and [operators.ID], not day"),
        ("[days]\nbills = 9", "days.bills: one of lane_pictures, licence_pictures"),
        ("[days]\nstays = 29", "days.stays: 30 to 36530 days"),
        ("[days]\ntax_records = 3652", "days.tax_records: 3653 to 36530 days"),
        ("[days]\nstays = true", "days.stays: a whole number of days"),
        ("[operators.x]\nstays = 90", "operators.x: an operator's id"),
        ("days = 3", "days: a table"),
    ],
)
def test_a_settings_file_below_a_floor_is_refused(text: str, expected: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_policy(text)
    assert refused.value.field == "SESAME_RETENTION_FILE"
    assert expected in refused.value.expected
