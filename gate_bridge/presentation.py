"""One car at one loop: read it, decide once, carry the decision out.

A run ends by itself after `end()`. It is not cancelled in the middle of a decision: that one
completes, and a command that came too late for its car is recorded as refused.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from gate_bridge.delivery import Delivery, LaneOutlet
from gate_bridge.frame_queue import FrameQueue
from gate_bridge.options import ReadingLimits
from gate_bridge.port import LaneService
from gate_bridge.reading import Reading, Verdict
from gate_bridge.retry import call_until
from gate_bridge.standing_cars import StandingCars
from gate_bridge.timings import PresentationTimings, TimingsListener
from parking.flows.lane_types import (
    Decision,
    DisplayText,
    FrameUpload,
    Heading,
    Lane,
    ReadSource,
)
from parking.kit.errors import ParkingError
from parking.plates.frame_stream import FrameReply, FrameRequest
from parking.plates.reads import PlateRead

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_CHECK_S = 0.2
_NOT_READABLE = DisplayText(("Plate not readable", "Please call staff"))
_PLEASE_WAIT = DisplayText(("One moment please",))
_WRONG_WAY = DisplayText(("Wrong way", "Please call staff"))
_FAILED = DisplayText(("Not possible right now", "Please call staff"))


@dataclass(frozen=True, slots=True)
class LaneTools:
    """What every presentation of one bridge process works with."""

    service: LaneService
    frames: FrameQueue
    limits: ReadingLimits
    on_timings: TimingsListener
    standing: StandingCars = field(default_factory=StandingCars)


class PresentationRun:
    """One presentation on one connection."""

    def __init__(
        self, lane: Lane, presentation_id: UUID, outlet: LaneOutlet, tools: LaneTools
    ) -> None:
        self.presentation_id = presentation_id
        self._lane = lane
        self._tools = tools
        self._limits = tools.limits
        self._reading = Reading(tools.limits, time.monotonic())
        self._delivery = Delivery(lane, presentation_id, outlet, tools.service, tools.limits)
        self._news = asyncio.Event()
        self._ended = False
        self._car_left = False
        self._store_ms: dict[UUID, float] = {}

    @property
    def full(self) -> bool:
        """Return whether no more frames are taken."""
        return self._reading.full

    @property
    def crowded(self) -> bool:
        """Return whether a further frame would only queue behind those that wait already."""
        return self._reading.crowded

    async def frame_stored(self, upload: FrameUpload, received_s: float) -> None:
        """Hand a stored frame, which arrived at `received_s`, to the recognisers."""
        now_s = time.monotonic()
        self._store_ms[upload.frame_id] = (now_s - received_s) * 1000
        if self._reading.add(upload, received_s, now_s):
            await self._submit(upload)

    def camera_read(self, read: PlateRead, camera: str, heading: Heading) -> None:
        """Take in a plate that the camera read itself."""
        self._reading.camera_read(read, camera, heading)
        self._news.set()

    def poke(self) -> None:
        """Look for late commands now."""
        self._news.set()

    async def show_again(self) -> None:
        """Show the answer for the car once more, where there is one."""
        await self._delivery.show_again()

    def end(self, *, car_left: bool) -> None:
        """Stop: the car left, or the connection ended while it still stands there."""
        self._ended = True
        self._car_left = self._car_left or car_left
        self._news.set()

    async def run(self, *, resumed: bool, is_fresh: Callable[[], bool]) -> None:
        """Take the presentation from its first frame to an accepted command.

        Args:
            resumed: Whether an earlier connection may have decided it already.
            is_fresh: Says whether it began not long ago; on an old one only an earlier decision is
                carried out.
        """
        self._tools.frames.listen(self._lane.lane_id, self.presentation_id, self._on_reply)
        try:
            while not await self._take(resumed=resumed, fresh=is_fresh()) and self._is_current():
                # The database may be back by then, and the car stands there still.
                await self._wait(self._limits.backoff_s_max)
                resumed = True
        finally:
            # A late reply changes nothing any more: it must not ask the domain for commands.
            self._tools.frames.forget(self._lane.lane_id, self.presentation_id, self._on_reply)
        self._reading.close()
        await self._follow_commands()

    async def _take(self, *, resumed: bool, fresh: bool) -> bool:
        """Decide, and carry it out; returns False where that failed for a passing reason."""
        try:
            decision = await self._resume() if resumed else None
            if decision is not None:
                await self._carry_out(decision, None)
            elif not fresh:
                _log.warning("presentation_not_live", **self._names())
                # Not final: the agent may present the car again, and then pictures are wanted.
                await self._delivery.show(_FAILED, final=False)
            else:
                await self._read_and_decide()
        except Exception as error:  # noqa: BLE001 - a presentation's defect must not end the connection
            _log.exception("presentation_failed", **self._names())
            is_passing = isinstance(error, ParkingError) and error.retryable
            # A final one would tell the agent that no more pictures are wanted.
            await self._delivery.show(_FAILED, final=not is_passing)
            return not is_passing
        return True

    def _on_reply(self, reply: FrameReply) -> None:
        self._reading.answer(reply, time.monotonic())
        self._news.set()

    async def _resume(self) -> Decision | None:
        return await call_until(
            lambda: self._tools.service.resume(self._lane, self.presentation_id),
            self._limits,
            name="resume",
            wanted=self._is_current,
        )

    async def _read_and_decide(self) -> None:
        verdict = await self._read()
        if verdict is None:
            return
        if verdict.read is None or verdict.source is None:
            _log.info("plate_not_readable", **self._names())
            await self._delivery.show(_NOT_READABLE)
            await self._leave_to_staff()
            return
        decision = await self._decide(verdict.read, verdict.source)
        self._tools.standing.decided(
            self._lane.lane_id, self.presentation_id, verdict.read.text, time.monotonic()
        )
        await self._carry_out(decision, verdict)

    async def _leave_to_staff(self) -> None:
        try:
            await call_until(
                lambda: self._tools.service.report_unreadable(self._lane, self.presentation_id),
                self._limits,
                name="report_unreadable",
                wanted=self._is_current,
            )
        except ParkingError as error:
            _log.warning("not_left_to_staff", error=repr(error), **self._names())

    async def _read(self) -> Verdict | None:
        told = told_way = False
        while self._is_current():
            now_s = time.monotonic()
            verdict = self._reading.verdict(now_s)
            if verdict is not None:
                return verdict
            if not told_way and self._reading.turned_away:
                told_way = True
                await self._delivery.show(_WRONG_WAY, final=False)
            if not told and self._reading.silent(now_s):
                told = True
                await self._delivery.show(_PLEASE_WAIT, final=False)
            for frame in self._reading.due(now_s):
                await self._submit(frame.upload)
            await self._wait(_CHECK_S)
        return None

    async def _decide(self, read: PlateRead, source: ReadSource) -> Decision:
        return await call_until(
            lambda: self._tools.service.decide(self._lane, self.presentation_id, read, source),
            self._limits,
            name="decide",
            wanted=self._is_current,
        )

    async def _carry_out(self, decision: Decision, verdict: Verdict | None) -> None:
        started_s = time.monotonic()
        if self._ended:
            # Without a connection the command stays open: it is resumed on the next one.
            if self._car_left and decision.command is not None:
                await self._delivery.withdraw(decision.command)
            return
        if decision.command is None:
            await self._delivery.show(decision.display)
            self._report(decision, verdict, started_s, None)
            return
        pending, sent_s = await self._delivery.open(decision.command)
        self._report(decision, verdict, started_s, sent_s)
        await self._delivery.show(decision.display)
        if pending is not None:
            await self._delivery.settle(decision.command, pending)

    async def _follow_commands(self) -> None:
        while self._is_current() and not self._delivery.accepted:
            is_stale = self._delivery.is_stale
            await self._wait(self._limits.renewal_pause_s if is_stale else self._limits.poll_s)
            if self._is_current():
                await self._delivery.send_pending(self._is_current)

    async def _submit(self, upload: FrameUpload) -> None:
        await self._tools.frames.submit(
            FrameRequest(
                operator_id=self._lane.operator_id,
                lane_id=self._lane.lane_id,
                presentation_id=self.presentation_id,
                frame_id=upload.frame_id,
                captured_at=upload.captured_at,
                reply_to=self._tools.frames.reply_to,
                image=upload.image,
            )
        )

    async def _wait(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    def _is_current(self) -> bool:
        return not self._ended

    def _report(
        self,
        decision: Decision,
        verdict: Verdict | None,
        started_s: float,
        sent_s: float | None,
    ) -> None:
        steps_ms: dict[str, float] = {}
        if verdict is not None and verdict.reply is not None:
            steps_ms["store"] = self._store_ms.get(verdict.reply.frame_id, 0.0)
            steps_ms.update(verdict.reply.timings_ms)
        steps_ms.update(decision.timings_ms)
        if sent_s is not None:
            steps_ms["send"] = (sent_s - started_s) * 1000
        self._tools.on_timings(
            PresentationTimings(
                lane_id=self._lane.lane_id,
                presentation_id=self.presentation_id,
                action=decision.action.value,
                frames=len(self._reading.frame_ids),
                steps_ms=steps_ms,
                frame_to_open_ms=_between_ms(verdict.received_s if verdict else None, sent_s),
                first_frame_to_open_ms=_between_ms(self._reading.first_received_s, sent_s),
            )
        )

    def _names(self) -> dict[str, str]:
        return {
            "lane_id": str(self._lane.lane_id),
            "presentation_id": str(self.presentation_id),
        }


def _between_ms(from_s: float | None, to_s: float | None) -> float | None:
    return None if from_s is None or to_s is None else (to_s - from_s) * 1000
