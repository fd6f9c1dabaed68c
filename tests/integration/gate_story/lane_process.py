"""One process of a lane's agent: the real one, on a disk, a relay and a network of the story."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from gate_bridge.agent import journal as journal_module
from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.gate_agent import GateAgent
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.machines.contacts import ContactUse, Wiring
from gate_bridge.agent.machines.machine import LaneMachine
from gate_bridge.agent.offline.edge_clock import Anchor, read_boot_id
from gate_bridge.agent.offline.store import OfflineStore, StoredPolicy
from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.pushed_pictures import PushedPictures
from gate_bridge.agent.reports import Report
from gate_bridge.agent.site.car_rules import Sighting
from gate_bridge.agent.site.car_watch import LoopWatch
from gate_bridge.agent.site.lane_desk import LaneDesk
from gate_bridge.drivers.port import CameraRead
from gate_bridge.loops import keep_running
from parking.kit.errors import ParkingError
from parking.offline.bundle import Right
from tests.factories.policies import ISSUED, LANE, listed, policy, signed
from tests.integration.gate_story.bridge import Network, StorySocket
from tests.integration.gate_story.street import Street, StreetRelay
from tests.integration.gate_story.virtual_time import OWNER, DiskThread, StoryDisk, VirtualLoop

LATE_S = 10.0
# More cars than ever come in one story.
NUMBERS = 200
PLATES = tuple(f"{kind}{number}" for kind in ("YB", "YL", "NL", "NB") for number in range(NUMBERS))
LISTED = frozenset(plate for plate in PLATES if plate[1] == "L")
POLICY = signed(policy({plate: listed(Right.PASS) for plate in sorted(LISTED)}, hours=72))


class StoryAgent(GateAgent):
    """An agent whose connections go over the story's network."""

    network: Network

    def _connect(self) -> Any:  # noqa: ANN401 - in the place of a websocket
        return StorySocket(self.network)


@dataclass
class WallClock:
    """A machine's clock that may be wrong."""

    loop: VirtualLoop
    ahead_s: float = 0.0

    def now(self) -> datetime:
        return ISSUED + timedelta(seconds=self.loop.time() + self.ahead_s)


def empty_disk() -> StoryDisk:
    """Return what a journal is kept on."""
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=StoryDisk)
    connection.executescript(journal_module._SCHEMA)  # pyright: ignore[reportPrivateUsage]
    return connection


class LaneProcess:
    """Runs until it is killed."""

    def __init__(
        self,
        loop: VirtualLoop,
        name: str,
        connection: StoryDisk,
        street: Street,
        network: Network,
        *,
        disk_pause_s: Callable[[], float],
        ahead_s: float,
        report: Callable[[Report], None],
    ) -> None:
        self._report = report
        self._loop = loop
        self.name = name
        self._street = street
        self._relay = StreetRelay(street)
        self.disk = DiskThread(loop, disk_pause_s)
        journal = Journal(connection, self.disk)
        self._store = OfflineStore(journal)
        self.clock = WallClock(loop, ahead_s)
        wiring = Wiring(uses=street.uses, is_passage_inferred=True)
        self.machine = LaneMachine(self._relay, wiring)
        self.agent = StoryAgent(
            AgentOptions(url="ws://localhost", lane_id=LANE, token="t", reconnect_s_max=5.0),
            journal,
            self.machine,
            lambda: None,
            self.clock,
            self._hear,
        )
        self.agent.network = network
        self.desk = LaneDesk(
            LoopWatch(),
            self.agent.state,
            self.machine,
            PushedPictures(),
            has_loop=True,
            relay=None,
            count=lambda _device, _what: None,
            steady=loop.time,
        )
        self.words: list[tuple[ContactUse, bool]] = []
        self.is_frozen = False
        self.has_failed = False
        self.runs = asyncio.Event()

    def start(self) -> None:
        token = OWNER.set(self.name)
        self._loop.create_task(self._run())
        OWNER.reset(token)

    async def kill(self) -> None:
        """End in the middle of whatever it does."""
        self.disk.is_unplugged = self._relay.is_unplugged = True
        self._street.tell = lambda _use, _is_on: None
        await self._loop.kill(self.name)

    def thaw(self, read_s: float) -> None:
        """Go on; what the devices told meanwhile is read after a moment."""
        token = OWNER.set(self.name)
        self._loop.create_task(self._read_words(read_s))
        OWNER.reset(token)

    def look(self, plate: str, seen_s: float, delay_s: float, read_id: str) -> None:
        """Let the camera's read of a car come in after a while."""
        token = OWNER.set(self.name)
        self._loop.create_task(self._sight(plate, seen_s, delay_s, read_id))
        OWNER.reset(token)

    async def _run(self) -> None:
        try:
            await self._serve()
        except JournalFullError:
            # Whatever runs the lane begins again.
            self.has_failed = True

    async def _serve(self) -> None:
        async with AsyncExitStack() as stack:
            await self._prepare()
            for use, is_on in self._street.contacts():
                self.machine.contact(use, is_on=is_on)
            self._street.tell = self._told
            await stack.enter_async_context(self.machine)
            await stack.enter_async_context(self.agent)
            self.desk.begin()
            self._loop.create_task(keep_running("desk", self.desk.run))
            self.runs.set()
            await asyncio.Event().wait()

    async def _prepare(self) -> None:
        await self._store.start()
        raw, signature, key = POLICY
        if await self._store.policy() is None:
            await self._store.store_policy(StoredPolicy(1, raw, signature), key)
            now_s = self._loop.time()
            at = ISSUED + timedelta(seconds=now_s)
            await self._store.save_anchor(Anchor(at, 0.1, now_s, at, read_boot_id()))

    def _told(self, use: ContactUse, is_on: bool) -> None:
        if self.is_frozen:
            self.words.append((use, is_on))
        else:
            self.machine.contact(use, is_on=is_on)

    async def _read_words(self, read_s: float) -> None:
        await asyncio.sleep(read_s)
        self.is_frozen = False
        words, self.words = self.words, []
        for use, is_on in words:
            self.machine.contact(use, is_on=is_on)

    async def _sight(self, plate: str, seen_s: float, delay_s: float, read_id: str) -> None:
        await asyncio.sleep(delay_s)
        read = CameraRead(plate=plate, confidence=0.97, captured_at=ISSUED, read_id=read_id)
        sighting = Sighting(
            device="camera",
            read=read,
            seen_s=seen_s,
            is_late=delay_s > LATE_S,
            message_id=uuid4(),
        )
        try:
            await self.desk.sight(sighting)
        except ParkingError:
            # The disk is full or the lane stands still: the intake would tell it later.
            return

    def _hear(self, report: Report) -> None:
        self._report(report)
        self.desk.hear(report)
