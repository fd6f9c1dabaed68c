"""One gate of the crowd: it stays connected as an agent does, and has a car now and then."""

import asyncio
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from gate_bridge.agent.backoff import full_jitter_s
from gate_bridge.agent.gate_agent import hinted_pause_s
from gate_bridge.wire import actions
from gate_bridge.wire.calls import PendingCall
from gate_bridge.wire.errors import CallUnansweredError, UnknownActionError
from gate_bridge.wire.frames import Call, FrameMessage
from gate_bridge.wire.limits import SUBPROTOCOL, WireLimits
from gate_bridge.wire.link import Link
from parking.kit.clock import SystemClock
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id

AGENT: Final = "sesame-bench"
ANSWER_TIMEOUT_S: Final = 30.0
OPEN_TIMEOUT_S: Final = 30.0
CLOSE_TIMEOUT_S: Final = 1.0
CAMERA: Final = "bench-camera"
CONFIDENCE: Final = 0.97

FAILURES: Final = (ParkingError, OSError, TimeoutError, WebSocketException)
"""What ends a connection, or one car's passage; anything else is a defect of the bench."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a gate connects, and how it proves itself."""

    lane_id: UUID
    url: str
    headers: Mapping[str, str] = field(repr=False)
    tls: ssl.SSLContext | None = None


@dataclass(slots=True)
class _Car:
    presentation_id: UUID
    ordered: "asyncio.Future[float]"


class BenchGate:
    """Attributes tell what happened, by the steady clock of this machine.

    Attributes:
        connected_s: When each Hello was answered, in their order.
        tries: Attempts to connect.
        stale_orders: Orders for another car, or of another connection.
    """

    def __init__(self, address: Address, turns: asyncio.Semaphore) -> None:
        self._address = address
        # Not a limit of the gates, which know nothing of each other: one of this process.
        self._turns = turns
        self._clock = SystemClock()
        self._limits = WireLimits()
        self._link: Link | None = None
        self._seq = 0
        self._epoch = 0
        self._car: _Car | None = None
        self.lock = asyncio.Lock()
        self.connected = asyncio.Event()
        self.connected_s: list[float] = []
        self.tries = 0
        self.stale_orders = 0

    async def run(self) -> None:
        """Stay connected until cancelled, with the pauses of an agent."""
        failures = 0
        while True:
            before = len(self.connected_s)
            self.tries += 1
            hint_s = 0.0
            try:
                await self._connection()
            except (*FAILURES, ExceptionGroup) as error:
                hint_s = hinted_pause_s(error)
            self.connected.clear()
            failures = 0 if len(self.connected_s) > before else failures + 1
            await asyncio.sleep(full_jitter_s(failures, hint_s=hint_s))

    async def open_for(self, plate: str) -> float:
        """Let a car come, and pass; return the ms from its first message to the order to open.

        Raises:
            ParkingError: the connection ended, or refused something.
            TimeoutError: no order came in `OPEN_TIMEOUT_S`.
        """
        async with self.lock:
            now = self._clock.now()
            car = _Car(new_id(now), asyncio.get_running_loop().create_future())
            self._car = car
            started_s = time.monotonic()
            sent = [
                await self._send(self._presentation(actions.PresentationState.OCCUPIED, car)),
                await self._send(self._observation(plate, car)),
            ]
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                ordered_s = await car.ordered
            sent.append(await self._send(self._moved(actions.BarrierEventKind.OPENED, car)))
            sent.append(await self._send(self._moved(actions.BarrierEventKind.PASSED, car)))
            self._car = None
            cleared = self._presentation(actions.PresentationState.CLEARED, car)
            sent.append(await self._send(cleared))
            for pending in sent:
                await pending.result(actions.Acknowledged, timeout_s=ANSWER_TIMEOUT_S)
            return (ordered_s - started_s) * 1000

    async def _connection(self) -> None:
        async with self._turns:
            socket = await connect(
                self._address.url,
                additional_headers=self._address.headers,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                proxy=None,
                open_timeout=ANSWER_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                max_size=self._limits.text_bytes_max,
                ssl=self._address.tls,
            )
        async with socket:
            link = Link(socket, self._limits, "a")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._serve(link))
                group.create_task(self._greet_and_beat(link))

    async def _greet_and_beat(self, link: Link) -> None:
        hello = actions.Hello(
            agent_version=AGENT,
            lane_id=self._address.lane_id,
            presentation=None,
            next_seq=self._seq + 1,
        )
        pending = await link.calls.send(hello)
        result = await pending.result(actions.HelloResult, timeout_s=ANSWER_TIMEOUT_S)
        self._epoch, self._seq, self._link = result.session_epoch, result.last_seq, link
        self.connected_s.append(time.monotonic())
        self.connected.set()
        while True:
            health = actions.AgentHealth(
                queue_depth=0,
                clock_offset_ms=0,
                clock_uncertainty_ms=1,
                barrier=actions.BarrierPosition.DOWN,
            )
            heartbeat = actions.Heartbeat(sent_at=self._clock.now(), health=health)
            pending = await link.calls.send(heartbeat)
            await pending.result(actions.HeartbeatResult, timeout_s=ANSWER_TIMEOUT_S)
            # An agent's own pause; spread, as gates are that did not start together.
            interval_s = result.heartbeat_interval_s
            await asyncio.sleep(interval_s * random.uniform(0.5, 1.5))  # noqa: S311 - no secret

    async def _serve(self, link: Link) -> None:
        while True:
            message = await link.receive()
            call = message.call if isinstance(message, FrameMessage) else message
            try:
                await link.reply(call.id, self._obey(call))
            except UnknownActionError as error:
                await link.refuse(call.id, error)

    def _obey(self, call: Call) -> actions.WireModel:
        if call.action == "Display":
            return actions.Empty()
        if call.action != "OpenBarrier":
            raise UnknownActionError(("OpenBarrier", "Display"))
        order = actions.read_payload(actions.OpenBarrier, call.payload)
        car = self._car
        is_current = (
            car is not None
            and order.presentation_id == car.presentation_id
            and order.session_epoch == self._epoch
        )
        if car is None or not is_current:
            self.stale_orders += 1
        elif not car.ordered.done():
            car.ordered.set_result(time.monotonic())
        return actions.OpenBarrierResult(
            command_id=order.command_id,
            status=actions.CommandStatus.ACCEPTED if is_current else actions.CommandStatus.REJECTED,
            reason=None if is_current else "other_presentation",
            repeated=False,
        )

    async def _send(self, event: actions.AgentEvent) -> PendingCall:
        if self._link is None or not self.connected.is_set():
            raise CallUnansweredError("the gate is not connected")
        return await self._link.calls.send(event)

    def _presentation(self, state: actions.PresentationState, car: _Car) -> actions.Presentation:
        now = self._clock.now()
        self._seq += 1
        return actions.Presentation(
            event_id=new_id(now),
            seq=self._seq,
            presentation_id=car.presentation_id,
            state=state,
            occurred_at=now,
        )

    def _observation(self, plate: str, car: _Car) -> actions.Observation:
        now = self._clock.now()
        self._seq += 1
        return actions.Observation(
            event_id=new_id(now),
            seq=self._seq,
            presentation_id=car.presentation_id,
            plate=plate,
            confidence=CONFIDENCE,
            captured_at=now,
            source=CAMERA,
        )

    def _moved(self, kind: actions.BarrierEventKind, car: _Car) -> actions.BarrierEvent:
        now = self._clock.now()
        self._seq += 1
        return actions.BarrierEvent(
            event_id=new_id(now),
            seq=self._seq,
            presentation_id=car.presentation_id,
            command_id=None,
            kind=kind,
            occurred_at=now,
            operator=None,
            reason=None,
        )
