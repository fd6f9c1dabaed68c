"""What happens in a lane, by dice, and what must hold whatever happens."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson

from gate_bridge.agent.machines.contacts import ContactUse
from gate_bridge.agent.reports import Report
from tests.integration.gate_story.bridge import Network, StoryBridge
from tests.integration.gate_story.lane_process import LISTED, LaneProcess, empty_disk
from tests.integration.gate_story.street import Faults, Street
from tests.integration.gate_story.virtual_time import VirtualLoop
from tests.money.dice import Dice

USES = (
    frozenset({ContactUse.LOOP}),
    frozenset({ContactUse.LOOP, ContactUse.EXIT_LOOP}),
    frozenset({ContactUse.LOOP, ContactUse.ARM_UP, ContactUse.ARM_DOWN}),
    frozenset({ContactUse.LOOP, ContactUse.EXIT_LOOP, ContactUse.ARM_UP, ContactUse.ARM_DOWN}),
)
WAIT_S = (0.02, 0.2, 1.0, 3.0, 12.0, 40.0)
FREEZE_S = 2.6
CHANGE_S = 2.5
STANDS_S = 3.0
AWAY_S = 40.0
END_S = 70
HONEST_S = 300


class Story:
    """One lane's day."""

    def __init__(self, loop: VirtualLoop, dice: Dice) -> None:
        self.loop = loop
        self.dice = dice
        self.told: list[str] = []
        self.street = Street(loop, dice.choose(USES))
        self.street.on_pulse = self._pulsed
        self._is_mended = False
        self.network = Network(loop, self._network_pause_s)
        self.bridge = StoryBridge(loop, self.network)
        self.disk = empty_disk()
        self.process: LaneProcess | None = None
        self.wrong: list[str] = []
        self.written: list[str] = []
        self._is_written: set[str] = set()
        self._numbers = 0
        self._drives: set[asyncio.Task[None]] = set()

    async def tell(self, steps: int) -> None:
        """Let things happen, then mend everything and look whether all is well."""
        self.start()
        for _ in range(steps):
            await self._supervise()
            name, step = self.dice.weigh(self._steps())
            self.told.append(f"{self.loop.time():.2f} {name}")
            await step()
        await self._end()

    def start(self) -> None:
        self._numbers += 1
        self.process = LaneProcess(
            self.loop,
            f"process {self._numbers}",
            self.disk,
            self.street,
            self.network,
            disk_pause_s=lambda: self.dice.weigh(((0.001, 8), (0.05, 2), (0.6, 1))),
            ahead_s=self.dice.choose((0.0, 600.0, -600.0)),
            report=self._note,
        )
        self.process.disk.after_each = self._note_written
        self.process.start()

    async def _supervise(self) -> None:
        if self.process is not None and self.process.has_failed:
            await self.process.kill()
            self.start()

    def _steps(self) -> list[tuple[tuple[str, Callable[[], Any]], int]]:
        steps: list[tuple[tuple[str, Callable[[], Any]], int]] = [
            (("wait", self._wait), 30),
            (("ticks", self._ticks), 12),
            (("network", self._trouble_network), 8),
            (("database", self._trouble_database), 3),
            (("old order", self._resend), 8),
            (("relay", self._trouble_relay), 5),
            (("kill", self._kill), 5),
        ]
        if self.process is None or not self.process.runs.is_set():
            return steps
        if self.street.car is None:
            if self.loop.time() - self.street.left_s >= CHANGE_S:
                steps.append((("car", self._come), 30))
        else:
            steps += [(("read", self._read), 25), (("drive", self._drive), 16)]
            if self.loop.time() - self.street.came_s >= STANDS_S:
                steps += [(("back out", self._back_out), 5), (("next car", self._next_car), 6)]
        steps += [(("freeze", self._freeze), 3), (("hand", self._hand), 1)]
        return steps

    async def _wait(self) -> None:
        await asyncio.sleep(self.dice.choose(WAIT_S))

    async def _ticks(self) -> None:
        for _ in range(self.dice.choose(range(1, 12))):
            await asyncio.sleep(0)

    async def _come(self) -> None:
        self._numbers += 1
        kind = self.dice.weigh((("YB", 4), ("YL", 3), ("NL", 2), ("NB", 1)))
        # Each car once: whoever is let in twice is another car.
        self.street.come(f"{kind}{self._numbers % 1000}")
        if self.dice.weigh(((True, 3), (False, 1))):
            await self._read()

    async def _read(self) -> None:
        car, process = self.street.car, self.process
        if car is None or process is None or not process.runs.is_set():
            return
        delay_s = self.dice.weigh(((0.1, 10), (2.0, 2), (4.0, 1), (15.0, 1)))
        read_id = self.dice.choose(("1", "2"))
        process.look(car.plate, self.loop.time(), delay_s, f"{car.plate} {read_id}")

    async def _drive(self) -> None:
        task = self.loop.create_task(self.street.drive_through())
        self._drives.add(task)
        task.add_done_callback(self._drives.discard)
        await asyncio.sleep(1.0)

    async def _back_out(self) -> None:
        if self.street.car is not None:
            self.street.back_out()

    async def _next_car(self) -> None:
        await self._back_out()
        await asyncio.sleep(CHANGE_S)
        if self.street.car is None:
            await self._come()

    async def _trouble_network(self) -> None:
        match self.dice.choose(("cut", "up", "freeze", "thaw", "drop")):
            case "cut":
                self.network.is_up = False
                self.network.drop()
            case "up":
                self.network.is_up = True
            case "freeze":
                self.network.is_frozen = True
            case "thaw":
                self.network.thaw()
            case _:
                self.network.drop()

    async def _trouble_database(self) -> None:
        self.bridge.has_database = not self.bridge.has_database

    async def _resend(self) -> None:
        sent = [
            message
            for orders in self.bridge.orders.values()
            for order in orders
            for message in order.sends
        ]
        if sent:
            self.bridge.resend(self.dice.choose(sent[-6:]))

    async def _trouble_relay(self) -> None:
        slow = self.dice.choose((0.02, 0.02, 0.5, 1.4))
        self.street.faults = self.dice.choose(
            (
                Faults(),
                Faults(before_s=slow),
                Faults(after_s=slow),
                Faults(refuses=True),
                Faults(silent_before=True, after_s=slow),
                Faults(silent_after=True, after_s=slow),
                Faults(jammed=True),
            )
        )

    async def _kill(self) -> None:
        """End the process in the middle; cars change places only where it is away for long."""
        if self.process is not None:
            await self.process.kill()
        if self.dice.choose((False, True)):
            await asyncio.sleep(1.0)
            if self.street.car is not None:
                self.street.back_out()
            await asyncio.sleep(AWAY_S)
            await self._come()
        self.start()

    async def _freeze(self) -> None:
        """Let the machine stand still while the world goes on."""
        if self.process is None:
            return
        self.process.is_frozen = True
        if self.street.car is not None and self.dice.choose((True, False)):
            self.street.back_out()
            self.loop.now_s += CHANGE_S
            self._numbers += 1
            self.street.come(f"YB{self._numbers % 1000}")
        self.loop.now_s += FREEZE_S
        self.process.is_frozen = False
        # What waited in its sockets is read before anything else happens to it.
        await asyncio.sleep(0.1)

    async def _hand(self) -> None:
        if self.process is not None and self.process.runs.is_set():
            self.process.open_by_hand()
            self.street.raise_arm()

    async def _end(self) -> None:
        """Mend everything; an honest car is let in, and everything is told."""
        assert self.wrong == []
        self.network.is_up = self.bridge.has_database = self._is_mended = True
        self.network.thaw()
        self.street.faults = Faults()
        if self.process is None:
            self.start()
        if self.street.car is not None:
            self.street.back_out()
        for _ in range(END_S):
            await asyncio.sleep(1.0)
            await self._supervise()
        for _ in range(HONEST_S):
            if self.process is not None and self.process.runs.is_set():
                break
            await asyncio.sleep(1.0)
        await asyncio.sleep(END_S)
        await self._honest_car()
        for _ in range(END_S):
            await asyncio.sleep(1.0)
        [[left]] = self.disk.execute("SELECT count(*) FROM events")
        [[refused]] = self.disk.execute("SELECT count(*) FROM refused_events")
        assert (left, refused) == (0, 0)
        assert [event["event_id"] for event in self.bridge.committed] == self.written
        assert [event["seq"] for event in self.bridge.committed] == list(
            range(1, len(self.written) + 1)
        )
        self._check_presentations()
        assert self.wrong == []
        assert self.process is not None
        await self.process.kill()

    async def _honest_car(self) -> None:
        car = self.street.come("YB999x")
        await self._read_plainly()
        for _ in range(HONEST_S):
            if car.pulses:
                break
            await asyncio.sleep(1.0)
        assert len(car.pulses) == 1, f"an honest car waits: {car} {self._looks()}"
        self.street.raise_arm()
        await self.street.drive_through()

    def _looks(self) -> str:
        last = self.bridge.committed[-3:]
        orders = list(self.bridge.orders.values())[-1:]
        answers = [order.answer for held in orders for order in held]
        [[left]] = self.disk.execute("SELECT count(*) FROM events")
        return f"{left} events wait; the last orders: {answers}; the last events: {last}"

    async def _read_plainly(self) -> None:
        assert self.process is not None
        await asyncio.sleep(1.0)
        self.process.look("YB999x", self.loop.time(), 0.1, "the last")

    def _check_presentations(self) -> None:
        standing: str | None = None
        for event in self.bridge.committed:
            if event["action"] != "Presentation":
                continue
            if event["state"] == "occupied":
                assert standing is None
                standing = event["presentation_id"]
            else:
                assert standing == event["presentation_id"]
                standing = None
        assert standing is None

    def _network_pause_s(self) -> float:
        return 0.01 if self._is_mended else self.dice.weigh(((0.01, 8), (0.3, 2), (2.0, 1)))

    def _note(self, report: Report) -> None:
        words = [str(report.get(name)) for name in ("status", "reason", "kind", "error", "choice")]
        said = " ".join(word for word in words if word != "None")
        self.told.append(f"{self.loop.time():.2f}     {report['event']} {said}")

    def _note_written(self) -> None:
        rows = self.disk.execute("SELECT event_id FROM events ORDER BY seq").fetchall()
        new = [event_id for [event_id] in rows if event_id not in self._is_written]
        self.written += new
        self._is_written.update(new)

    def _pulsed(self, command_id: UUID) -> None:
        car = self.street.car
        order = self.bridge.order(command_id)
        if car is None:
            self._wrong("the arm rises for nobody")
            return
        plate = self._plate_decided_on(command_id) if order is None else order.plate
        if plate != car.plate or (order is None and plate not in LISTED):
            self._wrong(f"the arm rises for {car.plate}, and not for {plate}")
        if order is not None and self.bridge.now() > order.ends_at:
            self._wrong("the order has run out")
        if len(car.pulses) > car.harmed and not self.street.faults.jammed:
            self._wrong("the arm rises again for one car")

    def _wrong(self, what: str) -> None:
        """Note what must not be: whoever pulses would take an exception for a fault of its own."""
        self.told.append(f"{self.loop.time():.2f}     WRONG: {what}")
        self.wrong.append(what)

    def _plate_decided_on(self, command_id: UUID) -> str:
        rows = self.disk.execute("SELECT body FROM events").fetchall()
        events = [orjson.loads(body) for [body] in rows] + self.bridge.committed
        [decision] = [
            event
            for event in events
            if event.get("command_id") == str(command_id) and "observation_id" in event
        ][:1]
        [plate] = {
            event["plate"] for event in events if event["event_id"] == decision["observation_id"]
        }
        return str(plate)
