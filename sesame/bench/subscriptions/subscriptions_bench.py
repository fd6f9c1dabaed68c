"""`sesame bench subscriptions`: thousands of sockets on one process of the API."""

import asyncio
import os
import random
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from api.global_ids import encode_id
from parking.events.pokes import Poke, place_channel, session_channel
from parking.flows.context import ParkingContext
from sesame.bench.cpu_time import processor_us
from sesame.bench.errors import BenchFailedError
from sesame.bench.figures import spread
from sesame.bench.gates.children import Child, child, resident_kib
from sesame.bench.gates.open_files import raise_open_files
from sesame.bench.installation import Migrate, started_stack, without_settings
from sesame.bench.machine import this_machine
from sesame.bench.subscriptions import peer
from sesame.bench.subscriptions.ground import Ground, change_stay, count_car, furnish
from sesame.bench.subscriptions.question import ROOM, STAY
from sesame.bench.subscriptions.report import Gathering, SubscriptionsReport, Told
from sesame.installation import Installation, install, own_ports, read_settings
from sesame.processes import application_processes
from sesame.supervisor import Supervisor
from sesame.wiring import open_context, token_issuer

SOCKETS: Final = 5000
MANY: Final = 1000
EVENTS_OF_ONE: Final = 300
EVENTS_OF_MANY: Final = 10
WARM_UP: Final = 100
# Longer than the API waits before it tells of the same place again.
BETWEEN_EVENTS_OF_MANY_S: Final = 1.2
BETWEEN_EVENTS_OF_ONE_S: Final = 0.01
SETTLE_S: Final = 2.0
_MODULE: Final = "sesame.bench.subscriptions.phones"
_API: Final = "api"
_SEED: Final = 7


@dataclass(frozen=True, slots=True)
class SubscriptionsPlan:
    """What to measure.

    Attributes:
        sockets: Drivers who watch their own stay, each on a socket.
        many: Drivers who watch one place.
        folder: Where to make the temporary data folder; the system's place if None.
    """

    sockets: int = SOCKETS
    many: int = MANY
    events_of_one: int = EVENTS_OF_ONE
    events_of_many: int = EVENTS_OF_MANY
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class _Stage:
    context: ParkingContext
    installation: Installation
    supervisor: Supervisor
    ground: Ground
    tokens: Sequence[str]
    phones: Child
    peer_port: int

    @property
    def api_port(self) -> int:
        return int(self.installation.environment["SESAME_API_PORT"])

    async def connect(self, port: int, query: str, ids: Sequence[str]) -> dict[str, Any]:
        """Connect a phone for each id; returns once all have their first message."""
        phones = [
            {"token": token, "variables": {"id": one}}
            for token, one in zip(self.tokens, ids, strict=False)
        ]
        order = {"do": "connect", "port": port, "query": query, "phones": phones}
        answer = await self.phones.ask(order)
        if answer["connected"] != len(ids):
            raise BenchFailedError(f"{answer['connected']} of {len(ids)} connected")
        return answer

    async def hear(self, which: Sequence[int], act: Callable[[], Awaitable[object]]) -> list[float]:
        """Return how long after the act's poke each of some phones heard of it, in ms."""
        await self.phones.ask({"do": "arrive", "which": which})
        poked_ns = await act()
        answer: Mapping[str, Any] = await self.phones.answer()
        if not isinstance(poked_ns, int):
            raise TypeError("act: expected when it poked")
        return [(arrived - poked_ns) / 1e6 for arrived in answer["arrived_ns"]]

    async def poke(self, channel: str) -> int:
        """Poke; returns when."""
        poked_ns = time.monotonic_ns()
        if not await self.context.bus.publish([(channel, Poke(uuid4(), "Bench"))]):
            raise BenchFailedError("Valkey did not take a poke")
        return poked_ns


async def measure_subscriptions(
    plan: SubscriptionsPlan, migrate: Migrate, on_step: Callable[[str], None]
) -> SubscriptionsReport:
    """Run the bench on servers of its own.

    Raises:
        ParkingError: a server does not start, or a message did not come.
    """
    started_s = time.monotonic()
    raise_open_files(plan.sockets)
    machine = this_machine(plan.folder or Path(tempfile.gettempdir()))
    async with _staged(plan, migrate, on_step) as stage:
        await _gather(stage, min(WARM_UP, plan.sockets))
        on_step(f"{plan.sockets} drivers watch their stays")
        first = await _gather(stage, plan.sockets)
        on_step("all of them again")
        one: list[Told] = []

        async def tell_one() -> None:
            on_step("one of them is told")
            one.append(await _tell_one(stage, plan))

        again = await _gather(stage, plan.sockets, tell_one)
        on_step(f"{plan.many} are told of a place")
        many = await _tell_many(stage, plan, stage.api_port, _API)
        absent = peer.why_absent()
        beside: Told | None = None
        if absent is None:
            on_step("the same at a graphql-ws server")
            spec = peer.peer(stage.installation, stage.peer_port, stage.ground.place_id)
            await stage.supervisor.start(spec)
            beside = await _tell_many(stage, plan, stage.peer_port, peer.NAME)
    return SubscriptionsReport(
        machine=machine,
        first=first,
        again=again,
        one=one[0],
        many=many,
        peer=beside,
        peer_absent=absent,
        seconds=time.monotonic() - started_s,
    )


async def _gather(
    stage: _Stage, sockets: int, meanwhile: Callable[[], Awaitable[None]] | None = None
) -> Gathering:
    pid = stage.supervisor.pid(_API)
    watchers = stage.ground.watchers[:sockets]
    ids = [encode_id("Session", watcher.session_id) for watcher in watchers]
    before_kib, before_us = resident_kib(pid), processor_us(pid)
    answer = await stage.connect(stage.api_port, STAY, ids)
    used_us = processor_us(pid) - before_us
    await asyncio.sleep(SETTLE_S)
    with_all_kib = resident_kib(pid)
    if meanwhile is not None:
        await meanwhile()
    await stage.phones.ask({"do": "leave"})
    await asyncio.sleep(SETTLE_S)
    return Gathering(
        sockets=sockets,
        seconds=answer["seconds"],
        processor_ms=used_us / 1000 / sockets,
        before_kib=before_kib,
        with_all_kib=with_all_kib,
        after_kib=resident_kib(pid),
    )


async def _tell_one(stage: _Stage, plan: SubscriptionsPlan) -> Told:
    dice = random.Random(_SEED)  # noqa: S311 - a choice that is the same each time
    heard: list[list[float]] = []
    pid = stage.supervisor.pid(_API)
    before_us = processor_us(pid)
    for _ in range(plan.events_of_one):
        number = dice.randrange(plan.sockets)
        session_id = stage.ground.watchers[number].session_id

        async def act(session_id: UUID = session_id) -> int:
            await change_stay(stage.context, stage.ground, session_id)
            return await stage.poke(session_channel(session_id))

        heard.append(await stage.hear([number], act))
        await asyncio.sleep(BETWEEN_EVENTS_OF_ONE_S)
    return _told(heard, plan.sockets, processor_us(pid) - before_us)


async def _tell_many(stage: _Stage, plan: SubscriptionsPlan, port: int, process: str) -> Told:
    place = encode_id("Place", stage.ground.operator_id, stage.ground.place_id)
    await stage.connect(port, ROOM, [place] * plan.many)
    pid = stage.supervisor.pid(process)
    everybody = list(range(plan.many))

    async def act() -> int:
        await count_car(stage.context, stage.ground)
        return await stage.poke(place_channel(stage.ground.place_id))

    heard: list[list[float]] = []
    used_us = 0.0
    for number in range(plan.events_of_many + 1):
        await asyncio.sleep(BETWEEN_EVENTS_OF_MANY_S)
        before_us = processor_us(pid)
        arrived = await stage.hear(everybody, act)
        # The first one warms up.
        if number:
            heard.append(arrived)
            used_us += processor_us(pid) - before_us
    await stage.phones.ask({"do": "leave"})
    return _told(heard, plan.many, used_us)


def _told(heard: Sequence[Sequence[float]], sockets: int, used_us: float) -> Told:
    every = [one for event in heard for one in event]
    each, last = spread(every), spread(max(event) for event in heard)
    if each is None or last is None:
        raise BenchFailedError("nothing was told")
    return Told(len(heard), sockets, each, last, used_us / len(every))


@asynccontextmanager
async def _staged(
    plan: SubscriptionsPlan, migrate: Migrate, on_step: Callable[[str], None]
) -> AsyncGenerator[_Stage]:
    async with AsyncExitStack() as undo:
        stack = await started_stack(undo, plan.folder, on_step)
        await migrate(stack.endpoints.database_url)
        given = without_settings(os.environ)
        installation = install(stack.folder, stack.endpoints, given | own_ports(stack.folder))
        settings = read_settings(installation.environment)
        context = await undo.enter_async_context(open_context(settings))
        on_step("drivers and their stays")
        ground = await furnish(context, max(plan.sockets, plan.many))
        issuer = token_issuer(settings)
        tokens = [
            issuer.issue_driver(watcher.driver_id, watcher.sign_in_id)[0]
            for watcher in ground.watchers
        ]
        supervisor = await undo.enter_async_context(Supervisor(stack.folder.logs()))
        (api,) = (each for each in application_processes(installation) if each.name == _API)
        on_step(_API)
        await supervisor.start(api)
        phones = await undo.enter_async_context(child(_MODULE, plan.sockets))
        port = stack.folder.port("BENCH_GRAPHQL_WS")
        yield _Stage(context, installation, supervisor, ground, tokens, phones, port)
