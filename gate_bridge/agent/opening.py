"""Carries out an order to open: once, and only while it is fresh."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from gate_bridge.agent.barrier import ArmPosition, BarrierPort
from gate_bridge.agent.errors import BarrierError, PulseUnknownError
from gate_bridge.agent.guards import Refusal, Situation, refusal
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.offline.rules import own_command_id
from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.wire.actions import CommandStatus, OpenBarrier, OpenBarrierResult
from gate_bridge.wire.errors import NotReadyError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ALREADY_OPEN = "already_open"


class Opening:
    """Guards, journal and relay, in the order that makes a repeated order harmless.

    "About to pulse" is written before the pulse and the result after it. A process killed in
    between leaves the first without the second: such an order pulses again only while the arm is
    down, for a car that was watched since, and within the order's time. Whose car has gone is
    neither carried out nor refused: nobody can say whether it was let through.

    Args:
        situation: What the edge knows at the moment of the call.
        lane: What stands there, and whom the arm was raised for.
        steady: Seconds of a clock that only goes forward and counts while the machine sleeps.
    """

    def __init__(
        self,
        journal: Journal,
        barrier: BarrierPort,
        situation: Callable[[], Situation],
        lane: LaneState,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        self._journal = journal
        self._barrier = barrier
        self._situation = situation
        self._lane = lane
        self._steady = steady

    async def carry_out(self, order: OpenBarrier) -> OpenBarrierResult:
        """Return what was done, or what was done when this `command_id` came first.

        Raises:
            NotReadyError: whether the relay was pulsed is not known; the same order may be sent
                again, and is answered by what the arm has done meanwhile.
        """
        async with self._lane.pulsing:
            return await self._carry_out(order)

    async def _carry_out(self, order: OpenBarrier) -> OpenBarrierResult:
        stored = await self._journal.command(order.command_id)
        if stored is not None and stored.status is not None:
            return OpenBarrierResult(
                command_id=order.command_id,
                status=stored.status,
                reason=stored.reason,
                repeated=True,
            )
        is_up = self._barrier.position() is not ArmPosition.DOWN
        if stored is not None and (is_up or self._lane.was_pulsed(order.command_id)):
            # Killed between pulse and result, and the arm shows that the pulse arrived; or there
            # was no room for the result.
            return await self._finish(order, CommandStatus.ACCEPTED, None, repeated=True)
        situation = self._situation()
        if stored is not None and situation.presentation_id != order.presentation_id:
            # Its car may have driven through: nobody can say, and nothing may open for it again.
            raise _unknown("expected an order whose car still stands there")
        reason = refusal(order, situation)
        if reason is None and await self._is_open_for(order):
            return await self._finish(order, CommandStatus.ACCEPTED, ALREADY_OPEN, repeated=False)
        reason = reason or self._doubt()
        if reason is not None:
            return await self._finish(order, CommandStatus.REJECTED, reason, repeated=False)
        await self._journal.begin_command(order.command_id, order.presentation_id)
        return await self._pulse(order)

    async def _is_open_for(self, order: OpenBarrier) -> bool:
        """Return whether the arm was raised for this car, be it that it has fallen since."""
        if self._lane.opened_for_current():
            return True
        own = await self._journal.command(own_command_id(order.presentation_id))
        return own is not None and own.status is CommandStatus.ACCEPTED

    async def _pulse(self, order: OpenBarrier) -> OpenBarrierResult:
        # Again, after the wait for the disk: the process may have been frozen meanwhile.
        # The clock first: a freeze between the two must make the deadline earlier, not later.
        now_s = self._steady()
        situation = self._situation()
        reason = refusal(order, situation) or self._doubt()
        if reason is None and not self._barrier.loop_occupied():
            reason = Refusal.NO_PRESENTATION
        if reason is not None:
            return await self._finish(order, CommandStatus.REJECTED, reason, repeated=False)
        try:
            self._lane.raising(order.presentation_id, order.command_id)
            await self._barrier.pulse(order.command_id, now_s + _left_s(order, situation))
        except PulseUnknownError as error:
            _log.warning("pulse_unknown", error=str(error))
            raise _unknown("the relay did not say whether it was pulsed") from error
        except BarrierError as error:
            _log.warning("barrier_failed", error=str(error))
            self._lane.not_raised(order.command_id)
            return await self._finish(
                order, CommandStatus.REJECTED, Refusal.BARRIER_FAILED, repeated=False
            )
        self._lane.pulsed(order.command_id)
        return await self._finish(order, CommandStatus.ACCEPTED, None, repeated=False)

    def _doubt(self) -> Refusal | None:
        return Refusal.OTHER_PRESENTATION if self._lane.may_be_other() else None

    async def _finish(
        self, order: OpenBarrier, status: CommandStatus, reason: str | None, *, repeated: bool
    ) -> OpenBarrierResult:
        await self._journal.finish_command(order.command_id, order.presentation_id, status, reason)
        return OpenBarrierResult(
            command_id=order.command_id, status=status, reason=reason, repeated=repeated
        )


def _unknown(why: str) -> NotReadyError:
    return NotReadyError(f"command_id: {why}", {"field": "command_id"})


def _left_s(order: OpenBarrier, situation: Situation) -> float:
    """Return for how long the order certainly still counts; nothing where the time is unknown."""
    if situation.server_latest is None:
        return 0.0
    end = order.issued_at + timedelta(milliseconds=order.ttl_ms)
    return (end - situation.server_latest).total_seconds()
