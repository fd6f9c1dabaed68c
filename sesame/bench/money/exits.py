"""Cars that leave through real gate agents, whatever breaks; people who pay by the code."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from gate_bridge.agent.options import AgentOptions
from gate_bridge.agent.pictures import CarPictures
from gate_bridge.agent.play import SimulatedLane, play_lane
from gate_bridge.agent.simulation import Motion
from parking.flows.context import ParkingContext
from parking.flows.pay_link import pay_url
from parking.flows.payments import prepay
from parking.kit.errors import ParkingError
from sesame.bench.money.payers import press
from sesame.bench.money.street import Gate, Parked

# No arm takes its time: a bench of money is not one of barriers.
MOTION: Final = Motion(rise_s=0.0, pass_s=0.0, fall_s=0.0)
CAMERA_CONFIDENCE: Final = 0.99
RECONNECT_S_MAX: Final = 0.5
LOOK_S: Final = 0.1
# Who is asked to pay does it after a moment; who only waits looks at the display in the end.
PATIENCE_S: Final = 4.0
PAGE_PAUSE_S: Final = 0.5
STANDING_S_MAX: Final = 90.0
TRIES_MAX: Final = 3
PAGE_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Departure:
    """What became of one car.

    Attributes:
        pulses: How often the barrier was opened for it.
        waited_s: From the loop to the free loop.
    """

    parked: Parked
    is_out: bool
    pulses: int
    waited_s: float


@dataclass(slots=True)
class ExitGate:
    """One lane and what its display last showed."""

    gate: Gate
    lane: SimulatedLane
    client: httpx.AsyncClient
    codes: dict[str, str] = field(default_factory=dict[str, str])

    def on_report(self, record: dict[str, Any]) -> None:
        """Take in what the agent reports."""
        if record["event"] == "display" and record.get("qr"):
            self.codes[str(record["presentation_id"])] = record["qr"]

    async def let_out(self, parked: Parked) -> Departure:
        """Bring a car to the loop and wait until it is through; it pays if it is asked to."""
        started_s, before = time.monotonic(), self.lane.barrier.pulses
        for _ in range(TRIES_MAX):
            presentation_id = await self.lane.present_car(
                CarPictures(), parked.plate, CAMERA_CONFIDENCE
            )
            if await self._wait(str(presentation_id), parked):
                break
            await self.lane.car_leaves()
            await self.lane.settled()
        pulses = self.lane.barrier.pulses - before
        await self.lane.settled()
        return Departure(parked, pulses > 0, pulses, time.monotonic() - started_s)

    async def _wait(self, presentation_id: str, parked: Parked) -> bool:
        paying: asyncio.Task[None] | None = None
        patience_s = PATIENCE_S if parked.owner is not None else 0.0
        came_s = time.monotonic()
        try:
            while time.monotonic() - came_s < STANDING_S_MAX:
                if await self.lane.wait_free(LOOK_S):
                    return True
                code = self.codes.get(presentation_id)
                is_tired = time.monotonic() - came_s > patience_s
                if paying is None and code is not None and is_tired:
                    paying = asyncio.create_task(pay_by_code(self.client, code))
                elif paying is not None and paying.done():
                    # Paid, or in vain: the display may say something else by now.
                    paying.result()
                    paying, came_again_s = None, time.monotonic()
                    patience_s = came_again_s - came_s + PATIENCE_S
        finally:
            if paying is not None:
                paying.cancel()
                await asyncio.gather(paying, return_exceptions=True)
        return False


async def pay_by_code(client: httpx.AsyncClient, code: str) -> None:
    """Open the bill behind a code and pay it on the provider's page; tried once, in earnest."""
    try:
        answer = await client.post(code)
        if answer.has_redirect_location and "/pay/" not in _own_path(code, answer):
            await press(client, answer.headers["Location"])
    except httpx.HTTPError:
        # A process that was killed comes back; the driver looks again.
        await asyncio.sleep(PAGE_PAUSE_S)


def _own_path(code: str, answer: httpx.Response) -> str:
    """Return where we are sent if that is our own page again: nothing is to be paid now."""
    target = answer.headers["Location"]
    own = code.partition("/pay/")[0]
    return target if target.startswith((own, "/")) else ""


async def pay_before(context: ParkingContext, client: httpx.AsyncClient, parked: Parked) -> None:
    """Pay before leaving: drivers in their app, others with the address of their bill."""
    gate = parked.gate
    if parked.owner is None:
        url = pay_url(context, gate.operator_id, parked.session_id)
        await pay_by_code(client, url)
        return
    try:
        await prepay.prepay(context, parked.owner.driver_id, parked.session_id)
    except ParkingError:
        # A refusal is an answer: what is due is paid at the gate.
        return


@asynccontextmanager
async def open_gate(
    url: str, gate: Gate, context: ParkingContext, folder: Path, client: httpx.AsyncClient
) -> AsyncGenerator[ExitGate]:
    """Run a lane's real agent with a simulated barrier, for the length of the block."""
    options = AgentOptions(
        url=url, lane_id=gate.lane_id, token=gate.token, reconnect_s_max=RECONNECT_S_MAX
    )
    told: list[Callable[[dict[str, Any]], None]] = []

    def report(record: dict[str, Any]) -> None:
        for listener in told:
            listener(record)

    journal = folder / f"{gate.lane_id}.sqlite"
    async with play_lane(options, journal, context.clock, report, MOTION) as lane:
        exit_gate = ExitGate(gate, lane, client)
        told.append(exit_gate.on_report)
        yield exit_gate
