"""Everything about the time without network on one lane, put together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import UUID

from gate_bridge.agent.barrier import BarrierPort
from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.lane_work import LaneWork
from gate_bridge.agent.offline.decider import OfflineDecider, OfflineParts
from gate_bridge.agent.offline.edge_clock import EdgeClock
from gate_bridge.agent.offline.options import OfflineOptions
from gate_bridge.agent.offline.policy_keeper import AskingSession, PolicyKeeper
from gate_bridge.agent.offline.reachability import Reachability
from gate_bridge.agent.offline.store import OfflineStore
from gate_bridge.agent.reports import Reporter
from gate_bridge.agent.server_time import ServerTime
from gate_bridge.agent.stall import StallWatch
from parking.kit.clock import Clock

Loop = tuple[str, Callable[[], Awaitable[None]]]
_TIME_UNKNOWN_S = 1.0


class OfflineLane:
    """The gate's own decisions, its policy, and its clock.

    Attributes:
        clock: Tells the bridge's time as well as the edge can; for everything on the lane.
        bridge: Is told when the bridge is there, when it is not, and when it commits nothing.
        keeper: Is told of new policies.
    """

    def __init__(
        self,
        lane_id: UUID,
        journal: Journal,
        clock: Clock,
        server_time: ServerTime,
        report: Reporter,
        options: OfflineOptions,
    ) -> None:
        self._journal = journal
        self._report = report
        self._options = options
        self._store = OfflineStore(journal)
        self.clock = EdgeClock(clock, server_time)
        self.bridge = Reachability()
        self.keeper = PolicyKeeper(lane_id, self._store, report)

    async def start(self) -> None:
        """Read what an earlier process left."""
        await self._store.start()
        self.clock.anchor = await self._store.anchor()
        await self.keeper.start()

    def loops(self, state: LaneState, barrier: BarrierPort, work: LaneWork) -> Sequence[Loop]:
        """Return what runs as long as the agent does."""
        parts = OfflineParts(
            self._journal, self._store, self.keeper, state, barrier, self.clock, self.bridge, work
        )
        stall = StallWatch()
        decider = OfflineDecider(parts, self._report, self._options, stall=stall)
        return (
            ("offline", decider.run),
            ("offline_stall", stall.run),
            ("clock", self._keep_time),
        )

    async def follow(self, ready: asyncio.Event, session: AskingSession) -> None:
        """Serve one connection until cancelled."""
        await ready.wait()
        self.bridge.found()
        await self.keeper.run(session)

    def version(self) -> str | None:
        """Return the version of the policy in words; None for none."""
        return str(self.keeper.version()) if self.keeper.policy is not None else None

    async def _keep_time(self) -> None:
        while True:
            anchor = self.clock.take_anchor()
            if anchor is not None:
                # On a full disk the time of before stays: it is less exact, and not wrong.
                with suppress(JournalFullError):
                    await self._store.save_anchor(anchor)
            await asyncio.sleep(_TIME_UNKNOWN_S if anchor is None else self._options.anchor_every_s)
