"""What goes wrong in several steps, each at the moment when it hurts."""

import asyncio
from collections.abc import Callable

from tests.integration.gate_story.acts import CHANGE_S, STANDS_S, Acts
from tests.integration.gate_story.bridge import WELCOME
from tests.integration.gate_story.street import STAYS_UP_S, Faults, Visit

SEND_S = 3.0
CONNECT_S = 12.0
OUTAGE_S = 11.0
TURNS_MAX = 40


class Plots:
    """Each brings a car and an order about, and ends anyhow; what is broken may stay so."""

    def __init__(self, acts: Acts) -> None:
        self.acts = acts
        self.lane = acts.lane
        self.dice = acts.dice

    async def late_order(self) -> None:
        """An order is held back, and what it was for changes meanwhile."""
        if not await self._order(frozen={"in"}):
            return
        await self.dice.weigh(((self._nothing, 4), (self._back_out, 1), (self._next_car, 4)))()
        await asyncio.sleep(self.dice.weigh(((0.1, 2), (1.0, 1), (5.5, 4))))
        self.lane.network.thaw()
        await asyncio.sleep(1.0)

    async def frozen_peer(self) -> None:
        """The process stands still with an order in its connection, and thaws."""
        if await self._order(frozen={"in"}):
            await self.acts.freeze()
            await asyncio.sleep(1.0)

    async def lost_answer(self) -> None:
        """An order is carried out, and nobody hears of it."""
        if not await self._order():
            return
        self.lane.network.frozen.add("out")
        await asyncio.sleep(self.dice.choose((0.1, 1.0, 3.0)))
        if self.dice.choose((True, False)):
            await self.lane.kill()
        self.lane.network.lose()
        await self.lane.supervise()
        await self._again()

    async def death_in_order(self) -> None:
        """The process dies somewhere between an order and what becomes of it."""
        if self.dice.choose((True, False)):
            slow_s = self.dice.choose((0.02, 0.5))
            self.lane.street.faults = Faults(before_s=slow_s, after_s=slow_s)
        self.lane.is_disk_slow = self.dice.choose((True, False))
        bridge, judge = self.lane.bridge, self.lane.judge
        answers, taken = bridge.answers, judge.taken_count
        if not await self._order():
            return
        is_near: Callable[[], bool] = self.dice.choose(
            (
                lambda: True,
                lambda: judge.taken_count > taken,
                lambda: bridge.answers > answers,
            )
        )
        if await self.acts.until(is_near, SEND_S):
            await self.lane.loop.turns(self.dice.choose(range(1, TURNS_MAX)))
        await self.lane.kill()
        self.lane.is_disk_slow = False
        await self.dice.choose((self._nothing, self._next_car))()
        self.lane.start()
        await self._again()

    async def dying_relay(self) -> None:
        """The relay fails with an order on its way, and comes back."""
        await self.acts.relay()
        if await self._order():
            await asyncio.sleep(self.dice.choose((0.2, 1.0, 3.0)))
        if self.dice.choose((True, False)):
            self.lane.street.faults = Faults()

    async def slow_relay(self) -> None:
        """The relay takes its time, and the car does not wait for it."""
        slow_s = self.dice.choose((1.4, 5.5))
        self.lane.street.faults = Faults(before_s=slow_s)
        await self._fresh_car()
        await asyncio.sleep(STANDS_S)
        if await self._order():
            await asyncio.sleep(self.dice.choose((0.3, 0.8)))
            if slow_s < SEND_S:
                await self.dice.choose((self._back_out, self._next_car))()
        await asyncio.sleep(slow_s)
        self.lane.street.faults = Faults()

    async def full_disk(self) -> None:
        """There is no room for what happens, and then there is."""
        await self.dice.choose((self._nothing, self._order))()
        self.lane.disk.is_full = True
        for _ in range(self.dice.choose((1, 2, 3))):
            acts = self.acts
            await self.dice.choose(
                (acts.read, acts.drive, acts.back_out, acts.next_car, acts.hand, acts.kill)
            )()
            await asyncio.sleep(self.dice.choose((0.1, 1.0, 3.0)))
        self.lane.disk.is_full = False

    async def outage(self) -> None:
        """The gate decides by itself, and the bridge is back soon after."""
        await self.dice.choose((self._fresh_car, self._held_order))()
        if self.dice.choose((True, False)):
            self.lane.network.is_up = False
            self.lane.network.drop()
        else:
            self.lane.bridge.has_database = False
        self.acts.look(0.1)
        await asyncio.sleep(OUTAGE_S)
        await self.lane.loop.turns(self.dice.choose(range(1, TURNS_MAX)))
        await self.dice.choose((self._nothing, self.acts.kill, self._arm_falls))()
        self._connect()
        await asyncio.sleep(self.dice.choose((0.1, 1.0, 6.0)))
        self.acts.look(0.1)

    async def old_epoch(self) -> None:
        """An order of an earlier connection comes over a new one."""
        if not await self._order(frozen={"in"}):
            return
        self.lane.network.lose()
        if await self.acts.until(lambda: self.lane.bridge.is_connected, CONNECT_S):
            await self._again()

    async def two_bridges(self) -> None:
        """Another bridge process takes the lane; the one before learns of it later."""
        await self._fresh_car()
        self.lane.bridge.usurp()
        await self.dice.choose((self.acts.read, self.acts.back_out, self.acts.drive))()
        await asyncio.sleep(self.dice.choose((0.1, 1.0)))
        await self._again()

    async def follower(self) -> None:
        """The next car comes while the one before is still under the arm."""
        if not await self._order():
            return
        car = self.lane.street.car
        if car is None or not await self.acts.until(lambda: bool(car.pulses), SEND_S):
            return
        await asyncio.sleep(0.5)
        self.acts.drive_off(self.dice.choose((0.0, 6.0, 6.0)), self.dice.choose((0.3, 4.0, 14.0)))
        if not await self.acts.until(lambda: self.lane.street.car is None, 1.0):
            return
        if self.dice.weigh(((False, 2), (True, 1))):
            await self.lane.kill()
            self.lane.start()
            await self.acts.until(lambda: self.lane.bridge.is_connected, CONNECT_S)
        await asyncio.sleep(0.3)
        if self.lane.street.car is None:
            self.lane.street.come(f"YB{self.lane.next_number()}")
            await asyncio.sleep(self.dice.choose((0.1, 0.5)))
            self.acts.look(0.1)
        await asyncio.sleep(SEND_S)
        if self.dice.choose((True, False)):
            await self.acts.drive()

    async def _order(self, frozen: frozenset[str] | set[str] = frozenset()) -> bool:
        """Bring the bridge to send an order for the car on the loop; return whether it did."""
        car = await self._fresh_car()
        if car is None:
            return False
        bridge, sent = self.lane.bridge, self.lane.bridge.sent
        self.lane.network.frozen |= frozen
        self.acts.look(0.1)
        return await self.acts.until(lambda: bridge.sent > sent, SEND_S)

    async def _fresh_car(self) -> Visit | None:
        """Let a car stand there that the bridge has not opened for, and knows of."""
        lane = self.lane
        self._connect()
        await lane.supervise()
        car = lane.street.car
        if car is not None and (car.plate in self.acts.looked_at or car.plate[0] != WELCOME):
            await (self.acts.drive if lane.street.is_up else self._back_out)()
            await self.acts.until(lambda: self.acts.may_come, CHANGE_S)
        if self.acts.may_come:
            kind = self.dice.choose(("YB", "YL"))
            lane.street.come(f"{kind}{lane.next_number()}")
        await self.acts.until(lambda: lane.bridge.is_connected, CONNECT_S)
        await asyncio.sleep(self.dice.choose((0.5, 1.0, STANDS_S)))
        return lane.street.car

    async def _again(self) -> None:
        """Let the newest order come again."""
        await self.acts.until(lambda: self.lane.bridge.is_connected, CONNECT_S)
        self.lane.bridge.resend_newest()
        await asyncio.sleep(self.dice.choose((0.1, 1.0)))

    def _connect(self) -> None:
        """Let the bridge be of use again."""
        self.lane.network.is_up = self.lane.bridge.has_database = True
        self.lane.disk.is_full = False
        self.lane.network.thaw()

    async def _held_order(self) -> None:
        await self._order(frozen={"in"})
        self.lane.network.lose()

    async def _arm_falls(self) -> None:
        await asyncio.sleep(STAYS_UP_S + 1.0)

    async def _nothing(self) -> None:
        return

    async def _back_out(self) -> None:
        await self.acts.until(lambda: self.acts.may_leave, STANDS_S)
        await self.acts.back_out()

    async def _next_car(self) -> None:
        await self._back_out()
        await asyncio.sleep(CHANGE_S)
        await self.acts.car()
