"""Commands and texts on their way to one lane, and the edge's answers to the domain."""

import time
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

import structlog

from gate_bridge.options import ReadingLimits
from gate_bridge.port import LaneService
from gate_bridge.retry import call_once, call_until
from gate_bridge.wire.actions import CommandStatus, OpenBarrierResult
from gate_bridge.wire.calls import PendingCall
from gate_bridge.wire.errors import CallRefusedError, CallUnansweredError, WireError
from parking.flows.lane_types import CommandState, DisplayText, Lane, OpenCommand
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_GONE = "presentation_ended"
# The car still stands there and may pass: these speak of the order, which a fresh one mends.
_STALE = frozenset({"expired", "stale_epoch"})
_DRIVE_ON = DisplayText(("Thank you", "Please drive on"))
_STATES = {
    CommandStatus.ACCEPTED: CommandState.ACCEPTED,
    CommandStatus.REJECTED: CommandState.REJECTED,
}


class LaneOutlet(Protocol):
    """The way to a lane's agent."""

    @property
    def reply_timeout_s(self) -> float:
        """Return how long an answer may take."""
        ...

    async def send_open(self, command: OpenCommand) -> PendingCall:
        """Put the command on the wire.

        Raises:
            CallUnansweredError: the connection ended.
        """
        ...

    async def send_display(self, presentation_id: UUID | None, text: DisplayText) -> None:
        """Show a text. Whether it was shown is not waited for: the barrier matters more.

        Raises:
            CallUnansweredError: the connection ended.
        """
        ...


class Delivery:
    """What one presentation sends.

    Attributes:
        accepted: Whether the edge took a command.
        is_stale: Whether the edge refused the last command only because it came too late.
    """

    def __init__(
        self,
        lane: Lane,
        presentation_id: UUID,
        outlet: LaneOutlet,
        service: LaneService,
        limits: ReadingLimits,
    ) -> None:
        self._lane = lane
        self._presentation_id = presentation_id
        self._outlet = outlet
        self._service = service
        self._limits = limits
        self._sends: dict[UUID, int] = {}
        self._shown: DisplayText | None = None
        self.accepted = False
        self.is_stale = False

    async def show(self, text: DisplayText, *, final: bool = True) -> None:
        """Show a text; a final one tells the agent that no more pictures are needed."""
        self._shown = text if final else self._shown
        try:
            await self._outlet.send_display(self._presentation_id if final else None, text)
        except (CallUnansweredError, WireError) as error:
            _log.info("display_not_sent", error=str(error), **self._names())

    async def show_again(self) -> None:
        """Show the last final text once more, in place of what the gate said by itself."""
        if self._shown is not None:
            await self.show(self._shown)

    async def open(self, command: OpenCommand) -> tuple[PendingCall | None, float]:
        """Send a command; return what to wait for and when it was sent, by the steady clock."""
        self._sends[command.command_id] = self._sends.get(command.command_id, 0) + 1
        try:
            pending = await self._outlet.send_open(command)
        except (CallUnansweredError, WireError) as error:
            _log.warning("open_not_sent", error=str(error), **self._names())
            return None, time.monotonic()
        return pending, time.monotonic()

    async def settle(self, command: OpenCommand, pending: PendingCall) -> None:
        """Wait for the edge's answer and record it.

        A lost answer leaves the outcome unknown; the command is then sent again under the same
        id, which the edge answers from its journal.
        """
        try:
            result = await pending.result(OpenBarrierResult, timeout_s=self._outlet.reply_timeout_s)
        except (CallUnansweredError, CallRefusedError, WireError) as error:
            _log.warning("open_unanswered", error=str(error), **self._names())
            return
        self.accepted = self.accepted or result.status is CommandStatus.ACCEPTED
        _log.info(
            "open_answered",
            status=result.status.value,
            answer_reason=result.reason,
            repeated=result.repeated,
            **self._names(),
        )
        await self._record(command, _STATES[result.status], result.reason)
        # After the record: until then the domain has no other order to give.
        self.is_stale = result.status is CommandStatus.REJECTED and result.reason in _STALE

    async def withdraw(self, command: OpenCommand) -> None:
        """Record that a command was not sent because its car had left."""
        await self._record(command, CommandState.REJECTED, _GONE)

    async def send_pending(self, wanted: Callable[[], bool]) -> None:
        """Send what the edge has not answered yet, such as the command after a late payment."""
        self.is_stale = False
        try:
            commands = await call_once(
                lambda: self._service.pending_commands(self._lane, self._presentation_id),
                self._limits.service_timeout_s,
            )
        except Exception as error:  # noqa: BLE001 - whatever failed, the next poll asks again
            _log.warning("pending_commands_failed", error=repr(error), **self._names())
            return
        for command in commands:
            if not wanted() or self.accepted:
                return
            if self._sends.get(command.command_id, 0) >= self._limits.command_sends_max:
                continue
            pending, _ = await self.open(command)
            if pending is not None:
                await self.settle(command, pending)
            if self.accepted:
                await self.show(_DRIVE_ON)

    async def _record(self, command: OpenCommand, state: CommandState, reason: str | None) -> None:
        try:
            await call_until(
                lambda: self._service.command_answered(
                    self._lane, command.command_id, state, reason
                ),
                self._limits,
                name="command_answered",
                wanted=lambda: True,
            )
        except ParkingError as error:
            _log.warning("answer_not_recorded", error=str(error), **self._names())

    def _names(self) -> dict[str, str]:
        return {
            "lane_id": str(self._lane.lane_id),
            "presentation_id": str(self._presentation_id),
        }
