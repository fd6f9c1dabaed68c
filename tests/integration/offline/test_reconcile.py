"""What gates decided without network becomes the rows that a decision with network gives."""

import asyncio
import random
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from parking.flows.offline import reconcile
from parking.offline import rules
from tests.factories.credit import allow_credit, credit_of
from tests.factories.lane_world import PLATE, LaneWorld
from tests.factories.offline_lane import OfflineLaneBox

PASSING = timedelta(seconds=20)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


async def stays(world: LaneWorld) -> list[tuple[datetime, datetime | None, str]]:
    rows = await world.rows("SELECT entered_at, left_at, state FROM sessions ORDER BY entered_at")
    return [(row["entered_at"], row["left_at"], row["state"]) for row in rows]


async def bills(world: LaneWorld) -> list[tuple[int, str]]:
    rows = await world.rows(
        "SELECT total_minor, state FROM bills WHERE state NOT IN ('void') ORDER BY priced_until, id"
    )
    return [(row["total_minor"], row["state"]) for row in rows]


async def passages(world: LaneWorld) -> list[tuple[str, str, str | None]]:
    rows = await world.rows(
        "SELECT direction, state, review FROM offline_passages ORDER BY came_at, id"
    )
    return [(row["direction"], row["state"], row["review"]) for row in rows]


async def ledger_sum(world: LaneWorld) -> int:
    return sum((await world.balances()).values())


@pytest.mark.parametrize("is_exit_first", [False, True], ids=["entry first", "exit first"])
async def test_a_car_that_came_and_left_without_network_gets_one_bill_at_its_own_times(
    world: LaneWorld, *, is_exit_first: bool
) -> None:
    came = world.clock.now()
    left = came + minutes(95)
    boxes = [OfflineLaneBox(world, world.entry), OfflineLaneBox(world, world.exit)]
    boxes[0].visit(PLATE, came)
    boxes[1].visit(PLATE, left)
    world.wait(hours=5)
    for box in reversed(boxes) if is_exit_first else boxes:
        await box.send()
    assert await stays(world) == [(came, left + PASSING, "left")]
    assert await bills(world) == [(2000, "owed")]
    assert await passages(world) == [("entry", "applied", None), ("exit", "applied", None)]
    assert await ledger_sum(world) == 0
    owed = await world.rows("SELECT amount_minor, owed_at FROM owed_bills")
    assert owed == [{"amount_minor": 2000, "owed_at": left + PASSING}]


async def test_the_same_events_again_change_nothing(world: LaneWorld) -> None:
    entry, leaving = OfflineLaneBox(world, world.entry), OfflineLaneBox(world, world.exit)
    entry.visit(PLATE, world.clock.now())
    leaving.visit(PLATE, world.clock.now() + minutes(95))
    world.wait(hours=2)
    told = [list(entry.events), list(leaving.events)]
    for _ in range(2):
        entry.events, leaving.events = list(told[0]), list(told[1])
        await leaving.send()
        await entry.send()
        await reconcile.sweep(world.context)
    assert await bills(world) == [(2000, "owed")]
    tables = ("sessions", "bills", "offline_passages", "owed_bills", "observations")
    assert [await world.count(table) for table in tables] == [1, 1, 2, 1, 2]


async def test_a_car_inside_before_the_outage_is_billed_until_it_came_to_the_exit(
    world: LaneWorld,
) -> None:
    session_id = await world.drive_in()
    came = world.clock.now()
    box = OfflineLaneBox(world, world.exit)
    box.visit(PLATE, came + minutes(31))
    world.wait(hours=9)
    await box.send()
    [(_, left_at, state)] = await stays(world)
    assert (left_at, state) == (came + minutes(31) + PASSING, "left")
    assert await bills(world) == [(1000, "owed")]
    [row] = await world.rows("SELECT session_id FROM offline_passages")
    assert row["session_id"] == session_id


async def test_credit_is_used_for_a_car_that_left_on_it(world: LaneWorld) -> None:
    await allow_credit(world)
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    await world.drive_in()
    box = OfflineLaneBox(world, world.exit)
    box.visit(PLATE, world.clock.now() + minutes(31))
    world.wait(hours=1)
    await box.send()
    assert await credit_of(world, driver_id) == (1000, 1000)
    assert await bills(world) == [(1000, "owed")]
    assert await world.count("payment_attempts") == 0


async def test_what_was_paid_before_the_outage_is_not_asked_for_again(world: LaneWorld) -> None:
    await world.drive_in()
    box = OfflineLaneBox(world, world.exit)
    box.visit(PLATE, world.clock.now() + minutes(5))
    world.wait(hours=1)
    await box.send()
    assert await bills(world) == [(0, "paid")]
    assert await world.count("owed_bills") == 0


async def test_a_second_visit_waits_for_the_first_one_to_end(world: LaneWorld) -> None:
    start = world.clock.now()
    entry, leaving = OfflineLaneBox(world, world.entry), OfflineLaneBox(world, world.exit)
    for offset in (0, 60):
        entry.visit(PLATE, start + minutes(offset))
        leaving.visit(PLATE, start + minutes(offset + 31))
    world.wait(hours=3)
    await entry.send()
    assert [state for _, _, state in await stays(world)] == ["active"]
    await leaving.send()
    assert await stays(world) == [
        (start, start + minutes(31) + PASSING, "left"),
        (start + minutes(60), start + minutes(91) + PASSING, "left"),
    ]
    assert await bills(world) == [(1000, "owed"), (1000, "owed")]


async def test_a_car_that_came_again_without_its_exit_is_set_aside_when_it_came(
    world: LaneWorld,
) -> None:
    start = world.clock.now()
    entry = OfflineLaneBox(world, world.entry)
    entry.visit(PLATE, start)
    entry.visit(PLATE, start + minutes(40))
    world.wait(hours=1)
    await entry.send()
    world.clock.advance(rules.SETTLE_AFTER)
    assert await reconcile.sweep(world.context) == 1
    assert await stays(world) == [
        (start, start + minutes(40), "unresolved"),
        (start + minutes(40), None, "active"),
    ]
    assert await bills(world) == [(1000, "owed")]


async def test_an_exit_whose_entry_nobody_tells_is_left_for_staff(world: LaneWorld) -> None:
    world.wait(hours=2)
    box = OfflineLaneBox(world, world.exit)
    box.visit(PLATE, world.clock.now())
    world.wait(minutes=1)
    await box.send()
    assert await passages(world) == [("exit", "pending", None)]
    assert await reconcile.sweep(world.context) == 0
    world.clock.advance(rules.SETTLE_AFTER)
    assert await reconcile.sweep(world.context) == 1
    assert await passages(world) == [("exit", "unmatched", "no_session")]
    assert (await stays(world), await bills(world)) == ([], [])
    # Its entry's box was repaired much later.
    entry = OfflineLaneBox(world, world.entry)
    entry.visit(PLATE, world.clock.now() - minutes(60))
    await entry.send()
    assert [state for _, _, state in await stays(world)] == ["left"]


async def test_a_misread_is_looked_for_only_when_the_right_entry_had_its_time(
    world: LaneWorld,
) -> None:
    await world.drive_in("京A88731")
    box = OfflineLaneBox(world, world.exit)
    box.visit("京A8B731", world.clock.now() + minutes(31))
    world.wait(minutes=40)
    await box.send()
    assert [state for _, _, state in await stays(world)] == ["active"]
    world.clock.advance(rules.SETTLE_AFTER)
    await reconcile.sweep(world.context)
    assert [state for _, _, state in await stays(world)] == ["left"]
    assert await passages(world) == [("exit", "applied", "misread")]
    assert await bills(world) == [(1000, "owed")]


async def test_a_gate_that_stayed_shut_changes_no_stay(world: LaneWorld) -> None:
    session_id = await world.drive_in()
    box = OfflineLaneBox(world, world.exit)
    at = world.clock.now() + minutes(20)
    presentation_id = box.come(at)
    box.decide(at, presentation_id, PLATE, is_open=False)
    box.add("cleared", at + minutes(1), presentation_id)
    world.wait(hours=1)
    await box.send()
    assert await passages(world) == [("exit", "kept_closed", None)]
    assert [state for _, _, state in await stays(world)] == ["active"]
    [row] = await world.rows(
        "SELECT session_id, action FROM presentations WHERE id = :id", id=presentation_id
    )
    assert (row["session_id"], row["action"]) == (None, None)
    assert session_id is not None


async def test_a_car_that_a_person_let_out_is_billed_like_any_other(world: LaneWorld) -> None:
    await world.drive_in()
    box = OfflineLaneBox(world, world.exit)
    at = world.clock.now() + minutes(31)
    presentation_id = box.come(at)
    box.decide(at + timedelta(seconds=2), presentation_id, PLATE, is_open=False)
    for number, kind in enumerate(("manual_open", "opened", "passed", "cleared")):
        box.add(kind, at + minutes(1 + number), presentation_id)
    world.wait(hours=1)
    await box.send()
    assert await reconcile.sweep(world.context) == 1
    assert [(state, left) for _, left, state in await stays(world)] == [("left", at + minutes(3))]
    assert await bills(world) == [(1000, "owed")]
    [row] = await world.rows("SELECT state, reason FROM offline_passages")
    assert (row["state"], row["reason"]) == ("applied", "by_hand")


async def test_a_car_without_a_plate_is_left_for_staff(world: LaneWorld) -> None:
    box = OfflineLaneBox(world, world.entry)
    box.visit(None, world.clock.now())
    await box.send()
    assert await passages(world) == [("entry", "unmatched", "no_plate")]
    assert await stays(world) == []


async def test_a_car_that_backed_out_again_leaves_nothing(world: LaneWorld) -> None:
    start = world.clock.now()
    entry, leaving = OfflineLaneBox(world, world.entry), OfflineLaneBox(world, world.exit)
    backed = entry.come(start)
    entry.decide(start + timedelta(seconds=2), backed, PLATE)
    entry.add("cleared", start + timedelta(seconds=9), backed)
    refused = leaving.come(start + minutes(1))
    leaving.decide(start + minutes(1), refused, "京B11111")
    leaving.add("opened", start + minutes(1.1), refused)
    leaving.add("backed_out", start + minutes(1.2), refused)
    world.wait(hours=1)
    await entry.send()
    await leaving.send()
    assert [state for _, _, state in await stays(world)] == ["cancelled"]
    assert await passages(world) == [("entry", "applied", None), ("exit", "withdrawn", None)]
    assert await bills(world) == []


async def test_a_time_that_the_lane_did_not_know_is_marked(world: LaneWorld) -> None:
    box = OfflineLaneBox(world, world.entry)
    at = world.clock.now()
    presentation_id = box.come(at)
    box.decide(at + timedelta(seconds=2), presentation_id, PLATE, uncertainty_ms=None)
    await box.send()
    assert await passages(world) == [("entry", "applied", "clock_unknown")]


async def test_the_rate_table_in_force_when_the_car_came_counts(world: LaneWorld) -> None:
    came = world.clock.now()
    box = OfflineLaneBox(world, world.entry)
    box.visit(PLATE, came)
    before = await world.rows("SELECT id FROM rate_tables")
    world.wait(hours=1)
    await _publish_dearer(world)
    world.wait(hours=1)
    await box.send()
    [row] = await world.rows("SELECT rate_table_id FROM sessions")
    assert row["rate_table_id"] == before[0]["id"]


async def _publish_dearer(world: LaneWorld) -> UUID:
    from parking.tariffs import service as tariffs  # noqa: PLC0415
    from tests.factories.lane_world import RATE_TABLE  # noqa: PLC0415

    body = {**RATE_TABLE, "caps": [{"per": "calendar_day", "amount": 9000}]}
    async with world.context.database.begin() as unit:
        version = await tariffs.publish(
            unit, world.entry.operator_id, world.entry.place_id, currency="CNY", body=body
        )
        return version.id


def fee_minor(stay: timedelta) -> int:
    """Return what the test place asks for, by hand: 10 minutes free, 5 CNY a started half hour."""
    if stay <= minutes(10):
        return 0
    halves = -(-int(stay.total_seconds()) // 1800)
    return min(3000, 500 * halves)


async def test_a_hundred_cars_without_network_are_billed_to_the_cent(world: LaneWorld) -> None:
    dice = random.Random(7)  # noqa: S311 - no secret
    start = world.clock.now()
    boxes = {
        lane.lane_id: OfflineLaneBox(world, lane)
        for lane in (world.entry, world.second_entry, world.exit, world.second_exit)
    }
    came: list[tuple[datetime, OfflineLaneBox, str]] = []
    expected: list[tuple[datetime, datetime | None, int]] = []
    for number in range(100):
        at = start + timedelta(seconds=dice.randrange(7200))
        stay = timedelta(seconds=dice.randrange(60, 4 * 3600))
        plate = f"京C{10000 + number * 7}"
        ways_in = boxes[dice.choice([world.entry, world.second_entry]).lane_id]
        ways_out = boxes[dice.choice([world.exit, world.second_exit]).lane_id]
        came.append((at, ways_in, plate))
        if number % 10 == 9:
            expected.append((at, None, 0))
            continue
        came.append((at + stay, ways_out, plate))
        expected.append((at, at + stay + PASSING, fee_minor(stay)))
    for at, box, plate in sorted(came, key=lambda item: item[0]):
        box.visit(plate, at, is_brief=True)
    world.wait(hours=8)
    # Every lane comes back at once, an exit maybe before the entry that it needs.
    await asyncio.gather(*(box.send() for box in boxes.values()))
    rows = await world.rows(
        """
        SELECT s.entered_at, s.left_at, coalesce(sum(b.total_minor), 0)::bigint AS total
        FROM sessions s LEFT JOIN bills b ON b.session_id = s.id AND b.state <> 'void'
        GROUP BY s.id, s.entered_at, s.left_at ORDER BY s.entered_at, s.left_at
        """
    )
    found = [(row["entered_at"], row["left_at"], row["total"]) for row in rows]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert await ledger_sum(world) == 0
    owed = await world.rows("SELECT coalesce(sum(amount_minor), 0)::bigint AS n FROM owed_bills")
    assert owed == [{"n": sum(total for _, _, total in expected)}]
