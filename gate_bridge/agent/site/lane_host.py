"""Runs one lane of a site: journal, machine, agent and desk."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

import structlog

from gate_bridge.agent.backoff import full_jitter_s
from gate_bridge.agent.displays.displays import open_display
from gate_bridge.agent.frames.camera_stream import CameraStream
from gate_bridge.agent.gate_agent import GateAgent
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.lane_state import LaneState
from gate_bridge.agent.machines.machine import LaneMachine
from gate_bridge.agent.machines.relay import Relay
from gate_bridge.agent.machines.shared_arm import ArmSide
from gate_bridge.agent.pushed_pictures import PushedPictures
from gate_bridge.agent.reports import Report, Reporter
from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.agent.site.both_ways import Seat
from gate_bridge.agent.site.camera_watch import CameraWatch
from gate_bridge.agent.site.car_steps import Ignoring
from gate_bridge.agent.site.car_watch import CarWatch, LoopWatch, nowhere_else
from gate_bridge.agent.site.contact_words import InputMeaning
from gate_bridge.agent.site.device_line import DeviceLine
from gate_bridge.agent.site.identity import agent_options
from gate_bridge.agent.site.intake import Intake
from gate_bridge.agent.site.lane_desk import LaneDesk
from gate_bridge.agent.site.reply_relay import ReplyRelay
from gate_bridge.agent.site.settings import BridgeSettings, LaneSettings, LoopKind
from gate_bridge.agent.site.shared_place import SharedPlace
from gate_bridge.loops import keep_running, stop_task
from gate_bridge.wire.actions import DeviceHealth
from gate_bridge.wire.limits import CLOCK_OFFSET_MS_MAX
from parking.kit.clock import Clock
from parking.kit.errors import ParkingError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

RESTART_S_MAX: Final = 30.0
# Why a read leads to nothing, where an installer may wonder; repetitions are usual.
_UNUSED: Final = frozenset({*Ignoring} - {Ignoring.REPEATED})


class LaneHost:
    """Keeps one lane running, whatever happens to it or to the others.

    Args:
        lines: The lane's own devices, by name.
        open_relay: Makes what raises the arm, anew at every start.
        streams: Cameras that show pictures: names and addresses. The first is looked at.
        place: At an arm that another lane uses, too; None for an arm of the lane's own.
        report: Is told what happens, with the lane's name.
    """

    def __init__(  # noqa: PLR0913 - the parts of a lane, each one of a kind
        self,
        lane: LaneSettings,
        bridge: BridgeSettings,
        lines: Mapping[str, DeviceLine],
        intake: Intake,
        *,
        open_relay: Callable[[], Relay],
        streams: Mapping[str, str],
        clock: Clock,
        report: Reporter,
        place: SharedPlace | None = None,
    ) -> None:
        self._lane = lane
        self._bridge = bridge
        self._lines = lines
        self._intake = intake
        self._open_relay = open_relay
        self._streams = streams
        self._clock = clock
        self._tell = report
        self._place = place
        self.tried = asyncio.Event()

    async def run(self) -> None:
        """Run the lane until cancelled; after a failure again, with a pause that grows.

        In a task of its own: what is logged in it names the lane.
        """
        structlog.contextvars.bind_contextvars(lane=self._lane.name)
        tries = 0
        while True:
            try:
                await self._serve()
            except (ParkingError, OSError) as error:
                self._report({"event": "lane_failed", "error": str(error)})
            except Exception as error:  # noqa: BLE001 - one lane must not end the others
                _log.exception("lane_failed")
                self._report({"event": "lane_failed", "error": type(error).__name__})
            self.tried.set()
            await asyncio.sleep(full_jitter_s(tries, RESTART_S_MAX))
            tries += 1

    async def _serve(self) -> None:
        lane = self._lane
        async with AsyncExitStack() as stack:
            journal = await Journal.open(lane.journal)
            stack.push_async_callback(journal.close)
            relay = self._open_relay()
            side = None if self._place is None else self._place.side
            machine, pushed = LaneMachine(relay, lane.wiring, side=side), PushedPictures()

            board = None if lane.display is None else open_display(lane.display)
            if board is not None:
                _run_beside(stack, keep_running("display", board.run))

            def hear(record: Report) -> None:
                desk.hear(record)
                if board is not None:
                    board.hear(record)
                self._report(record)

            stream = self._stream()
            if stream is not None:
                stream.start()
                stack.push_async_callback(stream.close)
            agent = GateAgent(
                agent_options(self._lane, self._bridge),
                journal,
                machine,
                lambda: None if stream is None else stream.open(),
                self._clock,
                hear,
                pushed=pushed,
            )
            desk = LaneDesk(
                self._watch(stack),
                agent.state,
                machine,
                pushed,
                has_loop=lane.loop is LoopKind.CONTACT,
                relay=relay if isinstance(relay, ReplyRelay) else None,
                count=self._count,
                steady=steady_seconds,
            )
            agent.health.devices = self._health
            # Before the agent looks at the loop: a device tells of its contacts only once.
            seats = {
                name: Seat(desk, machine, self._inputs(name), lane.name) for name in self._lines
            }
            for name, seat in seats.items():
                await self._intake.restore_inputs(name, seat)
            await stack.enter_async_context(machine)
            await stack.enter_async_context(agent)
            desk.begin()
            _run_beside(stack, keep_running("desk", desk.run))
            if side is not None:
                _run_beside(stack, _ask_again(side, agent.state))
            for name, seat in seats.items():
                self._take_seat(name, seat, stack)
            self.tried.set()
            self._report({"event": "lane_runs", "loop": lane.loop.value})
            await asyncio.Event().wait()

    def _watch(self, stack: AsyncExitStack) -> CarWatch:
        place = self._place
        is_elsewhere = nowhere_else if place is None else place.is_elsewhere
        watch = (
            LoopWatch(is_elsewhere)
            if self._lane.loop is LoopKind.CONTACT
            else CameraWatch(self._lane.stay_s, is_elsewhere)
        )
        if place is not None:
            place.watch = watch
            stack.callback(place.leave)
        return watch

    def _take_seat(self, name: str, seat: Seat, stack: AsyncExitStack) -> None:
        if self._lines[name].device.away_lane_id == self._lane.lane_id:
            self._intake.seat_away(name, seat)
            stack.callback(self._intake.unseat_away, name)
        else:
            self._intake.seat(name, seat)
            stack.callback(self._intake.unseat, name)

    def _stream(self) -> CameraStream | None:
        return next((CameraStream(name, url) for name, url in self._streams.items()), None)

    def _inputs(self, device: str) -> dict[int, InputMeaning]:
        return {
            contact.number: InputMeaning(use, contact.is_inverted)
            for use, contact in self._lane.contacts.items()
            if contact.device == device
        }

    def _count(self, device: str, what: str) -> None:
        line = self._lines[device]
        line.health.counts[what] += 1
        if what in _UNUSED:
            line.leads_nowhere(what)

    def _health(self) -> Sequence[DeviceHealth]:
        return [
            DeviceHealth(
                name=name,
                last_signal_at=line.health.last_signal_at,
                clock_offset_ms=_milliseconds(line.health.clock_ahead_s),
            )
            for name, line in self._lines.items()
        ]

    def _report(self, record: Report) -> None:
        self._tell({"lane": self._lane.name, **record})


def _run_beside(stack: AsyncExitStack, work: Coroutine[None, None, None]) -> None:
    """Let something run until the lane ends."""
    stack.push_async_callback(stop_task, asyncio.create_task(work))


async def _ask_again(side: ArmSide, state: LaneState) -> None:
    """Let the bridge decide anew on a car whose orders ran out behind the other lane's car."""
    while True:
        await side.freed.wait()
        side.freed.clear()
        state.present_again()


def _milliseconds(seconds: float | None) -> int | None:
    if seconds is None:
        return None
    return max(-CLOCK_OFFSET_MS_MAX, min(CLOCK_OFFSET_MS_MAX, round(seconds * 1000)))
