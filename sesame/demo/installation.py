"""The whole installation of the demo: every server and process, and clients to play with them."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import UUID

from parking.flows.context import ParkingContext
from sesame.demo.desk import ProviderDesk
from sesame.demo.gate_agents import gate_agent
from sesame.demo.gate_site import GateSite
from sesame.demo.graphql_client import STAFF_PATH, GraphQLClient
from sesame.demo.inboxes import PushInbox, SmsInbox
from sesame.demo.lane import LaneClient, Report
from sesame.demo.phone import Phone
from sesame.demo.providers import ACQUIRER
from sesame.demo.town import QUAY, Town, settle
from sesame.embedded.stack import DATABASE_SETTING, REDIS_SETTING, Stack
from sesame.installation import Installation, install, own_ports, read_settings
from sesame.migration import migrate
from sesame.process_spec import ProcessSpec
from sesame.processes import application_processes
from sesame.sandbox.processes import Site, StandIn, prepare, with_stand_ins
from sesame.settings import Settings
from sesame.supervisor import Echo, Supervisor
from sesame.wiring import open_context, token_issuer

TOWN_FILE: Final = "town.json"
CONNECTIONS_MAX: Final = 4
STAFF_NAME: Final = "Demo staff"
FCM: Final = "fcm"
SMS: Final = "sms"

ReportListener = Callable[[str, Report], None]
ChildListener = Callable[[str, str], None]
StepListener = Callable[[str], None]


def _ignore(*_told: object) -> None:
    return


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what happens.

    Attributes:
        on_line: Called with a child's name and each line of its log.
        on_report: Called with a lane's key and each report of its agent.
        on_child: Called with a child's name and `starting` or `up`.
        on_step: Called with what is being started.
    """

    on_line: Echo = _ignore
    on_report: ReportListener = _ignore
    on_child: ChildListener = _ignore
    on_step: StepListener = _ignore


class DemoInstallation:
    """Everything that runs, for the length of an `async with`.

    The children are a stand-in for each provider, `fcm`, `sms`, `api`, `gates`, `recognizer`,
    `worker`, one agent for each lane under the lane's key, such as `riverside-entry`, and, where
    asked for, one for both lanes with devices of their own, `quay`.

    Attributes:
        supervisor: Kills, freezes and wakes children by name.
        context: The domain on the same database, to look at what the processes did.
        stack: PostgreSQL and Valkey.
        town: Places and lanes.
        desks: The providers' stand-ins by name.
        settings: What the application's processes read.
        pushes: What the FCM stand-in delivered.
        sockets: Folder with a control socket for each lane, named as the lane.
        frozen: Names of children that do not move at this moment.
        site: The lanes with devices of their own, if they run.
    """

    supervisor: Supervisor
    context: ParkingContext
    stack: Stack
    town: Town
    desks: dict[str, ProviderDesk]
    settings: Settings
    pushes: PushInbox
    api_url: str
    gates_url: str
    sockets: str

    def __init__(
        self,
        data: Path,
        *,
        durable: bool = True,
        providers: Sequence[str] = (ACQUIRER,),
        given: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        agent_options: Sequence[str] = (),
        has_site: bool = False,
        listeners: Listeners | None = None,
    ) -> None:
        """Prepare; nothing starts yet.

        Args:
            data: The data folder, kept for the next time.
            durable: False for throw-away data; see `Stack`.
            providers: Whose stand-ins to start.
            given: The environment to start from; this process's own if None.
            settings: What differs from the demo's own settings.
            agent_options: Further options of every `sesame gate-agent`.
            has_site: Whether the lanes with devices of their own run, too.
            listeners: Told what happens; nobody if None.
        """
        self._data = data
        self._durable = durable
        self._providers = providers
        self._given = _without_own_settings(os.environ if given is None else given)
        self._settings = settings or {}
        self._agent_options = agent_options
        self._listeners = listeners or Listeners()
        self._has_site = has_site
        self.site: GateSite | None = None
        self._lanes: dict[str, LaneClient] = {}
        self._children: list[str] = []
        self.frozen: set[str] = set()
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as undo:
            await self._start(undo)
            self._exit = undo.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._exit.aclose()

    @property
    def desk(self) -> ProviderDesk:
        """Return the acquirer's stand-in."""
        return self.desks[ACQUIRER]

    def lane(self, key: str) -> LaneClient:
        """Return the client of a lane's agent."""
        return self._lanes[key]

    def phone(self, owner: str) -> Phone:
        """Return somebody's phone; the same owner has the same number each time."""
        keychain = self.stack.folder.root / "phones"
        return Phone(self.api_url, keychain, owner, self._sms)

    @asynccontextmanager
    async def staff(self, operator_id: UUID) -> AsyncGenerator[GraphQLClient]:
        """Let somebody who works for an operator use the staff's API."""
        client = GraphQLClient(self.api_url, STAFF_PATH)
        client.token, _ = self._tokens.issue_staff(operator_id, STAFF_NAME)
        try:
            yield client
        finally:
            await client.close()

    @property
    def children(self) -> Sequence[str]:
        """Return the names of the children that were started."""
        return self._children

    def freeze(self, name: str) -> None:
        """Stop a child where it stands; raises as `Supervisor.send`."""
        self.supervisor.send(name, signal.SIGSTOP)
        self.frozen.add(name)

    def thaw(self, name: str) -> None:
        """Let a frozen child go on; raises as `Supervisor.send`."""
        self.supervisor.send(name, signal.SIGCONT)
        self.frozen.discard(name)

    @property
    def lanes(self) -> Mapping[str, LaneClient]:
        """Return the clients of all lanes."""
        return self._lanes

    async def _start(self, undo: AsyncExitStack) -> None:
        self._listeners.on_step("PostgreSQL and Valkey")
        self.stack = Stack(self._data, durable=self._durable, settings=self._given)
        undo.push_async_callback(asyncio.to_thread, self.stack.stop)
        # In a thread, so that a signal is heard meanwhile; a start that was begun is finished.
        starting = asyncio.create_task(asyncio.to_thread(self.stack.start))
        undo.push_async_callback(asyncio.wait, {starting})
        await asyncio.shield(starting)
        self.supervisor = Supervisor(self.stack.folder.logs(), self._on_line)
        await undo.enter_async_context(self.supervisor)
        installation, outside = self._install()
        self.api_url, self.gates_url = installation.api_url, installation.gates_url
        self._listeners.on_step("stand-ins and the database's schema")
        await asyncio.gather(
            migrate(self.stack.endpoints.database_url),
            *(self._start_child(stand_in.spec) for stand_in in outside.values()),
        )
        await self._open_clients(undo, installation, outside)
        self._listeners.on_step("API, gate bridge, recognizer, worker and the agents of the lanes")
        self.town = await settle(
            self.context.database, self.stack.folder.root / "secrets" / TOWN_FILE
        )
        await self._start_processes(undo, installation)

    def _install(self) -> tuple[Installation, dict[str, StandIn]]:
        folder = self.stack.folder
        given = dict(self._given)
        if not self._durable:
            given |= own_ports(folder)
        plain = install(folder, self.stack.endpoints, given)
        site = Site(folder, plain.environment, plain.api_url)
        prepared = prepare(site, (*self._providers, FCM, SMS))
        environment = {**with_stand_ins(plain.environment, prepared), **self._settings}
        return Installation(environment, plain.api_url, plain.gates_url), prepared

    async def _open_clients(
        self, undo: AsyncExitStack, installation: Installation, outside: dict[str, StandIn]
    ) -> None:
        self.settings = read_settings(installation.environment)
        self._tokens = token_issuer(self.settings)
        self.context = await undo.enter_async_context(
            open_context(self.settings, connections_max=CONNECTIONS_MAX)
        )
        self.desks = {name: ProviderDesk(name, outside[name].url) for name in self._providers}
        self.pushes = PushInbox(outside[FCM].url)
        self._sms = SmsInbox(outside[SMS].url)
        for client in (*self.desks.values(), self.pushes, self._sms):
            undo.push_async_callback(client.close)

    async def _start_processes(self, undo: AsyncExitStack, installation: Installation) -> None:
        agents = await self._open_lanes(undo, installation)
        if self._has_site:
            agents.append(await self._open_site(undo, installation))
        try:
            async with asyncio.TaskGroup() as group:
                for spec in application_processes(installation):
                    # An agent that comes before its bridge waits longer between its tries.
                    followers = agents if spec.name == "gates" else ()
                    group.create_task(self._start_with(spec, followers))
        except ExceptionGroup as failures:
            # One process that does not start is the reason; the others only stopped with it.
            raise failures.exceptions[0] from failures

    async def _start_with(self, spec: ProcessSpec, followers: Sequence[ProcessSpec]) -> None:
        await self._start_child(spec)
        await asyncio.gather(*(self._start_child(follower) for follower in followers))

    async def _start_child(self, spec: ProcessSpec) -> None:
        self._listeners.on_child(spec.name, "starting")
        await self.supervisor.start(spec)
        self._children.append(spec.name)
        self._listeners.on_child(spec.name, "up")

    async def _open_lanes(
        self, undo: AsyncExitStack, installation: Installation
    ) -> list[ProcessSpec]:
        # Not in the data folder: the path of a socket has room for about a hundred bytes.
        sockets = Path(tempfile.mkdtemp(prefix="sesame-"))
        undo.callback(shutil.rmtree, sockets, ignore_errors=True)
        self.sockets = str(sockets)
        for lane in self.town.played_lanes:
            client = LaneClient(lane.key, sockets / lane.key, self._listeners.on_report)
            self._lanes[lane.key] = await undo.enter_async_context(client)
        return [
            gate_agent(
                lane,
                folder=self.stack.folder.root / "lanes" / str(lane.lane_id),
                socket=sockets / lane.key,
                gates_url=self.gates_url,
                environment=installation.environment,
                options=self._agent_options,
            )
            for lane in self.town.played_lanes
        ]

    async def _open_site(self, undo: AsyncExitStack, installation: Installation) -> ProcessSpec:
        place, root = self.town.place(QUAY), self.stack.folder.root
        site = GateSite(place, self.context.clock, self.gates_url, self._listeners.on_report)
        await undo.enter_async_context(
            site.open(root / "lanes" / str(place.place_id), installation.environment)
        )
        self.site = site
        return site.spec

    def _on_line(self, name: str, line: str) -> None:
        if self.site is not None and name == QUAY:
            self.site.hear(line)
        self._listeners.on_line(name, line)


def _without_own_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment less SESAME_…: the demo must never reach a real service."""
    kept = {DATABASE_SETTING, REDIS_SETTING}
    return {
        name: value
        for name, value in environment.items()
        if name in kept or not name.startswith("SESAME_")
    }
