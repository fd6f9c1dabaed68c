"""One connected lane: which car stands there, and what its events mean."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from uuid import UUID

import structlog

from gate_bridge.delivery import LaneOutlet
from gate_bridge.id_times import check_not_ahead, is_live
from gate_bridge.presentation import LaneTools, PresentationRun
from gate_bridge.retry import call_once
from gate_bridge.wire.actions import (
    AgentEvent,
    BarrierEvent,
    CurrentPresentation,
    Frame,
    Observation,
    OfflineDecision,
    Presentation,
)
from gate_bridge.wire.calls import CallUnansweredError
from gate_bridge.wire.errors import (
    NotReadyError,
    PayloadInvalidError,
    RateLimitedError,
    WireError,
)
from gate_bridge.wire.offline import OfflineChoice
from parking.flows import display, lane_types
from parking.kit.clock import Clock
from parking.plates.reads import Alternative, PlateRead

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Spawn = Callable[[Coroutine[None, None, None]], asyncio.Task[None]]


class ConnectedLane:
    """The lane behind one connection.

    Events are recorded strictly in the order of their seq. Only the presentation named in Hello
    and those that began after it are live: an older one from the agent's journal is recorded and
    never decided on, because its car is gone. Neither is one that came long ago, or whose clock is
    wrong: its time would decide what the stay costs.

    Args:
        last_seq: The last event that is committed.
        live_seq_min: The first seq that the agent gives out after its Hello.
        spawn: Starts a task that the process owns.
    """

    def __init__(
        self,
        lane: lane_types.Lane,
        outlet: LaneOutlet,
        tools: LaneTools,
        *,
        last_seq: int,
        live_seq_min: int,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self.lane = lane
        self.last_seq = last_seq
        self._outlet = outlet
        self._tools = tools
        # An agent that lost its journal starts again below what is committed.
        self._live_seq_min = max(live_seq_min, last_seq + 1)
        self._clock = clock
        self._spawn = spawn
        self._run: PresentationRun | None = None
        self._is_full = False

    def resume(self, presentation: CurrentPresentation) -> None:
        """Go on with the car that stood there when the agent connected."""
        self._begin(presentation.presentation_id, presentation.occupied_at, resumed=True)

    async def record(self, event: AgentEvent) -> int:
        """Commit an event and act on it; return the last committed seq.

        Raises:
            NotReadyError: an event before this one is missing.
            PayloadInvalidError: a new car comes in the future.
        """
        if event.seq <= self.last_seq:
            return self.last_seq
        if event.seq > self.last_seq + 1:
            # Cumulative acknowledgement: committing past a gap would lose what is in it.
            raise NotReadyError(
                f"seq: expected {self.last_seq + 1}",
                {"field": "seq", "expected": str(self.last_seq + 1)},
            )
        if event.seq >= self._live_seq_min:
            check_not_ahead(event, self._clock.now())
        self.last_seq = await call_once(
            lambda: self._commit(event), self._tools.limits.service_timeout_s
        )
        self._act(event)
        return self.last_seq

    async def store(self, frame: Frame, image: bytes, received_s: float) -> None:
        """Keep a picture durably and have it read.

        Raises:
            PayloadInvalidError: the picture is not of the car that stands there.
            RateLimitedError: there are enough pictures of this car.
        """
        run = self._run
        if run is None or run.presentation_id != frame.presentation_id:
            raise PayloadInvalidError("presentation_id", "the presentation that is current")
        if run.full:
            raise RateLimitedError("frames_per_presentation", self._tools.limits.frames_max)
        if run.crowded:
            raise RateLimitedError("frames_unanswered", self._tools.limits.frames_unanswered_max)
        upload = lane_types.FrameUpload(
            frame.frame_id, frame.presentation_id, frame.captured_at, frame.content_type, image
        )
        await call_once(
            lambda: self._tools.service.store_frame(self.lane, upload),
            self._tools.limits.service_timeout_s,
        )
        self._spawn(run.frame_stored(upload, received_s))

    def poke(self) -> None:
        """Look for late commands."""
        if self._run is not None:
            self._run.poke()

    def close(self) -> None:
        """End with the connection; the car may still stand there."""
        if self._run is not None:
            self._run.end(car_left=False)
            self._run = None

    def _is_live(self, at: datetime) -> bool:
        return is_live(at, self._clock.now())

    def _begin(self, presentation_id: UUID, occupied_at: datetime, *, resumed: bool) -> None:
        if self._run is not None:
            if self._run.presentation_id == presentation_id:
                return
            self._run.end(car_left=True)
        run = PresentationRun(self.lane, presentation_id, self._outlet, self._tools)
        self._run = run
        self._spawn(run.run(resumed=resumed, is_fresh=lambda: self._is_live(occupied_at)))

    def _act(self, event: AgentEvent) -> None:
        match event:
            case Presentation(state="occupied"):
                if event.seq >= self._live_seq_min:
                    self._begin(event.presentation_id, event.occurred_at, resumed=False)
            case Presentation():
                self._clear(event.presentation_id)
            case Observation():
                self._camera_read(event)
            case BarrierEvent():
                _log.info("barrier_event", lane_id=str(self.lane.lane_id), kind=event.kind.value)
            case OfflineDecision():
                self._decided_offline(event)

    def _decided_offline(self, event: OfflineDecision) -> None:
        _log.info(
            "offline_decision",
            lane_id=str(self.lane.lane_id),
            choice=event.choice.value,
            reason=event.reason.value,
        )
        if self._run is not None and self._run.presentation_id == event.presentation_id:
            # It may stand there still, with an order that is to be sent after all.
            self._run.poke()
            if event.choice is OfflineChoice.KEEP_CLOSED:
                self._spawn(self._run.show_again())

    def _camera_read(self, event: Observation) -> None:
        run = self._run
        if run is None or run.presentation_id != event.presentation_id:
            return
        if event.is_backfill or not self._is_live(event.captured_at):
            return
        heading = lane_types.Heading(event.heading.value)
        is_standing = self._tools.standing.saw(
            self.lane.lane_id, event.presentation_id, event.plate, time.monotonic()
        )
        if is_standing and heading == lane_types.Heading.UNKNOWN:
            _log.info("standing_car_passed_over", lane_id=str(self.lane.lane_id))
            return
        run.camera_read(_plate_read(event), event.source, heading)

    def _clear(self, presentation_id: UUID) -> None:
        if self._run is not None and self._run.presentation_id == presentation_id:
            self._run.end(car_left=True)
            self._run = None
            if self._is_full:
                self._spawn(self._show(display.full()))

    async def show_sign(self, *, is_full: bool) -> None:
        """Let the display say whether there is room, while no car stands there."""
        was_full, self._is_full = self._is_full, is_full
        if self._run is None and (is_full or was_full):
            # Lines without any text let the display fall back to what it shows by itself.
            await self._show(display.full() if is_full else lane_types.DisplayText(()))

    async def _show(self, text: lane_types.DisplayText) -> None:
        try:
            await self._outlet.send_display(None, text)
        except (CallUnansweredError, WireError) as error:
            _log.info("sign_not_sent", error=str(error), lane_id=str(self.lane.lane_id))

    async def _commit(self, event: AgentEvent) -> int:
        service = self._tools.service
        match event:
            case Presentation():
                return await service.present(
                    self.lane,
                    lane_types.LaneEvent(event.event_id, event.seq, event.occurred_at),
                    event.presentation_id,
                    lane_types.PresentationState(event.state.value),
                )
            case Observation():
                return await service.record_observation(
                    self.lane,
                    lane_types.LaneEvent(event.event_id, event.seq, event.captured_at),
                    event.presentation_id,
                    _plate_read(event),
                    event.source,
                    _tracked_car(event),
                )
            case BarrierEvent():
                return await service.record_barrier_event(self.lane, _barrier_event(event))
            case OfflineDecision():
                return await service.record_offline_decision(self.lane, _offline_decision(event))


def _offline_decision(event: OfflineDecision) -> lane_types.OfflineDecision:
    return lane_types.OfflineDecision(
        event=lane_types.LaneEvent(event.event_id, event.seq, event.occurred_at),
        presentation_id=event.presentation_id,
        command_id=event.command_id,
        is_open=event.choice is OfflineChoice.OPEN,
        reason=event.reason.value,
        observation_id=event.observation_id,
        policy_version=event.policy_version,
        risk_minor=event.risk_minor,
        occupied_at=event.occupied_at,
        clock_uncertainty_ms=event.clock_uncertainty_ms,
    )


def _plate_read(event: Observation) -> PlateRead:
    return PlateRead(
        text=event.plate,
        confidence=event.confidence,
        alternatives=tuple(
            Alternative(text=item.text, probability=item.probability) for item in event.alternatives
        ),
    )


def _tracked_car(event: Observation) -> lane_types.TrackedCar:
    return lane_types.TrackedCar(
        lane_types.Heading(event.heading.value),
        lane_types.ReadState(event.read_state.value),
        event.car_id,
        event.is_backfill,
    )


def _barrier_event(event: BarrierEvent) -> lane_types.BarrierEvent:
    return lane_types.BarrierEvent(
        lane_types.LaneEvent(event.event_id, event.seq, event.occurred_at),
        event.kind.value,
        event.presentation_id,
        event.command_id,
        event.operator,
        event.reason,
    )
