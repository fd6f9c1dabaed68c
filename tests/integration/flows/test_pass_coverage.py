"""What a pass covers at the gates, and that it never covers one car too many."""

import asyncio
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from parking.flows.passes import pass_changes
from parking.flows.payments import charging
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.passes.errors import (
    PassPlatesExhaustedError,
    PassPlateUnknownError,
    PassTransfersExhaustedError,
)
from parking.passes.models import RightSpecification
from parking.passes.periods import PeriodKind
from parking.places import service as places
from parking.places.models import Direction, IdentifiedArea
from parking.tariffs import service as tariffs
from tests.factories.lane_world import PLATE, RATE_TABLE, LaneWorld, read_of
from tests.factories.pass_desk import PRICE_MINOR, SHANGHAI, PassDesk

SECOND, THIRD = "AB22222", "AB33333"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charging, "QUERY_PAUSES_S", (0,))


@pytest.fixture
def desk(world: LaneWorld) -> PassDesk:
    return PassDesk(world)


async def stay_lines(world: LaneWorld) -> list[tuple[str, int, str]]:
    """Return the lines of the newest bill of a stay: reason, amount, note."""
    rows = await world.rows(
        "SELECT lines FROM bills WHERE session_id IS NOT NULL ORDER BY id DESC LIMIT 1"
    )
    return [(line["reason"], line["amount_minor"], line["note"]) for line in rows[0]["lines"]]


async def shared_pass(desk: PassDesk, **changes: Any) -> UUID:  # noqa: ANN401 - of NewProduct
    driver_id = await desk.buyer(PLATE, SECOND, THIRD)
    product = await desk.add_product(plates_max=4, **changes)
    return await desk.buy(driver_id, product)


async def test_many_cars_share_one_space(world: LaneWorld, desk: PassDesk) -> None:
    await shared_pass(desk)
    await world.drive_in(PLATE)
    await world.drive_in(SECOND)
    world.wait(minutes=45)
    assert (await world.drive_out(PLATE)).reason == "zero_due"
    assert await stay_lines(world) == [("pass", 0, "Month")]
    # The second car stays a temporary user, also after the first has left; its bill says why.
    world.wait(minutes=10)
    assert (await world.drive_out(SECOND)).reason == "paid"
    assert await stay_lines(world) == [("increment", 1000, ""), ("no_space_left", 0, "Month")]
    assert world.provider.captured("CNY") == PRICE_MINOR + 1000
    # The space is free again for whoever comes next.
    await world.drive_in(THIRD)
    world.wait(hours=3)
    assert (await world.drive_out(THIRD)).reason == "zero_due"
    assert await world.count("right_spaces") == 0


@pytest.mark.parametrize("spaces", [1, 2])
async def test_cars_that_come_in_the_same_moment_never_share_a_space(
    world: LaneWorld, desk: PassDesk, spaces: int
) -> None:
    await shared_pass(desk, spaces=spaces)
    lanes = (world.entry, world.second_entry)
    # A third lane, so that there is one car more than spaces at once.
    async with world.context.database.begin() as unit:
        area = await unit.session.get(
            IdentifiedArea, (world.entry.operator_id, world.entry.area_id)
        )
        assert area is not None
        made = places.add_lane(unit, area, name="Entry 3", direction=Direction.ENTRY)
    third = await world.gate.authenticate(made.lane.id, made.device_token)
    await world.gate.connect(third, "bridge-1")
    cars = [
        (lane, await world.arrive(lane), plate)
        for lane, plate in zip((*lanes, third), (PLATE, SECOND, THIRD), strict=True)
    ]
    decisions = await asyncio.gather(
        *(world.decide(lane, car_id, read_of(plate)) for lane, car_id, plate in cars)
    )
    assert [decision.action for decision in decisions] == ["open"] * 3
    rows = await world.rows("SELECT slot, session_id FROM right_spaces ORDER BY slot")
    assert [row["slot"] for row in rows] == list(range(1, spaces + 1))
    assert len({row["session_id"] for row in rows}) == spaces
    sessions = await world.rows("SELECT id, circumstances FROM sessions")
    covered = {row["id"] for row in sessions if row["circumstances"].get("has_pass")}
    assert covered == {row["session_id"] for row in rows}


async def test_a_car_that_backs_out_frees_its_space(world: LaneWorld, desk: PassDesk) -> None:
    await shared_pass(desk)
    presentation_id = await world.arrive(world.entry)
    await world.decide(world.entry, presentation_id, read_of(PLATE))
    assert await world.count("right_spaces") == 1
    # The same car is asked about again: one space all the same.
    await world.decide(world.entry, presentation_id, read_of(PLATE))
    assert await world.count("right_spaces") == 1
    await world.barrier(world.entry, presentation_id, "opened", "backed_out")
    assert await world.count("right_spaces") == 0


async def test_hours_outside_the_pass_are_charged(world: LaneWorld, desk: PassDesk) -> None:
    await shared_pass(desk, from_minute=7 * 60, to_minute=19 * 60)
    tomorrow = desk.today() + timedelta(days=1)
    entered = datetime.combine(tomorrow, time(18, 15), SHANGHAI)
    world.clock.advance(entered - world.clock.now())
    await world.drive_in()
    world.wait(minutes=90)
    assert (await world.drive_out()).reason == "paid"
    # Covered until 19:00, then 45 minutes in two blocks.
    assert await stay_lines(world) == [("pass", 0, "Month"), ("increment", 1000, "")]


HOLDERS = {
    "name": "holders",
    "eligibility": {"pass_holder": True},
    "collections": [{"lines": [{"kind": "increment", "value": 100, "block": 30, "from": 0}]}],
}


@pytest.mark.parametrize(("days_ahead", "price_minor"), [(0, 100), (2, 500)])
async def test_a_pass_gives_its_holders_rate_once_it_has_begun(
    world: LaneWorld, desk: PassDesk, days_ahead: int, price_minor: int
) -> None:
    operator_id, place_id = world.entry.operator_id, world.entry.place_id
    async with world.context.database.begin() as unit:
        body = RATE_TABLE | {"variants": [HOLDERS], "grace": 0}
        await tariffs.publish(unit, operator_id, place_id, currency="CNY", body=body)
    driver_id = await desk.buyer()
    # Of no hours today, so that the stay costs something with it too.
    tomorrow = (desk.today() + timedelta(days=1)).weekday()
    product = await desk.add_product(weekdays=frozenset({tomorrow}))
    first_day = desk.today() + timedelta(days=days_ahead)
    right_id = await desk.buy(driver_id, product, first_day=first_day)
    world.wait(seconds=1)
    await world.drive_in()
    world.wait(seconds=1)
    assert (await world.drive_out()).reason == "paid"
    assert world.provider.captured("CNY") == PRICE_MINOR + price_minor
    if days_ahead:
        # Given back before it began, a pass was never of any use.
        gone = await pass_changes.cancel(world.context, driver_id, right_id, immediately=True)
        assert gone.refund_minor == PRICE_MINOR


async def test_a_renewal_during_the_stay_extends_what_is_covered(
    world: LaneWorld, desk: PassDesk
) -> None:
    right_id = await shared_pass(desk)
    ends = (await desk.right(right_id))["paid_until"].astimezone(SHANGHAI).date()
    await desk.wait_until(ends - timedelta(days=2))
    session_id = await world.drive_in()
    await desk.wait_until(ends + timedelta(days=10))
    assert (await desk.right(right_id))["periods"] == 2
    assert (await world.drive_out()).reason == "zero_due"
    [row] = await world.rows("SELECT circumstances FROM sessions WHERE id = :id", id=session_id)
    [exemption] = row["circumstances"]["exemptions"]
    paid_until = (await desk.right(right_id))["paid_until"]
    # The new period, and the grace after it: as long as is known now.
    assert datetime.fromisoformat(exemption["ends_at"]) == paid_until + timedelta(days=5)
    assert world.provider.captured("CNY") == 2 * PRICE_MINOR


async def test_a_pass_that_lapses_during_the_stay_covers_it_to_the_end_of_the_grace(
    world: LaneWorld, desk: PassDesk
) -> None:
    right_id = await shared_pass(desk)
    right = await desk.right(right_id)
    ends = right["paid_until"].astimezone(SHANGHAI).date()
    await pass_changes.set_renewal(world.context, right["driver_id"], right_id, renews=False)
    await desk.wait_until(ends - timedelta(days=1))
    await world.drive_in()
    await desk.wait_until(ends, hour=0, minute=50)
    assert await desk.state(right_id) == "ended"
    assert (await world.drive_out()).reason == "paid"
    assert await stay_lines(world) == [("pass", 0, "Month"), ("increment", 1000, "")]


async def test_switching_the_renewal_off_takes_the_grace_from_a_stay(
    world: LaneWorld, desk: PassDesk
) -> None:
    right_id = await shared_pass(desk)
    right = await desk.right(right_id)
    session_id = await world.drive_in()
    await pass_changes.set_renewal(world.context, right["driver_id"], right_id, renews=False)
    await desk.work()
    [row] = await world.rows("SELECT circumstances FROM sessions WHERE id = :id", id=session_id)
    [exemption] = row["circumstances"]["exemptions"]
    assert datetime.fromisoformat(exemption["ends_at"]) == right["paid_until"]
    told = await world.rows("SELECT type FROM outbox WHERE type = 'SessionBillChanged'")
    assert len(told) == 1


async def product_elsewhere(world: LaneWorld, desk: PassDesk, kind: str) -> RightSpecification:
    operator_id = world.entry.operator_id
    async with world.context.database.begin() as unit:
        place = places.add_place(
            unit, operator_id, name="Hill", timezone="Asia/Shanghai", currency="CNY"
        )
        await unit.session.flush()
        here = await places.require_place(unit, operator_id, world.entry.place_id)
        level = places.add_area(unit, here, name="B2", supply=1)
    if kind == "place":
        return await desk.add_product(place_ids=[place.id])
    if kind == "area":
        return await desk.add_product(area_id=level.id)
    return await desk.add_product(place_ids=[place.id, world.entry.place_id])


@pytest.mark.parametrize(("kind", "covers"), [("place", False), ("area", False), ("group", True)])
async def test_a_pass_covers_its_places_and_areas_only(
    world: LaneWorld, desk: PassDesk, kind: str, *, covers: bool
) -> None:
    driver_id = await desk.buyer()
    product = await product_elsewhere(world, desk, kind)
    await desk.buy(driver_id, product)
    await world.drive_in()
    assert await world.count("right_spaces") == (1 if covers else 0)


async def test_an_area_covers_the_areas_inside_it(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await desk.buyer()
    async with world.context.database.begin() as unit:
        key = (world.entry.operator_id, world.entry.area_id)
        area = await unit.session.get_one(IdentifiedArea, key)
        around = IdentifiedArea(
            operator_id=area.operator_id,
            id=new_id(unit.now()),
            place_id=area.place_id,
            name="Below ground",
            supply=9,
        )
        unit.session.add(around)
        area.parent_id = around.id
        around_id = around.id
    await desk.buy(driver_id, await desk.add_product(area_id=around_id))
    await world.drive_in()
    assert await world.count("right_spaces") == 1


async def test_a_plate_that_is_somebody_elses_now_is_not_covered(
    world: LaneWorld, desk: PassDesk
) -> None:
    await shared_pass(desk)
    thief = await world.add_driver("ZZ1")
    # As staff's decision leaves it for a moment: the plate still stands on the former's pass.
    await world.rows_changed(
        "UPDATE plate_bindings SET driver_id = :driver WHERE unbound_at IS NULL AND plate_index ="
        " (SELECT plate_index FROM driver_plates ORDER BY bound_at LIMIT 1)",
        driver=thief,
    )
    await world.drive_in()
    assert await world.count("right_spaces") == 0


async def test_two_passes_cover_what_each_is_for(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await desk.buyer()
    day = await desk.add_product(name="Day", from_minute=420, to_minute=1140)
    night = await desk.add_product(
        name="Night",
        from_minute=1080,
        to_minute=480,
        period=PeriodKind.DAYS,
        period_days=30,
        price=Money(100, "CNY"),
    )
    await desk.buy(driver_id, day)
    world.wait(seconds=1)
    await desk.buy(driver_id, night, "k2")
    tomorrow = datetime.combine(desk.today() + timedelta(days=1), time(12), SHANGHAI)
    world.clock.advance(tomorrow - world.clock.now())
    session_id = await world.drive_in()
    assert await world.count("right_spaces") == 2
    world.wait(hours=40)
    assert (await world.drive_out()).reason == "zero_due"
    [row] = await world.rows("SELECT circumstances FROM sessions WHERE id = :id", id=session_id)
    exemptions = row["circumstances"]["exemptions"]
    assert [item["note"] for item in exemptions[:3]] == ["Day", "Night", "Day"]
    assert all(first["ends_at"] == second["starts_at"] for first, second in pairwise(exemptions))
    assert await world.count("right_spaces") == 0


async def test_a_transfer_counts_from_the_next_gate(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await desk.buyer()
    right_id = await desk.buy(driver_id, await desk.add_product())
    [old] = await desk.bindings(driver_id)
    new = await desk.bind(driver_id, SECOND)
    world.wait(minutes=1)
    await world.drive_in(PLATE)
    with pytest.raises(PassPlatesExhaustedError):
        await pass_changes.transfer(
            world.context, driver_id, right_id, binding_id=new, replaces=None
        )
    with pytest.raises(InvalidInputError, match="replacesPlateId"):
        await pass_changes.transfer(
            world.context, driver_id, right_id, binding_id=new, replaces=new
        )
    for _ in range(2):
        await pass_changes.transfer(
            world.context, driver_id, right_id, binding_id=new, replaces=old
        )
    # The car inside keeps its stay and its space; the new plate is a temporary user until then.
    world.wait(hours=1)
    assert (await world.drive_out(PLATE)).reason == "zero_due"
    await world.drive_in(SECOND)
    await world.drive_in(PLATE)
    world.wait(hours=1)
    assert (await world.drive_out(SECOND)).reason == "zero_due"
    world.wait(seconds=1)
    assert (await world.drive_out(PLATE)).reason == "paid"
    assert await stay_lines(world) == [("increment", 1500, "")]


async def test_plates_change_three_times_in_a_month(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await desk.buyer()
    right_id = await desk.buy(driver_id, await desk.add_product())
    first = (desk.today().replace(day=1) + timedelta(days=32)).replace(day=1)
    await desk.wait_until(first, hour=9)
    [current] = await desk.bindings(driver_id)
    others = [await desk.bind(driver_id, f"AB{number}") for number in range(5)]
    for binding_id in others[:3]:
        await pass_changes.transfer(
            world.context, driver_id, right_id, binding_id=binding_id, replaces=current
        )
        current = binding_id
        world.wait(minutes=1)
    with pytest.raises(PassTransfersExhaustedError):
        await pass_changes.transfer(
            world.context, driver_id, right_id, binding_id=others[3], replaces=current
        )
    plates = await world.rows("SELECT 1 FROM right_plates WHERE removed_at IS NULL")
    assert len(plates) == 1
    await desk.wait_until((first + timedelta(days=32)).replace(day=1), hour=9)
    await pass_changes.transfer(
        world.context, driver_id, right_id, binding_id=others[3], replaces=current
    )


async def test_a_stranger_plate_does_not_get_on_a_pass(world: LaneWorld, desk: PassDesk) -> None:
    driver_id = await desk.buyer()
    right_id = await desk.buy(driver_id, await desk.add_product(plates_max=2))
    other = await world.add_driver(SECOND)
    [theirs] = await desk.bindings(other)
    with pytest.raises(PassPlateUnknownError):
        await pass_changes.transfer(
            world.context, driver_id, right_id, binding_id=theirs, replaces=None
        )
    assert await world.count("right_plates") == 1
