"""Reserving and being offered spaces over the API, and `offerReceived` over real WebSockets."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from api.global_ids import encode_id
from parking.events.pokes import Poke, driver_channel
from parking.kit.ids import new_id
from parking.offers.events import OFFER_CHANGED
from tests.factories.api import ApiWorld, serve
from tests.factories.graphql_socket import GraphQLSocket, signed_in_socket
from tests.factories.reservations import add_pool, agree, offer

FOLLOW: Final = """
subscription Offers($after: Int) {
  offerReceived(afterVersion: $after) {
    ... on OfferUpdate { reason version offers { id state placeName version } }
    ... on Refusal { code }
  }
}
"""
ANSWER: Final = """
mutation Answer($offer: ID!, $key: String) {
  %s(input: {offerId: $offer}, idempotencyKey: $key) {
    __typename ... on Refusal { code }
    %s
  }
}
"""
SUCCESSES: Final = {
    "acceptOffer": "... on SpaceReserved { reservation { id state placeName } }",
    "declineOffer": "... on OfferDeclined { offer { id state } }",
}
RESERVE: Final = """
mutation Reserve($pool: ID!, $from: DateTime!, $until: DateTime!, $key: String) {
  reserveSpace(
    input: {poolId: $pool, startsAt: $from, endsAt: $until}, idempotencyKey: $key
  ) {
    ... on Refusal { code }
    ... on SpaceReserved { reservation { id state } }
  }
}
"""
CANCEL: Final = """
mutation Cancel($id: ID!) {
  cancelReservation(input: {reservationId: $id}) {
    ... on Refusal { code }
    ... on ReservationCancelled { reservation { id state } }
  }
}
"""
MINE: Final = """
{ viewer { offers { edges { node { id state } } } reservations { edges { node { id state } } } } }
"""


@pytest.fixture
async def address(api: ApiWorld) -> AsyncGenerator[str]:
    async with serve(api.app) as address:
        yield address


async def poke(api: ApiWorld, driver_id: UUID) -> None:
    """Say that something happened, as the relay does."""
    poke = Poke(new_id(api.lanes.clock.now()), OFFER_CHANGED)
    assert await api.lanes.context.bus.publish([(driver_channel(driver_id), poke)])


async def update(client: GraphQLSocket) -> tuple[str, int, list[tuple[str, str]]]:
    found = (await client.data("1"))["offerReceived"]
    offers = [(one["id"], one["state"]) for one in found["offers"]]
    return found["reason"], found["version"], offers


async def answer(api: ApiWorld, token: str, name: str, offer_id: str) -> dict[str, Any]:
    given = {"offer": offer_id, "key": f"{name}:{offer_id[-20:]}"}
    found = await api.ask(ANSWER % (name, SUCCESSES[name]), given, token=token)
    return found[name]


async def offered(api: ApiWorld, driver_id: UUID, pool_id: UUID) -> str:
    key = await offer(api.lanes, driver_id, pool_id)
    assert key is not None
    return encode_id("SpaceOffer", api.lanes.entry.operator_id, key)


async def test_offers_are_followed_and_nothing_is_missed(api: ApiWorld, address: str) -> None:
    driver_id, token = await api.add_driver()
    await agree(api.lanes, driver_id)
    pool_id = await add_pool(api.lanes, spaces=3)
    first = await offered(api, driver_id, pool_id)
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", FOLLOW)
        assert await update(client) == ("SNAPSHOT", 1, [(first, "OPEN")])
        second = await offered(api, driver_id, pool_id)
        await poke(api, driver_id)
        assert await update(client) == ("CHANGE", 2, [(second, "OPEN")])
        assert (await answer(api, token, "declineOffer", second))["offer"]["state"] == "DECLINED"
        await poke(api, driver_id)
        assert await update(client) == ("CHANGE", 3, [(second, "DECLINED")])
    taken = await answer(api, token, "acceptOffer", first)
    assert taken["reservation"]["state"] == "CONFIRMED"
    assert taken == await answer(api, token, "acceptOffer", first)
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", FOLLOW, after=3)
        assert await update(client) == ("SNAPSHOT", 4, [(first, "ACCEPTED")])
    # A version of another driver's book hides nothing.
    third = await offered(api, driver_id, pool_id)
    async with signed_in_socket(address, token) as client:
        await client.subscribe("1", FOLLOW, after=2_000_000_000)
        assert await update(client) == ("SNAPSHOT", 5, [(third, "OPEN")])


async def test_anothers_offer_or_reservation_is_as_none(api: ApiWorld, address: str) -> None:
    driver_id, token = await api.add_driver()
    _, stranger = await api.add_driver("京B00001")
    await agree(api.lanes, driver_id)
    pool_id = await add_pool(api.lanes, spaces=2)
    offer_id = await offered(api, driver_id, pool_id)
    for name in ("acceptOffer", "declineOffer"):
        assert (await answer(api, stranger, name, offer_id))["code"] == "OFFER_UNKNOWN"
    taken = await answer(api, token, "acceptOffer", offer_id)
    refused = await api.ask(CANCEL, {"id": taken["reservation"]["id"]}, token=stranger)
    assert refused["cancelReservation"] == {"code": "RESERVATION_UNKNOWN"}
    look = "query Look($id: ID!) { node(id: $id) { id } }"
    for node_id in (offer_id, taken["reservation"]["id"]):
        assert (await api.ask(look, {"id": node_id}, token=stranger))["node"] is None
        assert (await api.ask(look, {"id": node_id}, token=token))["node"] == {"id": node_id}
    assert (await api.ask(MINE, token=stranger))["viewer"] == {
        "offers": {"edges": []},
        "reservations": {"edges": []},
    }
    async with signed_in_socket(address, stranger) as client:
        await client.subscribe("1", FOLLOW)
        assert await update(client) == ("SNAPSHOT", 0, [])
    states = await api.lanes.rows("SELECT state FROM reservations")
    assert states == [{"state": "confirmed"}]


async def test_a_space_is_reserved_once_for_a_key_and_cancelled(api: ApiWorld) -> None:
    _, token = await api.add_driver()
    pool_id = await add_pool(api.lanes, spaces=2)
    now = api.lanes.clock.now()
    given = {
        "pool": encode_id("RightPool", api.lanes.entry.operator_id, pool_id),
        "from": (now + timedelta(hours=1)).isoformat(),
        "until": (now + timedelta(hours=3)).isoformat(),
        "key": "reserve-friday",
    }
    first = (await api.ask(RESERVE, given, token=token))["reserveSpace"]
    assert first == (await api.ask(RESERVE, given, token=token))["reserveSpace"]
    assert await api.lanes.count("reservations") == 1
    reservation_id = first["reservation"]["id"]
    cancelled = await api.ask(CANCEL, {"id": reservation_id}, token=token)
    assert cancelled["cancelReservation"]["reservation"]["state"] == "CANCELLED"
    mine = (await api.ask(MINE, token=token))["viewer"]["reservations"]["edges"]
    assert mine == [{"node": {"id": reservation_id, "state": "CANCELLED"}}]
