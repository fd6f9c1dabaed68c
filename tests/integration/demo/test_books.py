"""What a round of the demo counts as its own debts, in a folder where a run was broken off."""

from collections.abc import AsyncGenerator

import pytest

from sesame.demo.inboxes import PushInbox
from sesame.demo.witness import Witness
from tests.factories.lane_world import LaneWorld, open_lane_world

OTHER = "沪B20001"


@pytest.fixture
async def world(database_url: str, valkey_url: str) -> AsyncGenerator[LaneWorld]:
    async with open_lane_world(database_url, valkey_url) as opened:
        yield opened


async def test_a_stay_of_before_the_round_is_nobodys_debt_in_it(world: LaneWorld) -> None:
    # A car that was left inside comes again; another one comes and leaves without paying.
    await world.drive_in()
    world.wait(minutes=45)
    began_at = world.clock.now()
    pushes = PushInbox("http://127.0.0.1:1")
    witness = Witness(world.context, {}, pushes, [world.entry.operator_id])
    assert (await witness.books(began_at)).receivable == {}
    world.wait(minutes=1)
    await world.drive_in()
    assert (await witness.books(began_at)).receivable == {}
    assert (await witness.books()).receivable == {"CNY": 1000}

    await world.drive_in(OTHER)
    world.wait(minutes=20)
    assert (await world.drive_out(OTHER)).action == "pay"
    books = await witness.books(began_at)
    assert (books.receivable, books.ledger_sum) == ({"CNY": 500}, {"CNY": 0})
    assert (await witness.books()).receivable == {"CNY": 1500}
    await pushes.close()
