"""Lanes whose relay cannot see the arm: what a pulse and a guessed passage do to a stay."""

from parking.flows.lane_types import BarrierEvent
from tests.factories.lane_world import PLATE, LaneWorld, read_of

INFERRED = "inferred: it left the loop after the pulse"


async def session(world: LaneWorld) -> tuple[object, ...]:
    [row] = await world.rows("SELECT state, left_at IS NULL AS is_inside FROM sessions")
    return tuple(row.values())


async def told(world: LaneWorld, kind: str) -> int:
    rows = await world.rows("SELECT count(*) AS n FROM outbox WHERE type = :kind", kind=kind)
    return int(rows[0]["n"])


async def test_a_pulse_keeps_the_stay_of_a_car_that_came_in(world: LaneWorld) -> None:
    presentation_id = await world.arrive(world.entry)
    await world.decide(world.entry, presentation_id, read_of(PLATE))
    await world.barrier(world.entry, presentation_id, "pulsed")
    await world.clear(world.entry, presentation_id)
    assert await session(world) == ("active", True)
    assert await told(world, "GateOpened") == 1


async def test_a_car_that_is_said_to_have_backed_out_after_a_pulse_never_came_in(
    world: LaneWorld,
) -> None:
    presentation_id = await world.arrive(world.entry)
    await world.decide(world.entry, presentation_id, read_of(PLATE))
    await world.barrier(world.entry, presentation_id, "pulsed")
    await world.clear(world.entry, presentation_id)
    await world.barrier(world.entry, presentation_id, "backed_out")
    assert await session(world) == ("cancelled", False)


async def test_a_pulse_alone_ends_no_stay(world: LaneWorld) -> None:
    await world.drive_in()
    presentation_id = await world.arrive(world.exit)
    assert (await world.decide(world.exit, presentation_id, read_of(PLATE))).action == "open"
    await world.barrier(world.exit, presentation_id, "pulsed")
    await world.clear(world.exit, presentation_id)
    assert (await session(world))[1] is True


async def test_a_wrong_guess_that_a_car_has_left_lets_it_out_of_no_gate(world: LaneWorld) -> None:
    await world.drive_in()
    first = await world.arrive(world.exit)
    assert (await world.decide(world.exit, first, read_of(PLATE))).action == "open"
    await world.barrier(world.exit, first, "pulsed")
    await world.clear(world.exit, first)
    guessed = BarrierEvent(world.event(world.exit), "passed", first, None, None, INFERRED)
    await world.gate.record_barrier_event(world.exit, guessed)
    assert await session(world) == ("left", False)
    # In truth it backed out, and stays for hours: without staff it does not get out any more.
    world.wait(hours=5)
    second = await world.arrive(world.exit)
    decision = await world.decide(world.exit, second, read_of(PLATE))
    assert (decision.action, decision.reason, decision.command) == ("refuse", "no_session", None)


async def test_a_car_that_follows_keeps_its_own_stay_open(world: LaneWorld) -> None:
    await world.drive_in()
    world.wait(minutes=1)
    await world.drive_in("沪B12345")
    first = await world.arrive(world.exit)
    await world.decide(world.exit, first, read_of(PLATE))
    await world.barrier(world.exit, first, "opened")
    await world.clear(world.exit, first)
    second = await world.arrive(world.exit)
    await world.barrier(world.exit, first, "passed", "tailgate")
    await world.clear(world.exit, second)
    await world.barrier(world.exit, first, "closed")
    rows = await world.rows("SELECT state FROM sessions ORDER BY entered_at")
    assert [row["state"] for row in rows] == ["left", "active"]
    kinds = await world.rows(
        "SELECT kind FROM lane_events WHERE lane_id = :id AND kind = 'tailgate'",
        id=world.exit.lane_id,
    )
    assert len(kinds) == 1
