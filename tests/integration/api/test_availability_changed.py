"""`availabilityChanged` over real WebSockets: the numbers first, then other numbers."""

from collections.abc import AsyncGenerator
from typing import Any, Final
from uuid import uuid4

import pytest

from api.config import SUBSCRIPTION_LOOK_S
from api.global_ids import encode_id
from api.subscriptions import availability_changed
from parking.drivers import repository as drivers
from parking.events.pokes import Poke, place_channel
from tests.factories.api import ApiWorld, serve
from tests.factories.graphql_socket import GraphQLSocket, signed_in_socket

FOLLOW: Final = """
subscription Room($place: ID!) {
  availabilityChanged(placeId: $place) {
    ... on AvailabilityUpdate { asOf areas { name spaces free isFull } }
    ... on Refusal { code }
  }
}
"""
ROOM: Final = (
    "query Room($place: ID!) { availability(placeId: $place) { name spaces free isFull } }"
)


@pytest.fixture
async def address(api: ApiWorld) -> AsyncGenerator[str]:
    async with serve(api.app) as address:
        yield address


@pytest.fixture
def place(api: ApiWorld) -> str:
    lane = api.lanes.entry
    return encode_id("Place", lane.operator_id, lane.place_id)


async def update(client: GraphQLSocket) -> Any:  # noqa: ANN401 - JSON
    return (await client.data())["availabilityChanged"]


async def poke(api: ApiWorld) -> None:
    channel = place_channel(api.lanes.entry.place_id)
    assert await api.lanes.context.bus.publish([(channel, Poke(uuid4(), "Test"))])


async def test_each_car_is_another_number(
    api: ApiWorld, address: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability_changed, "AVAILABILITY_INTERVAL_S", 0.0)
    driver_id, token = await api.add_driver()
    await api.lanes.permit(driver_id)
    [area] = (await api.ask(ROOM, {"place": place}, token=token))["availability"]
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", FOLLOW, place=place)
        first = await update(client)
        assert first == {"asOf": api.lanes.clock.now().isoformat(), "areas": [area]}
        await api.lanes.drive_in()
        # A poke without any news says nothing.
        await poke(api)
        assert (await update(client))["areas"] == [{**area, "free": area["free"] - 1}]
        api.lanes.wait(minutes=5)
        assert (await api.lanes.drive_out()).action == "open"
        await poke(api)
        assert (await update(client))["areas"] == [area]


async def test_a_busy_place_is_read_once_an_interval_for_everybody(
    api: ApiWorld, address: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    read = availability_changed.PlaceFeed.read

    async def count(feed: availability_changed.PlaceFeed) -> float:
        nonlocal reads
        reads += 1
        return await read(feed)

    monkeypatch.setattr(availability_changed.PlaceFeed, "read", count)
    monkeypatch.setattr(availability_changed, "AVAILABILITY_INTERVAL_S", 3600.0)
    _, token = await api.add_driver()
    _, other = await api.add_driver("ZZ99999")
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", FOLLOW, place=place)
        first = await update(client)
        for _ in range(20):
            await poke(api)
        async with signed_in_socket(address, other) as late:
            await late.subscribe("1", FOLLOW, place=place)
            # Whoever comes later is told what was read last, and not made to wait.
            assert await update(late) == first
    assert reads == 1


async def test_signing_out_ends_it_at_the_next_look(
    api: ApiWorld, address: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability_changed, "AVAILABILITY_INTERVAL_S", 0.0)
    driver_id, token = await api.add_driver()
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", FOLLOW, place=place)
        await update(client)
        async with api.lanes.context.database.begin() as unit:
            await drivers.end_all_sign_ins(unit, driver_id)
        api.lanes.wait(seconds=SUBSCRIPTION_LOOK_S)
        await poke(api)
        assert await update(client) == {"code": "UNAUTHENTICATED"}
        assert await client.next() == {"id": "1", "type": "complete"}


async def test_an_id_that_is_none_is_refused(api: ApiWorld, address: str) -> None:
    _, token = await api.add_driver()
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", FOLLOW, place="x")
        assert await update(client) == {"code": "INVALID_INPUT"}
