"""What a gate answers to an order, and what it cannot take back."""

from parking.flows.lane_types import CommandState
from tests.factories.lane_world import PLATE, LaneWorld, read_of


async def test_an_order_that_was_carried_out_is_not_refused_afterwards(world: LaneWorld) -> None:
    car = await world.arrive(world.entry)
    order = (await world.decide(world.entry, car, read_of(PLATE))).command
    assert order is not None
    answer = world.gate.command_answered
    await answer(world.entry, order.command_id, CommandState.ACCEPTED, None)
    await answer(world.entry, order.command_id, CommandState.REJECTED, "expired")
    assert await world.rows("SELECT state, rejection FROM gate_commands") == [
        {"state": "accepted", "rejection": None}
    ]
    assert await world.gate.pending_commands(world.entry, car) == []
    assert await world.count("gate_commands") == 1
