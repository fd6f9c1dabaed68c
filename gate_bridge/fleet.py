"""How the lanes of this bridge are, told to the domain many at a time."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from gate_bridge.metrics import BridgeMetrics
from gate_bridge.port import LaneService
from gate_bridge.retry import call_once
from gate_bridge.wire.actions import AgentHealth
from parking.events.outage import Outage
from parking.flows.lane_types import AgentCondition, DeviceSignal, Lane, LaneReport
from parking.kit.clock import Clock
from parking.lanes.health import REPORTS_MAX

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOK_S = 2.0
"""Time between two looks for what has to be told: a connection or its end is told with the next."""

TELL_S = 15.0
"""Time after which a lane that only sent heartbeats is told again."""

_CALL_TIMEOUT_S = 5.0
_LAST_WORDS_S = 5.0


@dataclass(slots=True)
class _Known:
    """What is known of a lane, and what of it was told.

    Attributes:
        told: The report that the domain has.
        told_s: When it got it, by the steady clock.
        is_urgent: Whether to tell with the next look.
    """

    report: LaneReport
    told: LaneReport | None = None
    told_s: float = 0.0
    is_urgent: bool = True


class FleetHealth:
    """The newest report of every lane that is or was connected here.

    Three thousand lanes send three hundred heartbeats a second. One statement tells of up to
    `REPORTS_MAX` lanes, and a lane that has nothing new is told every `TELL_S` only.
    """

    def __init__(
        self,
        service: LaneService,
        bridge: str,
        clock: Clock,
        metrics: BridgeMetrics,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._bridge = bridge
        self._clock = clock
        self._metrics = metrics
        self._seconds = seconds
        self._lanes: dict[UUID, _Known] = {}
        self._outage = Outage("lane health")

    def connected(self, lane: Lane, session_epoch: int, agent_version: str) -> None:
        """Note a connection that was greeted."""
        self._metrics.greeted.inc()
        now = self._clock.now()
        known = self._lanes.get(lane.lane_id)
        if known is not None and known.report.session_epoch > session_epoch:
            return
        report = LaneReport(
            operator_id=lane.operator_id,
            lane_id=lane.lane_id,
            session_epoch=session_epoch,
            bridge=self._bridge,
            agent_version=agent_version,
            connected_at=now,
            last_seen_at=now,
        )
        self._lanes[lane.lane_id] = _Known(report)

    def heard(self, lane_id: UUID, session_epoch: int, health: AgentHealth | None) -> None:
        """Note a heartbeat."""
        self._metrics.heartbeats.inc()
        known = self._known(lane_id, session_epoch)
        if known is None:
            return
        report = replace(known.report, last_seen_at=self._clock.now())
        if health is not None:
            condition = _condition(health)
            known.is_urgent = known.is_urgent or _matters(report.condition, condition)
            report = replace(report, condition=condition)
        known.report = report

    def ended(self, lane_id: UUID, session_epoch: int, close_code: int | None) -> None:
        """Note that a connection ended; an older one than the lane's newest says nothing."""
        known = self._known(lane_id, session_epoch)
        if known is None:
            return
        now = self._clock.now()
        known.report = replace(known.report, ended_at=now, close_code=close_code, last_seen_at=now)
        known.is_urgent = True

    async def run(self) -> None:
        """Tell the domain until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.tell()

    async def last_words(self) -> None:
        """Tell what is left when the bridge stops; a database that is away is not waited for."""
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await self.tell()
        except TimeoutError:
            _log.warning("lane_health_not_told")

    async def tell(self) -> None:
        """Tell of every lane that is due; what fails is due again."""
        due = [lane_id for lane_id, known in self._lanes.items() if self._is_due(known)]
        for first in range(0, len(due), REPORTS_MAX):
            if not await self._tell(due[first : first + REPORTS_MAX]):
                return

    async def _tell(self, lane_ids: list[UUID]) -> bool:
        told = [self._lanes[lane_id].report for lane_id in lane_ids if lane_id in self._lanes]
        try:
            await call_once(lambda: self._service.report_health(told), _CALL_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - whatever failed, the next look tells it
            self._outage.failed(error)
            self._metrics.untold.set(len(lane_ids))
            return False
        self._outage.ended()
        self._metrics.untold.set(0)
        for report in told:
            self._told(report)
        return True

    def _told(self, report: LaneReport) -> None:
        known = self._lanes.get(report.lane_id)
        if known is None:
            return
        known.told, known.told_s = report, self._seconds()
        if known.report is not report:
            # Something came while the statement ran: the next look tells it.
            return
        known.is_urgent = False
        if report.ended_at is not None:
            del self._lanes[report.lane_id]

    def _is_due(self, known: _Known) -> bool:
        if known.report is known.told:
            return False
        return known.is_urgent or self._seconds() - known.told_s >= TELL_S

    def _known(self, lane_id: UUID, session_epoch: int) -> _Known | None:
        known = self._lanes.get(lane_id)
        return known if known and known.report.session_epoch == session_epoch else None


def _matters(before: AgentCondition, now: AgentCondition) -> bool:
    """Return whether somebody who looks at the fleet should not wait for the news."""
    return (before.barrier, before.policy_version, bool(before.queue_depth)) != (
        now.barrier,
        now.policy_version,
        bool(now.queue_depth),
    )


def _condition(health: AgentHealth) -> AgentCondition:
    return AgentCondition(
        queue_depth=health.queue_depth,
        oldest_queued_at=health.oldest_queued_at,
        clock_offset_ms=health.clock_offset_ms,
        clock_uncertainty_ms=health.clock_uncertainty_ms,
        barrier=health.barrier.value,
        policy_version=health.policy_version,
        devices=tuple(
            DeviceSignal(item.name, item.last_signal_at, item.clock_offset_ms)
            for item in health.devices
        ),
    )
