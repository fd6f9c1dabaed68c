"""Sockets that vanish at any moment leave nothing behind, however many.

They are driven through ASGI, so that only our own work takes time. `sesame bench subscriptions`
does it with more than ten thousand over TCP, and looks at the process's memory.
"""

import asyncio
import gc
import json
from collections.abc import Mapping
from contextvars import Context
from functools import partial
from itertools import cycle, islice
from types import BuiltinFunctionType
from typing import Any, Final, cast
from uuid import UUID
from weakref import ReferenceType

from api.application import Application
from api.config import SOCKETS_PER_DRIVER_MAX, ApiConfig
from api.global_ids import encode_id
from api.graphql.websocket import GraphQLSocket, SocketEndpoint
from api.subscriptions.feed import Feed
from api.subscriptions.watch import Watch
from tests.factories.api import ApiWorld

SOCKETS: Final = 600
WARM_UP: Final = 200
WAIT_S: Final = 20
STAY: Final = "subscription S($id: ID!) { sessionUpdated(sessionId: $id) { __typename } }"
BILL: Final = "subscription B($id: ID!) { billUpdated(sessionId: $id) { __typename } }"
ROOM: Final = "subscription R($id: ID!) { availabilityChanged(placeId: $id) { __typename } }"
INBOX: Final = "subscription I { notificationReceived(afterNumber: 0) { __typename } }"
# After which message of ours the socket is gone; 0 means before its greeting.
LAST_HEARD: Final = ("websocket.accept", "connection_ack", "subscribed", "next")


class Vanishing:
    """A socket of a client that is gone after a certain message."""

    def __init__(self, token: str, query: str, variables: Mapping[str, str], last: str) -> None:
        self._token = token
        self._payload = {"query": query, "variables": variables}
        self._last = last
        self._coming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._coming.put_nowait({"type": "websocket.connect"})

    async def receive(self) -> dict[str, Any]:
        return await self._coming.get()

    async def send(self, message: Mapping[str, Any]) -> None:
        told = message["type"]
        if told == "websocket.send":
            told = json.loads(message["text"])["type"]
        if told == self._last:
            self._vanish()
        elif told == "websocket.accept":
            greeting = {"Authorization": f"Bearer {self._token}"}
            self._say({"type": "connection_init", "payload": greeting})
        elif told == "connection_ack":
            self._say({"type": "subscribe", "id": "1", "payload": self._payload})
            if self._last == "subscribed":
                self._vanish()

    def _say(self, message: object) -> None:
        self._coming.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def _vanish(self) -> None:
        self._coming.put_nowait({"type": "websocket.disconnect", "code": 1006})


def endpoint_of(api: ApiWorld) -> SocketEndpoint:
    return cast("Application", api.app).sockets


def config_of(endpoint: SocketEndpoint) -> ApiConfig:
    opening = cast("partial[object]", endpoint._open_context)  # pyright: ignore[reportPrivateUsage]
    return cast("ApiConfig", opening.keywords["config"])


def left_behind() -> list[object]:
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, (GraphQLSocket, Watch, Feed))]


def held() -> int:
    # A loop keeps timers that were cancelled until they are many; their contexts, and the weak
    # references of tasks, come and go with them.
    gc.collect()
    passing = (asyncio.TimerHandle, Context, ReferenceType, BuiltinFunctionType)
    return sum(not isinstance(one, passing) for one in gc.get_objects())


async def connect(api: ApiWorld, client: Vanishing, number: int) -> None:
    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "subprotocols": ["graphql-transport-ws"],
        "client": (f"10.0.{number % 250}.1", 50000),
        "server": ("127.0.0.1", 80),
        "scheme": "ws",
        "state": {},
    }
    async with asyncio.timeout(WAIT_S):
        await api.app(scope, client.receive, client.send)  # pyright: ignore[reportArgumentType]


async def vanish(api: ApiWorld, clients: list[Vanishing]) -> None:
    """Let SOCKETS_PER_DRIVER_MAX of them be there at once."""
    waiting = iter(enumerate(clients))

    async def connect_some() -> None:
        for number, client in waiting:
            await connect(api, client, number)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(SOCKETS_PER_DRIVER_MAX):
            tasks.create_task(connect_some())


async def clients_of(api: ApiWorld, driver_id: UUID, session_id: UUID) -> list[Vanishing]:
    token = await api.token_of(driver_id)
    lane = api.lanes.entry
    stay: dict[str, str] = {"id": encode_id("Session", session_id)}
    place: dict[str, str] = {"id": encode_id("Place", lane.operator_id, lane.place_id)}
    asked: list[tuple[str, dict[str, str]]] = [
        (STAY, stay),
        (BILL, stay),
        (ROOM, place),
        (INBOX, {}),
        ("{ viewer { id } }", {}),
        ("no document", {}),
    ]
    kinds = cycle([(query, values, last) for query, values in asked for last in LAST_HEARD])
    return [
        Vanishing(token, query, values, "error" if query == "no document" else last)
        for query, values, last in islice(kinds, SOCKETS)
    ]


async def test_nothing_is_left_of_sockets_that_vanish(api: ApiWorld) -> None:
    driver_id, _ = await api.add_driver()
    await api.lanes.permit(driver_id)
    session_id = await api.lanes.drive_in()
    warm_up = (await clients_of(api, driver_id, session_id))[:WARM_UP]
    endpoint = endpoint_of(api)
    shared = config_of(endpoint).shared
    subscription: Any = api.lanes.context.bus._subscription  # pyright: ignore[reportPrivateUsage]
    # What is made once, and kept: connections, caches, the reads that are gathered.
    await vanish(api, warm_up)
    del warm_up
    assert left_behind() == []
    tasks, things, objects = len(asyncio.all_tasks()), len(shared), held()
    await vanish(api, await clients_of(api, driver_id, session_id))
    assert left_behind() == []
    assert len(asyncio.all_tasks()) == tasks
    assert len(shared) == things
    assert endpoint.places.sockets == endpoint.places.unacknowledged == 0
    assert not endpoint.places._by_address  # pyright: ignore[reportPrivateUsage]
    assert not endpoint.places._by_driver  # pyright: ignore[reportPrivateUsage]
    assert subscription._topics == {}
    # Nothing is kept of each. A connection to PostgreSQL more is a hundred objects.
    assert held() - objects < SOCKETS / 3
