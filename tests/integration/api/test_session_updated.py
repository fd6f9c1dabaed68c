"""`sessionUpdated` over real WebSockets: snapshot, changes in order, reconnects, break-ins."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.config import SOCKETS_PER_DRIVER_MAX
from api.global_ids import encode_id
from api.graphql.engine import Engine, Prepared
from api.request import RequestContext
from api.subscriptions import feed, stay_feed, stay_rounds
from api.subscriptions.stay_updates import SessionUpdate
from parking.drivers import repository as drivers
from parking.events import outbox
from parking.events.pokes import Poke, session_channel
from parking.flows import watched_stays
from parking.flows.context import ParkingContext
from parking.flows.watched_stays import Asked, Seen
from parking.kit.errors import UnavailableError
from tests.factories.api import ApiWorld, serve
from tests.factories.graphql_socket import GraphQLSocket, signed_in_socket
from tests.servers import valkey_client

FOLLOW = """
subscription Follow($id: ID!, $after: Int) {
  sessionUpdated(sessionId: $id, afterVersion: $after) {
    __typename
    ... on SessionUpdate {
      reason version event
      session { id version state bill { due { amountMinor } nextChangeAt } }
    }
    ... on Refusal { code }
  }
}
"""


@pytest.fixture
async def address(api: ApiWorld) -> AsyncGenerator[str]:
    async with serve(api.app) as address:
        yield address


class Stay:
    """A driver's running stay; `bump` makes a change, as a lane would, and pokes."""

    def __init__(self, api: ApiWorld, driver_id: UUID, session_id: UUID, token: str) -> None:
        self.api = api
        self.driver_id = driver_id
        self.session_id = session_id
        self.token = token
        self.id = encode_id("Session", session_id)

    async def poke(self) -> None:
        channel = session_channel(self.session_id)
        assert await self.api.lanes.context.bus.publish([(channel, Poke(uuid4(), "Test"))])

    async def leave(self) -> None:
        """Leave: two changes, versions 3 and 4."""
        assert (await self.api.lanes.drive_out()).action == "open"


@pytest.fixture
async def stay(api: ApiWorld) -> Stay:
    driver_id, _ = await api.add_driver()
    await api.lanes.permit(driver_id)
    session_id = await api.lanes.drive_in()
    return Stay(api, driver_id, session_id, await api.token_of(driver_id))


async def update(client: GraphQLSocket) -> Any:  # noqa: ANN401 - JSON
    return (await client.data())["sessionUpdated"]


def brief(found: dict[str, Any]) -> tuple[str, int, str | None]:
    return found["reason"], found["version"], found["event"]


async def test_snapshot_first_then_every_change_in_order(stay: Stay, address: str) -> None:
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        first = await update(client)
        assert brief(first) == ("SNAPSHOT", 2, None)
        assert first["session"]["id"] == stay.id
        assert first["session"]["version"] == 2
        stay.api.lanes.wait(minutes=5)
        await stay.leave()
        await stay.poke()
        changes = [await update(client) for _ in range(2)]
        assert [brief(one) for one in changes] == [
            ("CHANGE", 3, "GateOpened"),
            ("CHANGE", 4, "SessionEnded"),
        ]
        assert [one["session"]["state"] for one in changes] == ["LEFT", "LEFT"]
        assert [one["session"]["version"] for one in changes] == [4, 4]


async def test_nothing_is_missed_over_a_reconnect(stay: Stay, address: str) -> None:
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        seen = (await update(client))["version"]
    stay.api.lanes.wait(minutes=5)
    await stay.leave()
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id, after=seen)
        missed = [brief(await update(client)) for _ in range(2)]
        assert missed == [("CHANGE", 3, "GateOpened"), ("CHANGE", 4, "SessionEnded")]
        await client.subscribe("2", FOLLOW, id=stay.id, after=4)
        current = (await client.data("2"))["sessionUpdated"]
        assert brief(current) == ("SNAPSHOT", 4, None)
        await client.subscribe("3", FOLLOW, id=stay.id, after=0)
        every = [(await client.data("3"))["sessionUpdated"] for _ in range(4)]
        assert [one["version"] for one in every] == [1, 2, 3, 4]
        await client.subscribe("4", FOLLOW, id=stay.id, after=99)
        ahead = (await client.data("4"))["sessionUpdated"]
        assert brief(ahead) == ("SNAPSHOT", 4, None)


async def test_a_long_absence_comes_page_by_page(
    stay: Stay, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched_stays, "CATCH_UP_MAX", 1)
    monkeypatch.setattr(outbox, "CATCH_UP_MAX", 1)
    await stay.leave()
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id, after=0)
        assert [(await update(client))["version"] for _ in range(4)] == [1, 2, 3, 4]


async def test_versions_that_are_gone_are_made_up_by_a_snapshot(stay: Stay, address: str) -> None:
    await stay.api.lanes.rows_changed("DELETE FROM outbox WHERE version = 1")
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id, after=0)
        assert brief(await update(client)) == ("SNAPSHOT", 2, None)


async def test_the_bill_ticks_without_any_change(
    stay: Stay, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stay_feed, "TICK_S_MIN", 0.02)
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        first = await update(client)
        assert first["session"]["bill"]["due"] == {"amountMinor": 0}
        assert first["session"]["bill"]["nextChangeAt"] is not None
        stay.api.lanes.wait(minutes=14)
        await stay.poke()
        tick = await update(client)
        assert brief(tick) == ("TICK", 2, None)
        assert tick["session"]["bill"]["due"] == {"amountMinor": 500}


async def test_a_lost_poke_is_made_up_for(
    stay: Stay, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stay_rounds, "SUBSCRIPTION_LOOK_S", 0.02)
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        await update(client)
        await stay.leave()
        assert brief(await update(client)) == ("CHANGE", 3, "GateOpened")


async def test_an_outage_of_the_database_is_waited_out(
    stay: Stay, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "SUBSCRIPTION_RETRY_S", 0.01)
    failures = 3
    read_watched = watched_stays.read_watched

    async def fail_at_first(context: ParkingContext, asked: Sequence[Asked]) -> list[Seen]:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise UnavailableError("PostgreSQL does not answer")
        return await read_watched(context, asked)

    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        await update(client)
        monkeypatch.setattr(watched_stays, "read_watched", fail_at_first)
        await stay.leave()
        await stay.poke()
        assert brief(await update(client)) == ("CHANGE", 3, "GateOpened")
        assert failures < 0


async def test_devices_of_one_driver_share_each_execution(
    stay: Stay, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed = 0
    execute = Engine._execute_update  # pyright: ignore[reportPrivateUsage]

    async def count(
        engine: Engine, prepared: Prepared, update: object, context: RequestContext
    ) -> str:
        nonlocal executed
        executed += 1
        return await execute(engine, prepared, update, context)

    monkeypatch.setattr(Engine, "_execute_update", count)
    phones = [signed_in_socket(address, await stay.api.token_of(stay.driver_id)) for _ in range(3)]
    async with phones[0] as first, phones[1] as second, phones[2] as other:
        for client, query in ((first, FOLLOW), (second, FOLLOW), (other, FOLLOW + "\n# another")):
            await client.subscribe("1", query, id=stay.id)
            await update(client)
        assert executed == 3
        await stay.api.lanes.rows_changed("UPDATE sessions SET version = 3")
        await stay.api.lanes.rows_changed("UPDATE outbox SET version = 3 WHERE version = 1")
        await stay.poke()
        told = [await update(client) for client in (first, second, other)]
        assert brief(told[0]) == ("CHANGE", 3, "SessionEntered")
        assert told == [told[0]] * 3
        # One for each document, however many devices.
        assert executed == 5


async def test_a_socket_that_waits_holds_nothing_that_it_was_told(stay: Stay, address: str) -> None:
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        await update(client)
        left: list[object] = [None]
        for _ in range(100):
            gc.collect()
            left = [one for one in gc.get_objects() if isinstance(one, SessionUpdate)]
            if not left:
                break
            await asyncio.sleep(0.01)
        assert left == []


async def test_flushing_valkey_loses_nothing(stay: Stay, address: str, valkey_url: str) -> None:
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        await update(client)
        with valkey_client(valkey_url) as valkey:
            valkey.flushall()
        await stay.leave()
        await stay.poke()
        assert brief(await update(client)) == ("CHANGE", 3, "GateOpened")


async def test_many_sockets_share_one_valkey_connection(stay: Stay, address: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        watching = [tasks.create_task(watch(stay, address)) for _ in range(SOCKETS_PER_DRIVER_MAX)]
        await stay.leave()
        # Repeated until everyone has heard: a poke before a subscription is nobody's.
        while not all(task.done() for task in watching):
            await stay.poke()
            await asyncio.sleep(0.05)
    assert [task.result() for task in watching] == [[3, 4]] * SOCKETS_PER_DRIVER_MAX


async def watch(stay: Stay, address: str) -> list[int]:
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id, after=2)
        versions: list[int] = []
        while versions[-1:] != [4]:
            found = await update(client)
            if found["reason"] == "CHANGE":
                versions.append(found["version"])
        return versions


async def refused(client: GraphQLSocket, operation_id: str = "1") -> Any:  # noqa: ANN401 - JSON
    found = (await client.data(operation_id))["sessionUpdated"]
    assert found["__typename"] == "Refused"
    assert await client.next() == {"id": operation_id, "type": "complete"}
    return found["code"]


async def test_somebody_elses_stay_answers_like_none(stay: Stay, address: str) -> None:
    _, thief = await stay.api.add_driver("ZZ99999")
    async with signed_in_socket(address, thief) as client:
        for wanted in (stay.id, encode_id("Session", uuid4())):
            await client.subscribe("1", FOLLOW, id=wanted)
            assert await refused(client) == "SESSION_UNKNOWN"
        await client.subscribe("1", FOLLOW, id="x")
        found = await update(client)
        assert (found["__typename"], found["code"]) == ("InvalidInput", "INVALID_INPUT")


async def test_signing_out_ends_a_running_subscription(stay: Stay, address: str) -> None:
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        await update(client)
        async with stay.api.lanes.context.database.begin() as unit:
            await drivers.end_all_sign_ins(unit, stay.driver_id)
        await stay.leave()
        await stay.poke()
        assert await refused(client) == "UNAUTHENTICATED"
        await client.subscribe("2", FOLLOW, id=stay.id)
        assert await refused(client, "2") == "UNAUTHENTICATED"


async def test_a_stay_that_is_no_longer_the_drivers(stay: Stay, address: str) -> None:
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        await update(client)
        await stay.api.lanes.rows_changed("DELETE FROM driver_stays")
        await stay.poke()
        assert await refused(client) == "SESSION_UNKNOWN"


async def test_sockets_that_vanish_leave_nothing_behind(stay: Stay, address: str) -> None:
    async with signed_in_socket(address, stay.token) as client:
        await client.subscribe("1", FOLLOW, id=stay.id)
        await update(client)
    before = len(asyncio.all_tasks())
    for _ in range(10):
        async with signed_in_socket(address, stay.token) as client:
            await client.subscribe("1", FOLLOW, id=stay.id)
            await update(client)
            client.connection.transport.abort()
    text = ""
    for _ in range(100):
        text = (await stay.api.http.get("/metrics")).text
        if "sesame_api_sockets 0.0" in text and len(asyncio.all_tasks()) <= before:
            break
        await asyncio.sleep(0.02)
    assert "sesame_api_sockets 0.0" in text
    assert len(asyncio.all_tasks()) <= before
    gc.collect()
    left = [one for one in gc.get_objects() if isinstance(one, stay_feed.StayFeed)]
    assert left == []
