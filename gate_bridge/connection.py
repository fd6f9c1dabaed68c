"""One connection of one lane's agent: answers its calls, and calls it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import structlog
from websockets.asyncio.connection import Connection

from gate_bridge.call_errors import wire_error
from gate_bridge.fleet import FleetHealth
from gate_bridge.id_times import check_current, check_times
from gate_bridge.identity_port import GateIdentity
from gate_bridge.lane import ConnectedLane, Spawn
from gate_bridge.lane_budgets import LaneBudgets
from gate_bridge.metrics import BridgeMetrics
from gate_bridge.pictures import check_picture
from gate_bridge.pokes import LanePokes
from gate_bridge.policies import LanePolicies, PolicyTools
from gate_bridge.presentation import LaneTools
from gate_bridge.registry import LaneRegistry
from gate_bridge.renewal import renew
from gate_bridge.retry import call_once
from gate_bridge.turns import Turns
from gate_bridge.wire import actions
from gate_bridge.wire.calls import PendingCall
from gate_bridge.wire.closing import GateCloseCode
from gate_bridge.wire.errors import (
    CallUnansweredError,
    FormatViolationError,
    NotReadyError,
    PayloadInvalidError,
    RateLimitedError,
    StaleEpochError,
    UnknownActionError,
    WireError,
)
from gate_bridge.wire.fields import without_controls
from gate_bridge.wire.frames import Call, FrameMessage
from gate_bridge.wire.limits import (
    DISPLAY_LINE_CHARACTERS_MAX,
    DISPLAY_LINES_MAX,
    WireLimits,
)
from gate_bridge.wire.link import Link, LinkClosedError
from gate_bridge.wire.rate import TokenBucket
from parking.flows import lane_types
from parking.gates.shown import ShownCertificate
from parking.kit.clock import Clock
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_FRAMES_IN_FLIGHT_MAX = 8
_DISPLAY_TTL_MS = 60_000
_CONNECT_TIMEOUT_S = 5.0

Job = Callable[[], Awaitable[None]]
Work = Callable[[], Awaitable[actions.WireModel]]


@dataclass(frozen=True, slots=True)
class ConnectionTools:
    """What every connection of one bridge process works with."""

    bridge: str
    clock: Clock
    limits: WireLimits
    registry: LaneRegistry
    pokes: LanePokes
    lane_tools: LaneTools
    frame_budgets: LaneBudgets
    fleet: FleetHealth
    metrics: BridgeMetrics
    spawn: Spawn
    greetings: Turns
    policy_tools: PolicyTools
    look_at_signs: Callable[[], None]
    identity: GateIdentity | None = None


class GateConnection:
    """The bridge's end of one connection.

    Events are worked off one after the other, and frames likewise beside them: the order of a
    lane's events is kept, and a large picture does not hold up the barrier's feedback.
    """

    def __init__(
        self,
        socket: Connection,
        lane: lane_types.Lane,
        tools: ConnectionTools,
        shown: ShownCertificate | None = None,
    ) -> None:
        self._tools = tools
        self._shown = shown
        self._limits = tools.limits
        self._lane = lane
        self._socket = socket
        self._link = Link(socket, tools.limits, "b")
        self._policies = LanePolicies(
            tools.lane_tools.service,
            lane,
            tools.limits,
            tools.lane_tools.limits,
            tools.policy_tools,
        )
        self._connected: ConnectedLane | None = None
        self._superseded = False
        self._call_rate = TokenBucket(tools.limits.calls_per_s, tools.limits.calls_burst)
        self._frame_rate = TokenBucket(tools.limits.frames_per_s, tools.limits.frames_burst)
        self._events: asyncio.Queue[Job] = asyncio.Queue(tools.limits.calls_in_flight_max)
        self._frames: asyncio.Queue[Job] = asyncio.Queue(_FRAMES_IN_FLIGHT_MAX)
        self.session_epoch = 0

    @property
    def lane_id(self) -> UUID:
        """Return the lane."""
        return self._lane.lane_id

    @property
    def lane(self) -> lane_types.Lane:
        """Return the lane as it proved itself."""
        return self._lane

    async def show_sign(self, *, is_full: bool) -> None:
        """Let the lane's display say whether there is room."""
        if self._connected is not None and not self._superseded:
            await self._connected.show_sign(is_full=is_full)

    @property
    def reply_timeout_s(self) -> float:
        """Return how long the agent may take for an answer."""
        return self._limits.reply_timeout_s

    async def serve(self) -> None:
        """Serve the connection until it ends."""
        try:
            greeting = await self._await_hello()
            if greeting is not None and await self._greet(*greeting):
                await self._serve_calls()
        except LinkClosedError as error:
            _log.info("gate_disconnected", code=error.close_code, lane_id=str(self.lane_id))
        finally:
            self._end()

    def supersede(self) -> None:
        """Close: a newer connection of the lane exists, so nothing may be sent on this one."""
        self._fence(GateCloseCode.SUPERSEDED, "a newer connection of this lane exists")

    def refuse_certificate(self) -> None:
        """Close: the lane's certificate was revoked or has expired."""
        self._fence(GateCloseCode.IDENTITY_REFUSED, "the certificate is no longer accepted")

    def _fence(self, code: GateCloseCode, reason: str) -> None:
        if self._superseded:
            return
        self._superseded = True
        if self._connected is not None:
            self._connected.close()
        self._tools.spawn(self._link.close(code, reason))

    async def send_open(self, command: lane_types.OpenCommand) -> PendingCall:
        """Put an order on the wire, under this connection's epoch."""
        if self._superseded:
            raise CallUnansweredError("a newer connection of this lane exists")
        return await self._link.calls.send(
            actions.OpenBarrier(
                command_id=command.command_id,
                presentation_id=command.presentation_id,
                session_epoch=self.session_epoch,
                issued_at=command.issued_at,
                ttl_ms=command.ttl_ms,
            )
        )

    async def send_display(
        self, presentation_id: UUID | None, text: lane_types.DisplayText
    ) -> None:
        """Show a text on the lane's display."""
        await self._link.calls.send(
            actions.Display(
                presentation_id=presentation_id,
                # Names of places go into the text: what the wire refuses must not cost the answer.
                lines=[
                    without_controls(line[:DISPLAY_LINE_CHARACTERS_MAX])
                    for line in text.lines[:DISPLAY_LINES_MAX]
                ],
                qr=text.qr,
                ttl_ms=_DISPLAY_TTL_MS,
            )
        )

    async def _await_hello(self) -> tuple[str, actions.Hello] | None:
        try:
            async with asyncio.timeout(self._limits.hello_timeout_s):
                while True:
                    message = await self._link.receive()
                    try:
                        return _hello(message)
                    except WireError as error:
                        await self._link.refuse(_call(message).id, error)
        except TimeoutError:
            await self._link.close(
                GateCloseCode.HELLO_MISSING, f"no Hello in {self._limits.hello_timeout_s:g} s"
            )
            return None

    async def _greet(self, call_id: str, hello: actions.Hello) -> bool:
        if hello.lane_id != self.lane_id:
            error = PayloadInvalidError("lane_id", "expected the lane of the path")
            await self._link.refuse(call_id, error)
            await self._link.close(GateCloseCode.LANE_MISMATCH, error.description)
            return False
        try:
            async with self._tools.greetings.turn():
                connection = await call_once(
                    lambda: self._tools.lane_tools.service.connect(self._lane, self._tools.bridge),
                    _CONNECT_TIMEOUT_S,
                )
        except Exception as error:  # noqa: BLE001 - whatever failed, the agent comes again
            await self._link.refuse(call_id, wire_error(error, "Hello", self.lane_id))
            lasting = isinstance(error, ParkingError) and not error.retryable
            code = GateCloseCode.IDENTITY_REFUSED if lasting else GateCloseCode.TRY_AGAIN_LATER
            await self._link.close(code, "the lane cannot be taken")
            return False
        self.session_epoch = connection.session_epoch
        self._take_lane(hello, connection.last_seq)
        self._tools.fleet.connected(self._lane, self.session_epoch, hello.agent_version)
        await self._link.reply(
            call_id,
            actions.HelloResult(
                session_epoch=connection.session_epoch,
                server_time=self._tools.clock.now(),
                heartbeat_interval_s=self._limits.heartbeat_interval_s,
                last_seq=connection.last_seq,
                frame_bytes_max=self._limits.image_bytes_max,
            ),
        )
        if hello.presentation is not None and self._connected is not None:
            self._connected.resume(hello.presentation)
        return True

    def _take_lane(self, hello: actions.Hello, last_seq: int) -> None:
        self._connected = ConnectedLane(
            self._lane,
            self,
            self._tools.lane_tools,
            last_seq=last_seq,
            live_seq_min=hello.next_seq,
            clock=self._tools.clock,
            spawn=self._tools.spawn,
        )
        if not self._tools.registry.add(self):
            # The lane's one listener is the newer connection's: this one would end with it.
            return
        pokes = self._tools.pokes
        pokes.listen(self.lane_id, self._on_poke)
        pokes.follow(self.lane_id)
        pokes.announce(self.lane_id, self.session_epoch)
        _log.info("gate_connected", epoch=self.session_epoch, lane_id=str(self.lane_id))

    def _on_poke(self, newer_epoch: int | None) -> None:
        if newer_epoch is not None:
            if newer_epoch > self.session_epoch:
                self.supersede()
        elif self._connected is not None:
            self._connected.poke()
            self._tools.look_at_signs()

    async def _serve_calls(self) -> None:
        workers = [
            asyncio.create_task(_work_off(self._events)),
            asyncio.create_task(_work_off(self._frames)),
            asyncio.create_task(self._policies.announce(self._link.calls.send)),
        ]
        try:
            while True:
                message = await self._link.receive()
                try:
                    await self._dispatch(message, time.monotonic())
                except WireError as error:
                    await self._link.refuse(_call(message).id, error)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _dispatch(self, message: Call | FrameMessage, received_s: float) -> None:
        call = _call(message)
        if self._superseded or self._connected is None:
            raise StaleEpochError(self.session_epoch)
        rate = self._frame_rate if isinstance(message, FrameMessage) else self._call_rate
        if not rate.take():
            name = "frames_per_s" if rate is self._frame_rate else "calls_per_s"
            raise RateLimitedError(name, rate.rate_per_s)
        payload = self._payload(message)
        match payload:
            case actions.Heartbeat():
                self._tools.fleet.heard(self.lane_id, self.session_epoch, payload.health)
                result = actions.HeartbeatResult(
                    sent_at=payload.sent_at, server_time=self._tools.clock.now()
                )
                await self._link.reply(call.id, result)
            case actions.Frame() if isinstance(message, FrameMessage):
                image = message.image
                budget = self._tools.frame_budgets.of(self.lane_id)
                if not budget.take(len(image)):
                    raise RateLimitedError("frame_bytes_per_s", budget.rate_per_s)
                self._enqueue(self._frames, call, lambda: self._store(payload, image, received_s))
            case (
                actions.Presentation()
                | actions.Observation()
                | actions.BarrierEvent()
                | actions.OfflineDecision()
            ):
                self._enqueue(self._events, call, lambda: self._record(payload))
            case actions.FetchPolicy():
                self._enqueue(self._events, call, lambda: self._policies.part(payload))
            case actions.RenewCertificate():
                self._enqueue(
                    self._events, call, lambda: renew(self._tools.identity, self._shown, payload)
                )
            case _:
                raise FormatViolationError("action", "Hello once on each connection", call.id)

    def _payload(self, message: Call | FrameMessage) -> actions.WireModel:
        call = _call(message)
        model = actions.AGENT_CALLS.get(call.action)
        if model is None:
            raise UnknownActionError(tuple(actions.AGENT_CALLS))
        if (model is actions.Frame) != isinstance(message, FrameMessage):
            raise FormatViolationError("action", "Frame, and only Frame, as binary", call.id)
        payload = actions.read_payload(model, call.payload)
        check_times(payload, self._tools.clock.now())
        if isinstance(message, FrameMessage) and isinstance(payload, actions.Frame):
            check_picture(message.image, payload.content_type, self._limits.image_bytes_max)
        return payload

    def _enqueue(self, queue: "asyncio.Queue[Job]", call: Call, work: Work) -> None:
        try:
            queue.put_nowait(lambda: self._answer(call, work))
        except asyncio.QueueFull:
            raise RateLimitedError("calls_in_flight", queue.maxsize) from None

    async def _record(self, event: actions.AgentEvent) -> actions.Acknowledged:
        connected = self._require_current()
        last_seq = await connected.record(event)
        if isinstance(event, actions.OfflineDecision):
            self._policies.decided()
        self._tools.metrics.committed(event, self._tools.clock.now())
        return actions.Acknowledged(last_seq=last_seq)

    async def _store(
        self, frame: actions.Frame, image: bytes, received_s: float
    ) -> actions.FrameResult:
        await self._require_current().store(frame, image, received_s)
        return actions.FrameResult(frame_id=frame.frame_id)

    def _require_current(self) -> ConnectedLane:
        if self._superseded or self._connected is None:
            raise StaleEpochError(self.session_epoch)
        return self._connected

    async def _answer(self, call: Call, work: Work) -> None:
        try:
            result = await work()
        except Exception as error:  # noqa: BLE001 - the loop of one connection outlives one call
            await self._link.refuse(call.id, wire_error(error, call.action, self.lane_id))
        else:
            await self._link.reply(call.id, result)

    def _end(self) -> None:
        if self._connected is not None:
            self._connected.close()
        self._tools.registry.remove(self)
        self._tools.fleet.ended(self.lane_id, self.session_epoch, self._socket.close_code)
        self._tools.pokes.forget(self.lane_id, self._on_poke)
        self._tools.pokes.follow(self.lane_id)


def _call(message: Call | FrameMessage) -> Call:
    return message.call if isinstance(message, FrameMessage) else message


def _hello(message: Call | FrameMessage) -> tuple[str, actions.Hello]:
    if isinstance(message, FrameMessage) or message.action != "Hello":
        raise NotReadyError("action: expected Hello first", {"field": "action"})
    hello = actions.read_payload(actions.Hello, message.payload)
    if hello.presentation is not None:
        check_current(hello.presentation)
    return message.id, hello


async def _work_off(queue: "asyncio.Queue[Job]") -> None:
    while True:
        await (await queue.get())()
