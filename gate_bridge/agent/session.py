"""One connection to the bridge, from Hello to its end."""

import asyncio
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import orjson
import structlog
from websockets.asyncio.connection import Connection

from gate_bridge.agent.errors import EventsRenumberedError, JournalFullError
from gate_bridge.agent.guards import Situation
from gate_bridge.agent.health import SelfReport
from gate_bridge.agent.journal import Journal, StoredEvent
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.lane_work import LaneWork
from gate_bridge.agent.offline.reachability import Reachability
from gate_bridge.agent.opening import Opening
from gate_bridge.agent.reports import Reporter
from gate_bridge.agent.server_time import ServerTime
from gate_bridge.wire import actions
from gate_bridge.wire.calls import PendingCall
from gate_bridge.wire.errors import (
    CallRefusedError,
    FormatViolationError,
    InternalWireError,
    NotReadyError,
    PayloadInvalidError,
    StaleEpochError,
    UnknownActionError,
    WireError,
)
from gate_bridge.wire.frames import Call, FrameMessage
from gate_bridge.wire.limits import WireLimits
from gate_bridge.wire.link import Link
from gate_bridge.wire.offline import PolicyAvailable, Readiness
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

AGENT_VERSION = "sesame-gate-agent/0.1.0"
EVENTS_IN_FLIGHT_MAX = 16
# About 80 s with the pauses: a bridge that is mended meanwhile gets the event after all.
EVENT_DEFECTS_MAX = 30
_HELLO_TIMEOUT_S = 10.0
_EVENT_TIMEOUT_S = 15.0
_GREETED_TIMEOUT_S = 2.0
_PAUSE_FIRST_S = 0.1
_PAUSE_LONGEST_S = 3.0

ResultT = TypeVar("ResultT", bound=actions.WireModel)


class BridgeSession:
    """The agent's end of one connection.

    Attributes:
        ready: Set once Hello is answered.
        frame_bytes_max: Largest picture that the bridge takes.
    """

    def __init__(  # noqa: PLR0913 - the parts of an agent, each one of a kind
        self,
        socket: Connection,
        *,
        lane_id: UUID,
        journal: Journal,
        state: LaneState,
        opening: Callable[[Callable[[], Situation]], Opening],
        work: LaneWork,
        server_time: ServerTime,
        health: SelfReport,
        bridge: Reachability,
        on_answer: Callable[[UUID | None], None],
        on_policy: Callable[[int], None],
        report: Reporter,
        limits: WireLimits,
    ) -> None:
        self._lane_id = lane_id
        self._journal = journal
        self._state = state
        self._opening = opening(self.situation)
        self._work = work
        self._server_time = server_time
        self._health = health
        self._bridge = bridge
        self._on_answer = on_answer
        self._on_policy = on_policy
        self._report = report
        self._link = Link(socket, limits, "a")
        self._epoch: int | None = None
        self._heartbeat_s = limits.heartbeat_interval_s
        self._acknowledged = asyncio.Event()
        self._defects = 0
        self._hello_seq = 0
        self.ready = asyncio.Event()
        self.frame_bytes_max = limits.image_bytes_max

    async def run(self) -> None:
        """Serve the connection until it ends.

        Raises:
            ExceptionGroup: of what ended it, such as `LinkClosedError` or `CallRefusedError`.
        """
        # Another bridge may have another clock; what it says is measured again.
        self._server_time.forget()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._serve_orders())
                await self._hello()
                group.create_task(self._beat())
                group.create_task(self._send_events())
        finally:
            # An order of this connection that the relay was not told of yet is stale now.
            self._epoch = None

    def situation(self) -> Situation:
        """Return what the guards need to know at this moment."""
        car = self._state.car
        return Situation(
            self._epoch,
            None if car is None else car.presentation_id,
            self._server_time.earliest(),
            self._server_time.latest(),
        )

    async def reported(self, event_id: UUID) -> None:
        """Wait until the bridge has committed an event."""
        while await self._journal.is_queued(event_id):
            await self._acknowledged.wait()
            self._acknowledged.clear()

    async def ask(self, call: actions.WireModel, model: type[ResultT]) -> ResultT:
        """Call the bridge, once it answered Hello, and return what it answers.

        Raises:
            CallRefusedError: the bridge does not do it.
            CallUnansweredError: no answer came.
        """
        await self.ready.wait()
        pending = await self._link.calls.send(call)
        return await pending.result(model, timeout_s=_EVENT_TIMEOUT_S)

    async def send_frame(self, frame: actions.Frame, image: bytes) -> None:
        """Send a picture and wait until it is stored.

        Raises:
            CallRefusedError: the bridge does not want it.
            CallUnansweredError: no answer came.
        """
        pending = await self._link.calls.send_frame(frame, image)
        await pending.result(actions.FrameResult, timeout_s=_EVENT_TIMEOUT_S)

    async def _hello(self) -> None:
        # Of one moment: the bridge takes an older event than `next_seq` for one of a past car.
        car, next_seq = await self._journal.standing()
        hello = actions.Hello(
            agent_version=AGENT_VERSION,
            lane_id=self._lane_id,
            presentation=None
            if car is None
            else actions.CurrentPresentation(
                presentation_id=car.presentation_id, occupied_at=car.occupied_at
            ),
            next_seq=next_seq,
        )
        sent_s = self._server_time.steady()
        pending = await self._link.calls.send(hello)
        result = await pending.result(actions.HelloResult, timeout_s=_HELLO_TIMEOUT_S)
        self._server_time.sample(sent_s, self._server_time.steady(), result.server_time)
        await self._journal.align(result.last_seq)
        self._hello_seq = next_seq
        if (await self._journal.standing())[1] < next_seq or result.last_seq >= next_seq:
            # The bridge would take new events for old ones, or old ones for new.
            raise EventsRenumberedError(next_seq)
        self._epoch = result.session_epoch
        self._heartbeat_s = result.heartbeat_interval_s
        self.frame_bytes_max = result.frame_bytes_max
        self.ready.set()
        self._report({"event": "connected", "session_epoch": result.session_epoch})

    async def _beat(self) -> None:
        car_checked = False
        while True:
            is_known = self._server_time.now() is not None
            # Again where nobody has answered for it: this connection may outlast a long outage.
            if is_known and (not car_checked or self._state.has_waited_too_long()):
                await self._state.present_again_if_old()
                car_checked = True
            health = await self._health.look()
            sent_s = self._server_time.steady()
            heartbeat = actions.Heartbeat(sent_at=self._state.now(), health=health)
            pending = await self._link.calls.send(heartbeat)
            result = await pending.result(actions.HeartbeatResult, timeout_s=self._heartbeat_s)
            self._server_time.sample(sent_s, self._server_time.steady(), result.server_time)
            await asyncio.sleep(self._heartbeat_s)

    async def _serve_orders(self) -> None:
        while True:
            message = await self._link.receive()
            call = message.call if isinstance(message, FrameMessage) else message
            try:
                result = await self._obey(message)
            except WireError as error:
                await self._link.refuse(call.id, error)
            except JournalFullError as error:
                # What cannot be written down must not be pulsed: the same order may come again.
                await self._link.refuse(call.id, NotReadyError(str(error)))
            else:
                await self._link.reply(call.id, result)

    async def _obey(self, message: Call | FrameMessage) -> actions.WireModel:
        if isinstance(message, FrameMessage):
            raise FormatViolationError("message", "text", message.call.id)
        await self._greeted()
        match message.action:
            case "OpenBarrier":
                order = actions.read_payload(actions.OpenBarrier, message.payload)
                return await self._open(order)
            case "Display":
                return self._display(actions.read_payload(actions.Display, message.payload))
            case "PolicyAvailable":
                told = actions.read_payload(PolicyAvailable, message.payload)
                self._on_policy(told.version)
                return actions.Empty()
            case "Readiness":
                said = actions.read_payload(Readiness, message.payload)
                self._bridge.says_unable(said.unable_for_s)
                return actions.Empty()
            case _:
                raise UnknownActionError(tuple(actions.BRIDGE_CALLS))

    async def _greeted(self) -> None:
        """Wait until the answer to Hello is worked off: an order may follow on its heels."""
        try:
            async with asyncio.timeout(_GREETED_TIMEOUT_S):
                await self.ready.wait()
        except TimeoutError:
            raise NotReadyError("action: expected the answer to Hello first") from None

    async def _open(self, order: actions.OpenBarrier) -> actions.OpenBarrierResult:
        # A connection that ends in the middle of a pulse must not end the pulse.
        return await self._work.end(self._carry_out(order))

    async def _carry_out(self, order: actions.OpenBarrier) -> actions.OpenBarrierResult:
        result = await self._opening.carry_out(order)
        if result.status is actions.CommandStatus.ACCEPTED:
            self._on_answer(order.presentation_id)
            self._state.answered(order.presentation_id)
        self._report(
            {
                "event": "order",
                "presentation_id": str(order.presentation_id),
                "command_id": str(order.command_id),
                "status": result.status.value,
                "reason": result.reason,
                "repeated": result.repeated,
            }
        )
        return result

    def _display(self, display: actions.Display) -> actions.Empty:
        self._on_answer(display.presentation_id)
        self._state.answered(display.presentation_id)
        shown = None if display.presentation_id is None else str(display.presentation_id)
        self._report(
            {
                "event": "display",
                "presentation_id": shown,
                "lines": display.lines,
                "qr": display.qr,
                "ttl_ms": display.ttl_ms,
            }
        )
        return actions.Empty()

    async def _send_events(self) -> None:
        pause_s = _PAUSE_FIRST_S
        while True:
            self._state.changed.clear()
            events = await self._journal.queued(EVENTS_IN_FLIGHT_MAX)
            if not events:
                await self._state.changed.wait()
            elif await self._send(events):
                pause_s = _PAUSE_FIRST_S
            else:
                await asyncio.sleep(pause_s)
                pause_s = min(_PAUSE_LONGEST_S, pause_s * 2)

    async def _send(self, events: list[StoredEvent]) -> bool:
        """Send events in their order; return False when the bridge wants them later."""
        sent: list[tuple[StoredEvent, PendingCall]] = []
        for event in events:
            try:
                payload = _payload(event)
            except PayloadInvalidError as error:
                if sent:
                    break
                # Written by an older agent, or damaged: it must not hold up what follows.
                await self._give_up(event, error)
                return True
            sent.append((event, await self._link.calls.send(payload)))
        for event, pending in sent:
            self._bridge.told()
            try:
                last_seq = await self._acknowledgement(pending)
            except CallRefusedError as error:
                if not self._is_final(event, error):
                    return False
                await self._give_up(event, error)
                # The waiting events have other numbers now: read them again.
                return True
            self._defects = 0
            self._bridge.committed()
            await self._journal.acknowledge(last_seq)
            self._acknowledged.set()
        return True

    def _is_final(self, event: StoredEvent, error: CallRefusedError) -> bool:
        """Return whether the bridge will never take the event, or failed at it too often."""
        if error.wire_code == InternalWireError.code:
            self._defects += 1
            _log.warning("event_failed", seq=event.seq, tries=self._defects, error=str(error))
            return self._defects >= EVENT_DEFECTS_MAX
        # A stale epoch says something about the connection, nothing about the event.
        return not error.transient and error.wire_code != StaleEpochError.code

    async def _acknowledgement(self, pending: PendingCall) -> int:
        result = await pending.result(actions.Acknowledged, timeout_s=_EVENT_TIMEOUT_S)
        return result.last_seq

    async def _give_up(self, event: StoredEvent, error: ParkingError) -> None:
        self._defects = 0
        self._bridge.committed()
        _log.error("event_refused", seq=event.seq, action=event.action, error=str(error))
        await self._journal.set_aside(event.seq, str(error))
        self._acknowledged.set()
        self._report({"event": "event_refused", "action": event.action, "error": str(error)})
        if event.seq < self._hello_seq:
            # The next new event gets a number that Hello counted among the old ones.
            raise EventsRenumberedError(self._hello_seq)


def _payload(event: StoredEvent) -> actions.WireModel:
    body = orjson.loads(event.body)
    return actions.read_payload(actions.AGENT_CALLS[event.action], {**body, "seq": event.seq})
