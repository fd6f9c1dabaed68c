"""One lane with all that it stands on: street, network, bridge, disk, and a process that dies."""

import asyncio
from uuid import UUID

import orjson

from gate_bridge.agent.machines.contacts import ContactUse
from gate_bridge.agent.reports import Report
from tests.integration.gate_story.bridge import FENCE_S, Network, StoryBridge
from tests.integration.gate_story.judge import Judge
from tests.integration.gate_story.lane_process import LISTED, NUMBERS, LaneProcess, empty_disk
from tests.integration.gate_story.street import Faults, Street
from tests.integration.gate_story.virtual_time import VirtualLoop
from tests.money.dice import Dice

USES = (
    frozenset({ContactUse.LOOP}),
    frozenset({ContactUse.LOOP, ContactUse.EXIT_LOOP}),
    frozenset({ContactUse.LOOP, ContactUse.ARM_UP, ContactUse.ARM_DOWN}),
    frozenset({ContactUse.LOOP, ContactUse.EXIT_LOOP, ContactUse.ARM_UP, ContactUse.ARM_DOWN}),
)
OPERATOR = "Lee"


class Lane:
    """What a story acts on.

    Attributes:
        told: The story's log.
        written: Ids of all events that the journal ever held, in their order.
        passed: By which orders cars are said to have passed.
        hands: How many openings by hand the agent must have told of in the end.
    """

    def __init__(self, loop: VirtualLoop, dice: Dice) -> None:
        self.loop = loop
        self.dice = dice
        self.told: list[str] = []
        self.disk = empty_disk()
        self.street = Street(loop, dice.choose(USES))
        self.network = Network(loop, self._network_pause_s)
        self.judge = Judge(lambda: self.bridge, self.street, self.disk, LISTED, self._note_wrong)
        self.bridge = StoryBridge(
            loop, self.network, lambda: dice.choose(FENCE_S), self.judge.answered
        )
        self.network.taken = self.judge.took
        self.street.on_pulse = self._pulsed
        self.street.on_harm = self.judge.harmed
        self.process: LaneProcess | None = None
        self.hands = 0
        self.passed: list[str | None] = []
        self.written: list[str] = []
        self._is_written: set[str] = set()
        self.is_disk_slow = False
        self._is_mended = False
        self._numbers = 0
        self._written_hands = 0

    @property
    def running(self) -> LaneProcess | None:
        """The process, if it has begun to look after the lane."""
        process = self.process
        return process if process is not None and process.runs.is_set() else None

    def next_number(self) -> int:
        """Return a number that nothing had before."""
        self._numbers += 1
        assert self._numbers < NUMBERS
        return self._numbers

    def say(self, what: str) -> None:
        """Write something into the story's log."""
        self.told.append(f"{self.loop.time():.2f} {what}")

    def start(self) -> None:
        """Start a process; the one before is dead."""
        self.street.lives += 1
        self.process = LaneProcess(
            self.loop,
            f"process {self.next_number()}",
            self.disk,
            self.street,
            self.network,
            disk_pause_s=self._disk_pause_s,
            ahead_s=self.dice.choose((0.0, 600.0, -600.0)),
            report=self._hear,
        )
        self.process.disk.after_each = self._note_written
        self.process.start()

    async def kill(self) -> None:
        """End the process in the middle of whatever it does."""
        if self.process is not None:
            await self.process.kill()
            self.process = None
        # What it had only heard of is gone with it.
        self.hands = self._written_hands

    async def supervise(self) -> None:
        """Begin again with a process that ended by itself."""
        if self.process is None:
            self.start()
        elif self.process.has_failed:
            await self.kill()
            self.start()

    def mend(self) -> None:
        """End every trouble, for good."""
        self.network.is_up = self.bridge.has_database = self._is_mended = True
        self.network.thaw()
        self.disk.is_full = self.is_disk_slow = False
        self.street.faults = Faults()

    def open_by_hand(self) -> None:
        """Let a person open."""
        if self.running is not None:
            self.running.machine.opened_by_hand(OPERATOR, "ambulance")
            self.hands += 1
            self.street.raise_arm()

    def _disk_pause_s(self) -> float:
        slow = 6 if self.is_disk_slow else 1
        return self.dice.weigh(((0.001, 8), (0.05, 2), (0.6, slow)))

    def _network_pause_s(self) -> float:
        return 0.01 if self._is_mended else self.dice.weigh(((0.01, 8), (0.3, 2), (2.0, 1)))

    def _hear(self, report: Report) -> None:
        names = ("status", "reason", "kind", "error", "choice")
        words = [str(report.get(name)) for name in names]
        said = " ".join(word for word in words if word != "None")
        self.say(f"    {report['event']} {said}")

    def _note_wrong(self, what: str) -> None:
        self.say(f"    {what}")

    def _note_written(self) -> None:
        rows = self.disk.execute("SELECT event_id, body FROM events ORDER BY seq").fetchall()
        for event_id, body in rows:
            if event_id not in self._is_written:
                self._is_written.add(event_id)
                self.written.append(event_id)
                self._written_hands += f'"operator":"{OPERATOR}"' in body
                if '"kind":"passed"' in body:
                    self.passed.append(orjson.loads(body)["command_id"])

    def committed_hands(self) -> int:
        """Return how many openings by hand the bridge knows of."""
        return sum(event.get("operator") == OPERATOR for event in self.bridge.committed)

    def _pulsed(self, command_id: UUID) -> None:
        car = self.street.car
        self.say(f"    PULSE for {'nobody' if car is None else car.plate}")
        self.judge.pulsed(command_id)


async def seconds(count: int) -> None:
    """Let seconds go by, one after the other."""
    for _ in range(count):
        await asyncio.sleep(1.0)
