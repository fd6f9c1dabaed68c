"""An order to open is judged by what we had heard by then: how a stay ended may come later."""

from datetime import timedelta

from sqlalchemy import text

from parking.flows import override
from parking.flows.offline import reconcile
from sesame.bench.money.promises import one_command_per_exit
from sesame.bench.money.rows import read_rows
from tests.factories.lane_world import PLATE, LaneWorld, read_of
from tests.factories.offline_lane import OfflineLaneBox

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


async def broken(world: LaneWorld) -> list[str]:
    """Return what does not hold of the promise of one order for an exit."""
    async with world.context.database.begin() as unit:
        rows = await read_rows(unit, {world.exit.operator_id})
    return [str(one) for one in one_command_per_exit(rows)]


async def opened_at_exit(world: LaneWorld) -> None:
    """Let the exit be ordered open for the car, which drives back."""
    presentation_id = await world.arrive(world.exit)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).action == "open"
    await world.barrier(world.exit, presentation_id, "opened", "backed_out")
    await world.clear(world.exit, presentation_id)


async def ends(world: LaneWorld) -> list[tuple[str, bool]]:
    """Return how the stay ended, and whether that was before its exit was ordered open."""
    rows = await world.rows(
        "SELECT s.state, s.left_at < c.issued_at AS is_before FROM sessions s "
        "JOIN gate_commands c ON c.session_id = s.id AND c.lane_id = :exit",
        exit=world.exit.lane_id,
    )
    return [(row["state"], row["is_before"]) for row in rows]


async def test_a_stay_that_had_left_by_another_exit_before_is_heard_of_later(
    world: LaneWorld,
) -> None:
    await world.drive_in()
    other = OfflineLaneBox(world, world.second_exit)
    other.visit(PLATE, world.clock.now() + MINUTE)
    world.wait(minutes=5)
    await opened_at_exit(world)
    world.wait(minutes=30)
    await other.send()
    assert await ends(world) == [("left", True)]
    assert await broken(world) == []


async def test_a_stay_that_a_new_entry_had_ended_before_is_heard_of_later(
    world: LaneWorld,
) -> None:
    await world.drive_in()
    again = OfflineLaneBox(world, world.second_entry)
    again.visit(PLATE, world.clock.now() + MINUTE)
    world.wait(minutes=5)
    await opened_at_exit(world)
    world.wait(minutes=30)
    await again.send()
    # The exit between the two entries may still be told of.
    world.wait(minutes=11)
    assert await reconcile.sweep(world.context) == 1
    assert await ends(world) == [("unresolved", True)]
    assert await broken(world) == []


async def test_an_order_after_the_news_breaks_the_promise(world: LaneWorld) -> None:
    await world.drive_in()
    first = await world.arrive(world.exit)
    assert (await world.decide(world.exit, first, read_of(PLATE))).action == "open"
    other = OfflineLaneBox(world, world.second_exit)
    other.visit(PLATE, world.clock.now() + MINUTE)
    world.wait(minutes=30)
    await other.send()
    heard_at = world.clock.now()
    at_exit = "FROM gate_commands WHERE lane_id = :exit"
    [order] = await world.rows(f"SELECT id {at_exit}", exit=world.exit.lane_id)
    found: list[list[str]] = []
    for issued_at in (heard_at, heard_at + 2 * SECOND):
        async with world.context.database.begin() as unit:
            await unit.run(
                text("UPDATE gate_commands SET issued_at = :at WHERE id = :id"),
                {"at": issued_at, "id": order["id"]},
            )
        found.append(await broken(world))
    assert found == [[], [f"promise 8 is broken: order {order['id']} is for a stay that was over"]]


async def test_a_car_that_drove_back_is_ordered_out_no_more_once_its_stay_is_over(
    world: LaneWorld,
) -> None:
    await world.drive_in()
    first = await world.arrive(world.exit)
    assert (await world.decide(world.exit, first, read_of(PLATE))).action == "open"
    [command] = await world.gate.pending_commands(world.exit, first)
    # The lane has told of the arm, and not yet of the loop.
    await world.barrier(world.exit, first, "backed_out")
    world.wait(minutes=1)
    assert await world.gate.pending_commands(world.exit, first) == []
    await world.drive_in()
    world.wait(minutes=1)
    assert await world.gate.pending_commands(world.exit, first) == []
    [order] = await world.rows(
        "SELECT issued_at FROM gate_commands WHERE id = :id", id=command.command_id
    )
    assert order["issued_at"] == command.issued_at
    assert await broken(world) == []


async def test_a_car_that_staff_let_out_is_opened_for_though_its_plates_stay_is_elsewhere(
    world: LaneWorld,
) -> None:
    await world.drive_in()
    world.wait(minutes=45)
    first = await world.arrive(world.exit)
    assert (await world.decide(world.exit, first, read_of(PLATE))).action == "pay"
    world.wait(minutes=11)
    second = await world.arrive(world.second_exit)
    assert (await world.decide(world.second_exit, second, read_of(PLATE))).action == "pay"
    exit_ = world.exit
    await override.let_out(
        world.context, exit_.operator_id, exit_.lane_id, reason="a guest", by="Ada"
    )
    [command] = await world.gate.pending_commands(exit_, first)
    # Connected anew, the bridge asks what it decided before.
    await world.gate.resume(exit_, first)
    assert [again.command_id for again in await world.gate.pending_commands(exit_, first)] == [
        command.command_id
    ]
    assert await world.rows("SELECT exit_presentation_id AS at FROM sessions") == [{"at": second}]
    assert await broken(world) == []
