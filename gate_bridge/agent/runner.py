"""Plays a list of cars on a lane, takes orders from outside, or both."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from gate_bridge.agent.control import LINE_BYTES_MAX, Control, obey_stream
from gate_bridge.agent.control_socket import ControlSocket
from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.pictures import CarPictures
from gate_bridge.agent.play import SimulatedLane, play_lane
from gate_bridge.agent.reports import Report, Reporter
from gate_bridge.agent.simulation import Motion
from parking.kit.clock import Clock

STDIN = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What happens on the lane.

    Attributes:
        cars: Come one after the other.
        once: End after the last car; otherwise go on until told to stop.
        wait_s: How long a car waits at a closed barrier before it backs out.
        control: Where orders come from: a socket's path, `STDIN`, or None.
        motion: How fast barrier and cars are.
    """

    cars: Sequence[CarPictures] = ()
    once: bool = False
    wait_s: float = 30.0
    control: Path | None = None
    motion: Motion = field(default_factory=Motion)


@dataclass(slots=True)
class Tally:
    """What became of the cars."""

    presentations: int = 0
    let_through: int = 0
    backed_out: int = 0

    def report(self) -> Report:
        """Return the tally as the last record of a run."""
        return {
            "event": "summary",
            "presentations": self.presentations,
            "let_through": self.let_through,
            "backed_out": self.backed_out,
        }


async def run_play(
    options: AgentOptions,
    journal: Path,
    clock: Clock,
    play: Play,
    report: Reporter,
    stop: asyncio.Event,
) -> Tally:
    """Run one lane until its play is over or `stop` is set."""
    clients = ControlSocket()

    def tell(record: Report) -> None:
        report(record)
        clients.tell(record)

    tally = Tally()
    async with AsyncExitStack() as stack:
        lane = await stack.enter_async_context(
            play_lane(options, journal, clock, tell, play.motion)
        )
        control = Control(lane)
        background: list[asyncio.Task[None]] = []
        if play.control == STDIN:
            background.append(asyncio.create_task(_obey_stdin(control, tell)))
        elif play.control is not None:
            await stack.enter_async_context(clients.serve(play.control, control))
        playing = asyncio.create_task(_play(lane, play, tally))
        ends = [
            asyncio.create_task(stop.wait()),
            asyncio.create_task(control.stopped.wait()),
        ]
        try:
            await asyncio.wait([playing, *ends], return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                playing.result()
        finally:
            for task in [playing, *ends, *background]:
                task.cancel()
            await asyncio.gather(playing, *ends, *background, return_exceptions=True)
    return tally


async def _play(lane: SimulatedLane, play: Play, tally: Tally) -> None:
    for pictures in play.cars:
        if lane.presentation_id is None:
            await lane.present_car(pictures)
        tally.presentations += 1
        pulses = lane.barrier.pulses
        if not await lane.wait_free(play.wait_s):
            await lane.car_leaves()
            tally.backed_out += 1
        elif lane.barrier.pulses > pulses:
            tally.let_through += 1
        await lane.settled()
    if not play.once:
        await asyncio.Event().wait()


async def _obey_stdin(control: Control, answer: Reporter) -> None:
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    try:
        await obey_stream(control, reader, answer)
    finally:
        transport.close()
