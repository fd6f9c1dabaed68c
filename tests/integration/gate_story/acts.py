"""What may happen next in a lane: one thing each."""

import asyncio
from collections.abc import Callable

from tests.integration.gate_story.lane import Lane
from tests.integration.gate_story.street import Faults

WAIT_S = (0.02, 0.2, 1.0, 3.0, 12.0)
FREEZE_S = 0.3
STALL_S = 2.2
# A device that was not heard may take longer than the agent waits for it.
READ_S = (0.1, 1.6, 1.6)
# A camera's read of the car before could be taken for one of a car that comes sooner.
CHANGE_S = 2.5
STANDS_S = 3.0
AWAY_S = 3.0
OLD_ORDERS = 6
POLL_S = 0.05


class Acts:
    """Single acts; each does nothing where it is not its time."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.dice = lane.dice
        self.looked_at: set[str] = set()
        self._drives: set[asyncio.Task[None]] = set()

    @property
    def may_come(self) -> bool:
        """Whether the next car may drive onto the loop."""
        street = self.lane.street
        return street.car is None and self.lane.loop.time() - street.left_s >= CHANGE_S

    @property
    def may_leave(self) -> bool:
        """Whether the car has stood there for long enough to back out."""
        street = self.lane.street
        return street.car is not None and self.lane.loop.time() - street.came_s >= STANDS_S

    async def wait(self) -> None:
        await asyncio.sleep(self.dice.choose(WAIT_S))

    async def turns(self) -> None:
        await self.lane.loop.turns(self.dice.choose(range(1, 24)))

    async def car(self) -> None:
        if not self.may_come:
            return
        kind = self.dice.weigh((("YB", 4), ("YL", 3), ("NL", 2), ("NB", 1)))
        # Each car once: whoever is let in twice is another car.
        self.lane.street.come(f"{kind}{self.lane.next_number()}")
        if self.dice.weigh(((True, 3), (False, 1))):
            await self.read()

    async def read(self) -> None:
        self.look(self.dice.weigh(((0.1, 10), (2.0, 2), (4.0, 1), (15.0, 1))))

    def look(self, delay_s: float) -> None:
        """Let the camera read the car; its read comes in after a while."""
        car, process = self.lane.street.car, self.lane.running
        if car is None or process is None:
            return
        self.looked_at.add(car.plate)
        read_id = self.dice.choose(("1", "2"))
        process.look(car.plate, self.lane.loop.time(), delay_s, f"{car.plate} {read_id}")

    async def drive(self) -> None:
        self.drive_off()
        await asyncio.sleep(1.0)

    def drive_off(self, gap_s: float = 0.0, stays_s: float = 0.3) -> None:
        """Let the car drive through, if the arm is up."""
        task = self.lane.loop.create_task(self.lane.street.drive_through(gap_s, stays_s))
        self._drives.add(task)
        task.add_done_callback(self._drives.discard)

    async def back_out(self) -> None:
        if self.may_leave:
            self.lane.street.back_out()

    async def next_car(self) -> None:
        if not self.may_leave:
            return
        self.lane.street.back_out()
        await asyncio.sleep(CHANGE_S)
        await self.car()

    async def network(self) -> None:
        network = self.lane.network
        match self.dice.choose(("cut", "up", "freeze", "thaw", "lose", "drop")):
            case "cut":
                network.is_up = False
                network.drop()
            case "up":
                network.is_up = True
            case "freeze":
                network.frozen |= self.dice.choose(({"in"}, {"out"}, {"in", "out"}))
            case "thaw":
                network.thaw()
            case "lose":
                network.lose()
            case _:
                network.drop()

    async def database(self) -> None:
        self.lane.bridge.has_database = not self.lane.bridge.has_database

    async def disk(self) -> None:
        self.lane.disk.is_full = not self.lane.disk.is_full

    async def clock(self) -> None:
        if self.lane.process is not None:
            self.lane.process.clock.ahead_s = self.dice.choose((0.0, 600.0, -600.0))

    async def old_order(self) -> None:
        sent = [
            message
            for orders in self.lane.bridge.orders.values()
            for order in orders
            for message in order.sends
        ]
        if sent:
            self.lane.bridge.resend(self.dice.choose(sent[-OLD_ORDERS:]))

    async def relay(self) -> None:
        slow_s = self.dice.choose((0.02, 0.02, 0.5, 1.4))
        self.lane.street.faults = self.dice.choose(
            (
                Faults(),
                Faults(before_s=slow_s),
                Faults(after_s=slow_s),
                Faults(refuses=True),
                Faults(silent_before=True, after_s=slow_s),
                Faults(silent_after=True, after_s=slow_s),
                Faults(jammed=True),
            )
        )

    async def kill(self) -> None:
        """End the process in the middle; cars change places only where it is away for long."""
        await self.lane.kill()
        if self.dice.choose((False, True)):
            await asyncio.sleep(1.0)
            if self.lane.street.car is not None:
                self.lane.street.back_out()
            await asyncio.sleep(AWAY_S)
            await self.car()
        self.lane.start()

    async def freeze(self) -> None:
        """Let the machine stand still while the world goes on."""
        process, loop, street = self.lane.process, self.lane.loop, self.lane.street
        if process is None or process.is_frozen:
            return
        process.is_frozen = True
        if street.car is not None and self.dice.weigh(((True, 3), (False, 1))):
            street.back_out()
            loop.now_s += CHANGE_S
            street.come(f"YB{self.lane.next_number()}")
            loop.now_s += FREEZE_S
        else:
            loop.now_s += STALL_S
        street.lives += 1
        process.thaw(self.dice.choose(READ_S))
        self.lane.network.thaw()
        await asyncio.sleep(1.0)

    async def hand(self) -> None:
        self.lane.open_by_hand()

    async def until(self, is_so: Callable[[], bool], within_s: float) -> bool:
        """Wait for something, for a while."""
        end_s = self.lane.loop.time() + within_s
        while not is_so():
            if self.lane.loop.time() >= end_s:
                return False
            await asyncio.sleep(POLL_S)
        return True
