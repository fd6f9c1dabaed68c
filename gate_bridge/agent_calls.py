"""What an agent calls once it was greeted: admitted, worked off in order, and answered."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from gate_bridge.call_errors import wire_error
from gate_bridge.connection_tools import ConnectionTools
from gate_bridge.id_times import check_times
from gate_bridge.lane import ConnectedLane
from gate_bridge.pictures import check_picture
from gate_bridge.policies import LanePolicies
from gate_bridge.readiness import ReadinessNotice
from gate_bridge.renewal import renew
from gate_bridge.wire import actions
from gate_bridge.wire.errors import (
    FormatViolationError,
    RateLimitedError,
    StaleEpochError,
    UnknownActionError,
    WireError,
)
from gate_bridge.wire.frames import Call, FrameMessage
from gate_bridge.wire.link import Link
from gate_bridge.wire.rate import TokenBucket
from parking.gates.shown import ShownCertificate

_FRAMES_IN_FLIGHT_MAX = 8

Job = Callable[[], Awaitable[None]]
Work = Callable[[], Awaitable[actions.WireModel]]


class CallingConnection(Protocol):
    """What the calls need of their connection."""

    @property
    def session_epoch(self) -> int:
        """Return the epoch that the domain gave this connection."""
        ...

    @property
    def is_current(self) -> bool:
        """Return whether no newer connection of the lane has taken its place."""
        ...


class AgentCalls:
    """The calls of one connection's agent.

    Events are worked off one after the other, and frames likewise beside them: the order of a
    lane's events is kept, and a large picture does not hold up the barrier's feedback.

    Args:
        connection: What the calls come over.
        link: Its wire.
        connected: The lane behind it.
        tools: The bridge process's.
        shown: The certificate that the agent showed, if any.
    """

    def __init__(
        self,
        connection: CallingConnection,
        link: Link,
        connected: ConnectedLane,
        tools: ConnectionTools,
        shown: ShownCertificate | None,
    ) -> None:
        limits = tools.limits
        self._link = link
        self._connection = connection
        self._connected = connected
        self._lane_id = connected.lane.lane_id
        self._tools = tools
        self._limits = limits
        self._shown = shown
        self._policies = LanePolicies(
            tools.lane_tools.service,
            connected.lane,
            tools.lane_tools.limits,
            tools.policy_budgets,
        )
        self._readiness = ReadinessNotice(tools.domain, link.calls.send)
        self._call_rate = TokenBucket(limits.calls_per_s, limits.calls_burst)
        self._frame_rate = TokenBucket(limits.frames_per_s, limits.frames_burst)
        self._events: asyncio.Queue[Job] = asyncio.Queue(limits.calls_in_flight_max)
        self._frames: asyncio.Queue[Job] = asyncio.Queue(_FRAMES_IN_FLIGHT_MAX)

    async def serve(self) -> None:
        """Answer until the connection ends."""
        workers = [
            asyncio.create_task(_work_off(self._events)),
            asyncio.create_task(_work_off(self._frames)),
        ]
        try:
            with self._tools.policy_rounds.over(self._connected.lane, self._link.calls.send):
                await self._receive()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _receive(self) -> None:
        while True:
            message = await self._link.receive()
            try:
                await self._dispatch(message, time.monotonic())
            except WireError as error:
                await self._link.refuse(call_of(message).id, error)

    async def _dispatch(self, message: Call | FrameMessage, received_s: float) -> None:
        call = call_of(message)
        self._check_current()
        rate = self._frame_rate if isinstance(message, FrameMessage) else self._call_rate
        if not rate.take():
            name = "frames_per_s" if rate is self._frame_rate else "calls_per_s"
            raise RateLimitedError(name, rate.rate_per_s)
        payload = self._payload(message)
        match payload:
            case actions.Heartbeat():
                self._tools.fleet.heard(
                    self._lane_id, self._connection.session_epoch, payload.health
                )
                result = actions.HeartbeatResult(
                    sent_at=payload.sent_at, server_time=self._tools.clock.now()
                )
                await self._link.reply(call.id, result)
                await self._readiness.heartbeat()
            case actions.Frame() if isinstance(message, FrameMessage):
                image = message.image
                budget = self._tools.frame_budgets.of(self._lane_id)
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
        call = call_of(message)
        model = actions.AGENT_CALLS.get(call.action)
        if model is None:
            raise UnknownActionError(tuple(actions.AGENT_CALLS))
        if (model is actions.Frame) != isinstance(message, FrameMessage):
            raise FormatViolationError("action", "Frame, and only Frame, as binary", call.id)
        payload = actions.read_payload(model, call.payload)
        if not isinstance(payload, actions.Heartbeat):
            # Most calls are heartbeats; their times decide nothing.
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
        self._check_current()
        last_seq = await self._connected.record(event)
        if isinstance(event, actions.OfflineDecision):
            self._policies.decided()
        self._tools.metrics.committed(event, self._tools.clock.now())
        return actions.Acknowledged(last_seq=last_seq)

    async def _store(
        self, frame: actions.Frame, image: bytes, received_s: float
    ) -> actions.FrameResult:
        self._check_current()
        await self._connected.store(frame, image, received_s)
        return actions.FrameResult(frame_id=frame.frame_id)

    def _check_current(self) -> None:
        if not self._connection.is_current:
            raise StaleEpochError(self._connection.session_epoch)

    async def _answer(self, call: Call, work: Work) -> None:
        try:
            result = await work()
        except Exception as error:  # noqa: BLE001 - the loop of one connection outlives one call
            await self._link.refuse(call.id, wire_error(error, call.action, self._lane_id))
        else:
            await self._link.reply(call.id, result)


def call_of(message: Call | FrameMessage) -> Call:
    """Return the call, also of a frame."""
    return message.call if isinstance(message, FrameMessage) else message


async def _work_off(queue: "asyncio.Queue[Job]") -> None:
    while True:
        await (await queue.get())()
