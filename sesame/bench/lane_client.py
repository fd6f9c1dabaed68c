"""A lane as its agent plays it on the gate wire, without a barrier that takes its time."""

import asyncio
import time
from dataclasses import dataclass
from itertools import cycle
from types import TracebackType
from typing import ClassVar, Final, Self
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gate_bridge.agent.pictures import FRAMES_PER_S
from gate_bridge.wire import actions
from gate_bridge.wire.errors import CallRefusedError, CallUnansweredError, UnknownActionError
from gate_bridge.wire.frames import Call, FrameMessage
from gate_bridge.wire.limits import PATH_PREFIX, SUBPROTOCOL, WireLimits
from gate_bridge.wire.link import Link, LinkClosedError
from parking.kit.clock import Clock
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id
from sesame.bench.cars import Car
from sesame.bench.town import ExitLane

AGENT: Final = "sesame-bench"
ANSWER_TIMEOUT_S: Final = 15.0
OPEN_TIMEOUT_S: Final = 60.0
FRAMES_MAX: Final = 50
PICTURE_TYPE: Final = "image/jpeg"


class LaneShutError(ParkingError):
    """A car was not let out in time."""

    code: ClassVar[str] = "LANE_SHUT"


@dataclass(frozen=True, slots=True)
class Passage:
    """A car that was let out.

    Attributes:
        gate_ms: From the sending of its first picture to the arrival of the order to open.
        opened_s: When that order came, by the steady clock.
    """

    presentation_id: UUID
    gate_ms: float
    opened_s: float


class LaneClient:
    """One connection of one lane; a car at a time.

    It obeys an order only for the car that stands there and of this connection, as an agent does.
    """

    def __init__(self, url: str, lane: ExitLane, clock: Clock) -> None:
        self._url = f"{url}{PATH_PREFIX}{lane.lane_id}"
        self._lane = lane
        self._clock = clock
        self._limits = WireLimits()
        self._free = asyncio.Lock()
        self._seq = 0
        self._epoch = 0
        self._car: UUID | None = None
        self._opened: asyncio.Future[float] | None = None
        self._socket: ClientConnection | None = None
        self._link: Link | None = None
        self._reading: asyncio.Task[None] | None = None
        self.stale_orders = 0

    async def __aenter__(self) -> Self:
        socket = await connect(
            self._url,
            additional_headers={"Authorization": f"Bearer {self._lane.token}"},
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            proxy=None,
            open_timeout=ANSWER_TIMEOUT_S,
            max_size=self._limits.text_bytes_max,
        )
        self._socket = socket
        self._link = Link(socket, self._limits, "a")
        self._reading = asyncio.create_task(self._serve(self._link))
        hello = actions.Hello(
            agent_version=AGENT, lane_id=self._lane.lane_id, presentation=None, next_seq=1
        )
        pending = await self._link.calls.send(hello)
        result = await pending.result(actions.HelloResult, timeout_s=ANSWER_TIMEOUT_S)
        self._epoch, self._seq = result.session_epoch, result.last_seq
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._socket is not None:
            await self._socket.close()
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    async def let_out(self, car: Car) -> Passage:
        """Bring a car to the barrier, show pictures of it until the order comes, and let it pass.

        Raises:
            LaneShutError: no order came in `OPEN_TIMEOUT_S`.
        """
        async with self._free:
            presentation_id = new_id(self._clock.now())
            self._car = presentation_id
            self._opened = asyncio.get_running_loop().create_future()
            await self._report_presentation(actions.PresentationState.OCCUPIED)
            first_sent_s = time.monotonic()
            opened_s = await self._show(car, self._opened)
            await self._report_barrier(actions.BarrierEventKind.OPENED)
            await self._report_barrier(actions.BarrierEventKind.PASSED)
            await self._report_presentation(actions.PresentationState.CLEARED)
            self._car = None
        return Passage(presentation_id, (opened_s - first_sent_s) * 1000, opened_s)

    async def _show(self, car: Car, opened: "asyncio.Future[float]") -> float:
        sending = asyncio.create_task(self._send_pictures(car))
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                return await opened
        except TimeoutError:
            raise LaneShutError(f"{car.plate}: no order in {OPEN_TIMEOUT_S:g} s") from None
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _send_pictures(self, car: Car) -> None:
        """Send pictures at a camera's pace until cancelled, as `gate_bridge.agent.camera` does."""
        loop = asyncio.get_running_loop()
        for picture, _ in zip(cycle(car.pictures), range(FRAMES_MAX), strict=False):
            next_at_s = loop.time() + 1 / FRAMES_PER_S
            now = self._clock.now()
            frame = actions.Frame(
                frame_id=new_id(now),
                presentation_id=self._standing(),
                captured_at=now,
                content_type=PICTURE_TYPE,
            )
            pending = await self._connected().calls.send_frame(frame, picture)
            try:
                await pending.result(actions.FrameResult, timeout_s=ANSWER_TIMEOUT_S)
            except CallRefusedError as error:
                if not error.transient:
                    raise
            await asyncio.sleep(max(0.0, next_at_s - loop.time()))

    async def _report_presentation(self, state: actions.PresentationState) -> None:
        now = self._clock.now()
        self._seq += 1
        await self._acknowledged(
            actions.Presentation(
                event_id=new_id(now),
                seq=self._seq,
                presentation_id=self._standing(),
                state=state,
                occurred_at=now,
            )
        )

    async def _report_barrier(self, kind: actions.BarrierEventKind) -> None:
        now = self._clock.now()
        self._seq += 1
        await self._acknowledged(
            actions.BarrierEvent(
                event_id=new_id(now),
                seq=self._seq,
                presentation_id=self._standing(),
                command_id=None,
                kind=kind,
                occurred_at=now,
                operator=None,
                reason=None,
            )
        )

    async def _acknowledged(self, event: actions.AgentEvent) -> None:
        pending = await self._connected().calls.send(event)
        await pending.result(actions.Acknowledged, timeout_s=ANSWER_TIMEOUT_S)

    async def _serve(self, link: Link) -> None:
        while True:
            try:
                message = await link.receive()
            except LinkClosedError:
                return
            call = message.call if isinstance(message, FrameMessage) else message
            try:
                await link.reply(call.id, self._obey(call))
            except UnknownActionError as error:
                await link.refuse(call.id, error)

    def _obey(self, call: Call) -> actions.WireModel:
        if call.action == "Display":
            return actions.Empty()
        if call.action != "OpenBarrier":
            raise UnknownActionError(tuple(actions.BRIDGE_CALLS))
        order = actions.read_payload(actions.OpenBarrier, call.payload)
        is_current = order.presentation_id == self._car and order.session_epoch == self._epoch
        repeated = self._opened is not None and self._opened.done()
        if not is_current:
            self.stale_orders += 1
        elif self._opened is not None and not repeated:
            self._opened.set_result(time.monotonic())
        return actions.OpenBarrierResult(
            command_id=order.command_id,
            status=actions.CommandStatus.ACCEPTED if is_current else actions.CommandStatus.REJECTED,
            reason=None if is_current else "stale",
            repeated=is_current and repeated,
        )

    def _standing(self) -> UUID:
        if self._car is None:
            raise RuntimeError("no car stands at the lane")
        return self._car

    def _connected(self) -> Link:
        if self._link is None:
            raise RuntimeError("the lane is not connected")
        return self._link


WIRE_FAILURES: Final = (CallRefusedError, CallUnansweredError, LaneShutError, LinkClosedError)
"""What ends one car's exit without an order."""
