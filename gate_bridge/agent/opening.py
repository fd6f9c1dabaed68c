"""Carries out an order to open: once, and only while it is fresh."""

from collections.abc import Callable

import structlog

from gate_bridge.agent.barrier import ArmPosition, BarrierPort
from gate_bridge.agent.errors import BarrierError
from gate_bridge.agent.guards import Refusal, Situation, refusal
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.wire.actions import CommandStatus, OpenBarrier, OpenBarrierResult

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ALREADY_OPEN = "already_open"


class Opening:
    """Guards, journal and relay, in the order that makes a repeated order harmless.

    "About to pulse" is written before the pulse and the result after it. A process killed in
    between finds the first without the second: it pulses again only while the arm is down, for
    the same car, and within the order's time.

    Args:
        situation: What the edge knows at the moment of the call.
        lane: What stands there, and whom the arm was raised for.
    """

    def __init__(
        self,
        journal: Journal,
        barrier: BarrierPort,
        situation: Callable[[], Situation],
        lane: LaneState,
    ) -> None:
        self._journal = journal
        self._barrier = barrier
        self._situation = situation
        self._lane = lane

    async def carry_out(self, order: OpenBarrier) -> OpenBarrierResult:
        """Return what was done, or what was done when this `command_id` came first."""
        stored = await self._journal.command(order.command_id)
        if stored is not None and stored.status is not None:
            return OpenBarrierResult(
                command_id=order.command_id,
                status=stored.status,
                reason=stored.reason,
                repeated=True,
            )
        if stored is not None and self._barrier.position() is not ArmPosition.DOWN:
            # Killed between pulse and result: the arm shows that the pulse arrived.
            return await self._finish(order, CommandStatus.ACCEPTED, None, repeated=True)
        reason = refusal(order, self._situation())
        if reason is not None:
            return await self._finish(order, CommandStatus.REJECTED, reason, repeated=False)
        if self._lane.opened_for_current():
            return await self._finish(order, CommandStatus.ACCEPTED, ALREADY_OPEN, repeated=False)
        await self._journal.begin_command(order.command_id, order.presentation_id)
        return await self._pulse(order)

    async def _pulse(self, order: OpenBarrier) -> OpenBarrierResult:
        # Again, after the wait for the disk: the process may have been frozen meanwhile.
        reason = refusal(order, self._situation())
        if reason is None and not self._barrier.loop_occupied():
            reason = Refusal.NO_PRESENTATION
        if reason is not None:
            return await self._finish(order, CommandStatus.REJECTED, reason, repeated=False)
        try:
            self._lane.raising(order.presentation_id, order.command_id)
            await self._barrier.pulse(order.command_id)
        except BarrierError as error:
            _log.warning("barrier_failed", error=str(error))
            return await self._finish(
                order, CommandStatus.REJECTED, Refusal.BARRIER_FAILED, repeated=False
            )
        return await self._finish(order, CommandStatus.ACCEPTED, None, repeated=False)

    async def _finish(
        self, order: OpenBarrier, status: CommandStatus, reason: str | None, *, repeated: bool
    ) -> OpenBarrierResult:
        await self._journal.finish_command(order.command_id, order.presentation_id, status, reason)
        return OpenBarrierResult(
            command_id=order.command_id, status=status, reason=reason, repeated=repeated
        )
