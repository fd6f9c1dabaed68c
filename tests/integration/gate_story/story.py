"""What happens in a lane, by dice, and what must hold when all is mended."""

import asyncio
from collections.abc import Awaitable, Callable

from gate_bridge.agent.machines.contacts import ContactUse
from tests.integration.gate_story.acts import Acts
from tests.integration.gate_story.lane import Lane, seconds
from tests.integration.gate_story.plots import Plots
from tests.integration.gate_story.virtual_time import VirtualLoop
from tests.money.dice import Dice

END_S = 30
TOLD_S = 10
HONEST_S = 300
# How much more often an act comes that somebody wants to see.
FAVOUR = 12

Act = Callable[[], Awaitable[None]]


class Story:
    """One lane's day; acts whose name is among `favoured` come more often."""

    def __init__(
        self, loop: VirtualLoop, dice: Dice, favoured: frozenset[str] = frozenset()
    ) -> None:
        self.lane = Lane(loop, dice)
        self._dice = dice
        self._favoured = favoured
        self._acts = Acts(self.lane)
        self._plots = Plots(self._acts)

    async def tell(self, steps: int) -> None:
        """Let things happen, then mend everything and look whether all is well."""
        self.lane.start()
        for _ in range(steps):
            await self.lane.supervise()
            act = self._dice.weigh(self._possible())
            self.lane.say(act.__name__)
            await act()
            assert self.lane.judge.wrong == []
        await self._end()

    async def close(self) -> None:
        """End in the middle."""
        await self.lane.kill()
        self.lane.disk.close()

    def _possible(self) -> list[tuple[Act, int]]:
        acts, plots = self._acts, self._plots
        possible: list[tuple[Act, int]] = [
            (acts.wait, 14),
            (acts.turns, 8),
            (acts.network, 6),
            (acts.database, 3),
            (acts.old_order, 8),
            (acts.relay, 4),
            (acts.kill, 3),
            (acts.disk, 1),
            (acts.clock, 2),
        ]
        if self.lane.running is not None:
            possible += [
                (acts.car, 16 if acts.may_come else 0),
                (acts.read, 10 if self.lane.street.car is not None else 0),
                (acts.drive, 10 if self.lane.street.is_up else 2),
                (acts.back_out, 4 if acts.may_leave else 0),
                (acts.next_car, 4 if acts.may_leave else 0),
                (acts.freeze, 2),
                (acts.hand, 1),
                (plots.late_order, 8),
                (plots.frozen_peer, 12),
                (plots.lost_answer, 6),
                (plots.death_in_order, 10),
                (plots.dying_relay, 7),
                (plots.full_disk, 5),
                (plots.outage, 5),
                (plots.old_epoch, 5),
                (plots.follower, 11),
                (plots.two_bridges, 5),
                (plots.slow_relay, 8),
            ]
        return [
            (act, weight * (FAVOUR if act.__name__ in self._favoured else 1))
            for act, weight in possible
            if weight
        ]

    async def _end(self) -> None:
        """Mend everything; an honest car is let in, and everything is told."""
        lane = self.lane
        lane.say("all is mended")
        lane.mend()
        if lane.street.car is not None:
            lane.street.back_out()
        for _ in range(END_S):
            await asyncio.sleep(1.0)
            await lane.supervise()
        await self._acts.until(lambda: lane.running is not None, HONEST_S)
        await seconds(TOLD_S)
        await self._honest_car()
        await seconds(TOLD_S)
        self._check_events()
        self._check_presentations()
        self._check_passages()
        assert lane.judge.wrong == []

    async def _honest_car(self) -> None:
        lane = self.lane
        car = lane.street.come("YB999x")
        await asyncio.sleep(1.0)
        assert lane.running is not None
        lane.running.look(car.plate, lane.loop.time(), 0.1, "the last")
        await self._acts.until(lambda: bool(car.pulses), HONEST_S)
        assert len(car.pulses) == 1, f"an honest car waits: {car} {self._looks()}"
        lane.street.raise_arm()
        await lane.street.drive_through()

    def _looks(self) -> str:
        last = self.lane.bridge.committed[-3:]
        orders = list(self.lane.bridge.orders.values())[-1:]
        answers = [order.answer for held in orders for order in held]
        [[left]] = self.lane.disk.execute("SELECT count(*) FROM events")
        return f"{left} events wait; the last orders: {answers}; the last events: {last}"

    def _check_events(self) -> None:
        """Everything that was written is told, once and in its order."""
        lane = self.lane
        [[left]] = lane.disk.execute("SELECT count(*) FROM events")
        [[refused]] = lane.disk.execute("SELECT count(*) FROM refused_events")
        assert (left, refused) == (0, 0), "events are left, or were refused"
        told = [event["event_id"] for event in lane.bridge.committed]
        assert told == lane.written, "an event is lost"
        numbers = [event["seq"] for event in lane.bridge.committed]
        assert numbers == list(range(1, len(told) + 1))
        assert lane.committed_hands() == lane.hands, "an opening by hand is lost"

    def _check_presentations(self) -> None:
        standing: str | None = None
        for event in self.lane.bridge.committed:
            if event["action"] != "Presentation":
                continue
            if event["state"] == "occupied":
                assert standing is None, "a car comes where one stands"
                standing = event["presentation_id"]
            else:
                assert standing == event["presentation_id"], "a car leaves that never came"
                standing = None
        assert standing is None

    def _check_passages(self) -> None:
        """One order lets one car pass, and only where one drove."""
        passed = [command_id for command_id in self.lane.passed if command_id is not None]
        assert len(passed) == len(set(passed)), "two cars passed by one order"
        if ContactUse.EXIT_LOOP not in self.lane.street.uses:
            return
        # Which of two cars it was that drove, no contact tells.
        drove = sum(visit.has_driven for visit in self.lane.street.visits)
        seen = [
            event
            for event in self.lane.bridge.committed
            if event.get("kind") == "passed" and event["reason"] is None
        ]
        assert len(seen) <= drove, "a car is said to have passed that did not"
