"""What a stay is priced by: the vehicle, earlier stays of the day, and stays that it continues."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from parking.flows import driver_view
from parking.flows.pay_link import pay_token
from parking.flows.payments import checkout, prepay, settlement
from parking.payments.fake import Fault
from parking.payments.port import OrderStatus
from parking.plates import vehicles
from parking.plates.vehicles import VehicleEntry
from parking.tariffs import service as tariffs
from tests.factories.lane_world import PLATE, RATE_TABLE, LaneWorld, read_of
from tests.factories.statements import collected

ELECTRIC = "京AD12345"
EV_HOUR = {"name": "EV hour", "minutes": 60, "per": "calendar_day", "eligibility": {"ev": True}}
FLAT_TRUCK = {
    "name": "trucks",
    "eligibility": {"vehicle_classes": ["truck"]},
    "collections": [{"lines": [{"kind": "increment", "value": 2000, "block": 60, "from": 0}]}],
}


async def publish(world: LaneWorld, **fields: Any) -> None:  # noqa: ANN401 - JSON values
    """Publish the world's table with other fields, and let the day begin at one o'clock."""
    local = world.clock.now().astimezone(ZoneInfo("Asia/Shanghai"))
    morning = local.replace(hour=1, minute=0, second=0, microsecond=0) + timedelta(days=1)
    world.clock.advance(morning.astimezone(UTC) - world.clock.now())
    async with world.context.database.begin() as unit:
        await tariffs.publish(
            unit,
            world.entry.operator_id,
            world.entry.place_id,
            currency="CNY",
            body=RATE_TABLE | fields,
        )
    world.wait(seconds=1)


async def totals(world: LaneWorld) -> list[int]:
    rows = await world.rows("SELECT total_minor FROM bills WHERE state <> 'void' ORDER BY id")
    return [row["total_minor"] for row in rows]


async def circumstances(world: LaneWorld, session_id: UUID) -> dict[str, Any]:
    [row] = await world.rows("SELECT circumstances FROM sessions WHERE id = :id", id=session_id)
    return row["circumstances"]


async def record(world: LaneWorld, *entries: VehicleEntry) -> int:
    async with world.context.database.begin() as unit:
        operator_id = world.entry.operator_id
        return await vehicles.record_vehicles(unit, operator_id, entries, by="Ada")


async def park(world: LaneWorld, plate: str, minutes: float) -> UUID:
    """Let a car of a driver who pays by mandate stay that long."""
    session_id = await world.drive_in(plate)
    world.wait(minutes=minutes)
    assert (await world.drive_out(plate)).action == "open"
    return session_id


@pytest.fixture
async def paying(world: LaneWorld) -> UUID:
    driver_id = await world.add_driver()
    await world.permit(driver_id)
    return driver_id


async def test_a_stay_without_anything_special_stores_nothing(world: LaneWorld) -> None:
    assert await circumstances(world, await world.drive_in()) == {}


async def test_the_register_chooses_the_variant_from_the_next_entry_on(
    world: LaneWorld, paying: UUID
) -> None:
    assert paying
    await publish(world, variants=[FLAT_TRUCK])
    running = await world.drive_in()
    assert await record(world, VehicleEntry(PLATE, vehicle_class="truck", is_resident=True)) == 1
    world.wait(minutes=45)
    assert (await world.drive_out()).reason == "paid"
    assert await circumstances(world, running) == {}
    truck = await park(world, PLATE, 45)
    assert await circumstances(world, truck) == {
        "vehicle": {"vehicle_class": "truck", "is_resident": True}
    }
    assert await totals(world) == [1000, 2000]


async def test_a_record_counts_only_while_it_is_valid(world: LaneWorld) -> None:
    now = world.clock.now()
    day = timedelta(days=1)
    await record(world, VehicleEntry(PLATE, "bus", valid_from=now + day, valid_until=now + 2 * day))
    for expected in ({}, {"vehicle": {"vehicle_class": "bus"}}, {}):
        session_id = await world.drive_in()
        assert await circumstances(world, session_id) == expected
        world.wait(minutes=1)
        await world.drive_out()
        world.wait(days=1)


@pytest.mark.parametrize(("recorded", "is_ev"), [(None, True), (False, False)])
async def test_the_plates_format_counts_unless_the_register_says_otherwise(
    world: LaneWorld, recorded: bool | None, is_ev: bool
) -> None:
    await record(world, VehicleEntry(ELECTRIC, is_ev=recorded))
    session_id = await world.drive_in(ELECTRIC)
    expected = {"vehicle": {"is_ev": True}} if is_ev else {}
    assert await circumstances(world, session_id) == expected


async def test_an_allowance_of_a_day_is_shared_by_its_stays(world: LaneWorld) -> None:
    await world.permit(await world.add_driver(ELECTRIC))
    await publish(world, allowances=[EV_HOUR], grace=0)
    await park(world, ELECTRIC, 40)
    world.wait(minutes=30)
    await park(world, ELECTRIC, 40)
    world.wait(minutes=30)
    await park(world, ELECTRIC, 40)
    # 40 minutes are free, then 20 of 40, then none.
    assert await totals(world) == [0, 500, 1000]
    [use] = await world.rows("SELECT allowance, used_s FROM allowance_uses")
    assert use == {"allowance": "EV hour", "used_s": 3600}
    world.wait(days=1)
    await park(world, ELECTRIC, 40)
    assert await totals(world) == [0, 500, 1000, 0]


async def test_two_exits_of_one_plate_take_an_allowance_once(world: LaneWorld) -> None:
    await publish(world, allowances=[EV_HOUR], grace=0)
    await world.drive_in(ELECTRIC)
    world.wait(minutes=30)
    here = await world.arrive(world.exit)
    there = await world.arrive(world.second_exit)
    await asyncio.gather(
        world.decide(world.exit, here, read_of(ELECTRIC)),
        world.decide(world.second_exit, there, read_of(ELECTRIC)),
    )
    await asyncio.gather(
        world.barrier(world.exit, here, "opened", "passed"),
        world.barrier(world.second_exit, there, "opened", "passed"),
        world.barrier(world.exit, here, "passed"),
        return_exceptions=True,
    )
    [use] = await world.rows("SELECT used_s FROM allowance_uses")
    assert use["used_s"] == 1800
    states = await world.rows("SELECT state FROM sessions")
    assert [row["state"] for row in states] == ["left"]


async def test_a_cancelled_entry_takes_no_allowance(world: LaneWorld) -> None:
    await publish(world, allowances=[EV_HOUR], grace=0, reentry_merge=30)
    presentation_id = await world.arrive(world.entry)
    await world.decide(world.entry, presentation_id, read_of(ELECTRIC))
    world.wait(minutes=2)
    await world.barrier(world.entry, presentation_id, "opened", "backed_out")
    assert await world.count("allowance_uses") == 0
    assert await world.count("departures") == 0


async def test_a_short_absence_continues_the_stay(world: LaneWorld, paying: UUID) -> None:
    assert paying
    await publish(world, reentry_merge=30)
    first = await park(world, PLATE, 45)
    # A table published meanwhile is not the one of the original entry.
    await republish(world, 900)
    world.wait(minutes=10)
    second = await park(world, PLATE, 20)
    world.wait(minutes=29)
    third = await park(world, PLATE, 30)
    # 45, then 75, then 134 minutes since the first entry: 2, 3 and 5 blocks in all.
    assert await totals(world) == [1000, 500, 1000]
    original = (await world.rows("SELECT entered_at FROM sessions WHERE id = :id", id=first))[0]
    for session_id, billed in ((second, 1000), (third, 1500)):
        kept = await circumstances(world, session_id)
        assert datetime.fromisoformat(kept["continues_from"]) == original["entered_at"]
        assert kept["billed_before_minor"] == billed
    tables = await world.rows("SELECT DISTINCT rate_table_id FROM sessions")
    assert len(tables) == 1
    assert world.provider.captured("CNY") == 2500
    assert (await world.balances())["receivable", "CNY"] == 0


async def republish(world: LaneWorld, value: int) -> None:
    line = {"kind": "increment", "value": value, "block": 30, "from": 0}
    async with world.context.database.begin() as unit:
        await tariffs.publish(
            unit,
            world.entry.operator_id,
            world.entry.place_id,
            currency="CNY",
            body=RATE_TABLE | {"collections": [{"lines": [line]}]},
        )


async def test_a_longer_absence_begins_anew(world: LaneWorld, paying: UUID) -> None:
    assert paying
    await publish(world, reentry_merge=30)
    await park(world, PLATE, 45)
    world.wait(minutes=30, seconds=1)
    again = await park(world, PLATE, 45)
    assert await circumstances(world, again) == {}
    assert await totals(world) == [1000, 1000]


async def test_grace_is_not_given_twice_for_one_stay(world: LaneWorld, paying: UUID) -> None:
    assert paying
    await publish(world, reentry_merge=30)
    await park(world, PLATE, 8)
    world.wait(minutes=1)
    await park(world, PLATE, 8)
    assert await totals(world) == [0, 500]


async def test_a_day_of_short_stays_costs_no_more_than_the_day(
    world: LaneWorld, paying: UUID
) -> None:
    assert paying
    await publish(world, reentry_merge=120)
    for _ in range(6):
        await park(world, PLATE, 90)
        world.wait(minutes=10)
    assert sum(await totals(world)) == 3000
    assert world.provider.captured("CNY") == 3000


async def test_an_earlier_bill_that_is_not_settled_is_owed_by_itself(
    world: LaneWorld, paying: UUID
) -> None:
    assert paying
    await publish(world, reentry_merge=30)
    first = await world.drive_in()
    world.wait(minutes=45)
    world.provider.play(Fault.ACCEPT_GUARANTEED)
    assert (await world.drive_out()).reason == "guaranteed"
    [attempt] = await world.rows("SELECT number FROM payment_attempts")
    world.wait(minutes=5)
    second = await world.drive_in()
    world.wait(minutes=20)
    # The earlier payment fails while the car is inside again.
    world.provider.settle(attempt["number"], OrderStatus.FAILED, "declined")
    await asyncio.gather(settlement.sweep(world.context), world.drive_out())
    bills = await world.rows(
        "SELECT session_id, state, total_minor FROM bills WHERE state <> 'void' ORDER BY id"
    )
    assert [(row["session_id"], row["state"], row["total_minor"]) for row in bills] == [
        (first, "owed", 1000),
        (second, "paid", 500),
    ]
    assert world.provider.captured("CNY") == 500
    assert (await world.balances())["receivable", "CNY"] == 1000
    # It can still be paid, once.
    token = pay_token(world.context.vault, world.entry.operator_id, first)
    assert (await checkout.bill_of(world.context, token)).due.amount_minor == 1000


async def test_prepaying_a_continued_stay_pays_what_is_left(world: LaneWorld, paying: UUID) -> None:
    await publish(world, reentry_merge=30, grace_after_payment=5)
    await park(world, PLATE, 45)
    world.wait(minutes=10)
    second = await world.drive_in()
    world.wait(minutes=20)
    paid = await prepay.prepay(world.context, paying, second)
    assert paid.amount.amount_minor == 500
    [row] = await world.rows(
        "SELECT prepaid_until, entered_at FROM sessions WHERE id = :id", id=second
    )
    assert row["prepaid_until"] == row["entered_at"] + timedelta(minutes=25)
    world.wait(minutes=5)
    assert (await world.drive_out()).reason == "zero_due"
    assert await totals(world) == [1000, 500]


async def test_entry_and_exit_at_once_leave_one_truth(world: LaneWorld, paying: UUID) -> None:
    """The car passes the exit as its plate is read at the entry: it left, or it never did."""
    assert paying
    await publish(world, reentry_merge=30)
    await world.drive_in()
    world.wait(minutes=45)
    leaving = await world.arrive(world.exit)
    assert (await world.decide(world.exit, leaving, read_of(PLATE))).reason == "paid"
    coming = await world.arrive(world.entry)
    await asyncio.gather(
        world.barrier(world.exit, leaving, "opened", "passed"),
        world.decide(world.entry, coming, read_of(PLATE)),
    )
    await world.barrier(world.entry, coming, "opened", "passed")
    await world.clear(world.entry, coming)
    world.wait(minutes=31)
    decision = await world.drive_out()
    assert decision.action == "open"
    # Continued, it is the fourth block at 76 minutes less two; set aside, two blocks anew.
    assert sum(await totals(world)) in {1500, 2000}
    assert world.provider.captured("CNY") == sum(await totals(world))


async def test_a_strangers_entry_reads_what_it_needs_in_one_statement(world: LaneWorld) -> None:
    """The place, its rates, and that there is no record, no earlier stay and no pass."""
    presentation_id = await world.arrive(world.entry)
    with collected(world.context.database) as seen:
        decision = await world.decide(world.entry, presentation_id, read_of(PLATE))
    assert decision.action == "open"
    reads = [text for text in seen if text.lstrip().startswith("SELECT")]
    assert len(reads) == 2
    assert "FOR UPDATE" in reads[0]
    for table in ("places", "vehicle_records", "plate_bindings", "departures", "right_plates"):
        assert [table in text for text in seen] == [text is reads[1] for text in seen], table


async def test_a_list_of_stays_takes_the_same_statements_however_long(
    world: LaneWorld, paying: UUID
) -> None:
    await publish(world, reentry_merge=30, allowances=[EV_HOUR], variants=[FLAT_TRUCK])
    counts: list[int] = []
    for _ in range(3):
        await park(world, PLATE, 20)
        world.wait(minutes=5)
        with collected(world.context.database) as seen:
            await driver_view.page_sessions(world.context, paying, first=50, before=None)
        counts.append(len(seen))
    listed = await driver_view.page_sessions(world.context, paying, first=50, before=None)
    assert [view.bill.circumstances.billed_before_minor for view in listed] == [1000, 500, 0]
    assert counts[0] == counts[1] == counts[2]
