"""Plays a lane by lines of JSON, so that a demo or a test can drive an agent's process.

Every line is one object with one of `car`, `leave`, `open_by_hand`, `tailgate`, `faults`,
`status` or `stop`; see `docs/gate-wire.md`. Answers and reports are lines of JSON as well.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gate_bridge.agent.pictures import PHOTOS_MAX, CarPictures
from gate_bridge.agent.play import SimulatedLane
from gate_bridge.agent.reports import Report, Reporter
from gate_bridge.agent.simulation import Faults
from gate_bridge.wire.actions import PlateText, Reason, ShortText
from parking.kit.errors import InvalidInputError, ParkingError

LINE_BYTES_MAX = 64 * 1024
CLIENTS_MAX = 8
LATE_S_MAX = 60.0


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ByHand(_Line):
    """Who opens, and why."""

    operator: ShortText
    reason: Reason


class FaultLine(_Line):
    """What is broken from now on."""

    arm_jammed: bool = False
    feedback_lost: bool = False
    contact_late_s: Annotated[float, Field(ge=0, le=LATE_S_MAX)] = 0.0
    confirmation_late_s: Annotated[float, Field(ge=0, le=LATE_S_MAX)] = 0.0


class ControlLine(_Line):
    """One order to the lane."""

    car: Annotated[list[Path], Field(max_length=PHOTOS_MAX)] | None = None
    plate: PlateText | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.95
    leave: bool = False
    tailgate: bool = False
    open_by_hand: ByHand | None = None
    faults: FaultLine | None = None
    status: bool = False
    stop: bool = False


def read_line(line: bytes) -> ControlLine:
    """Return the order of a line.

    Raises:
        InvalidInputError: naming the field.
    """
    try:
        return ControlLine.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "line"
        raise InvalidInputError(field, first["msg"]) from error


class Control:
    """Carries out lines on one lane.

    Attributes:
        stopped: Set by a line that says so.
    """

    def __init__(self, lane: SimulatedLane) -> None:
        self._lane = lane
        self.stopped = asyncio.Event()

    async def obey(self, line: bytes) -> Report:
        """Carry out one line and return the answer to it."""
        try:
            return await self._carry_out(read_line(line))
        except InvalidInputError as error:
            return {"event": "error", "field": error.field, "error": str(error)}
        except ParkingError as error:
            return {"event": "error", "code": error.code, "error": str(error)}

    async def _carry_out(self, line: ControlLine) -> Report:
        if line.car is not None or line.plate is not None:
            presentation_id = await self._lane.present_car(
                CarPictures(photos=tuple(line.car or ())), line.plate, line.confidence
            )
            return {"event": "ok", "presentation_id": str(presentation_id)}
        if line.leave:
            await self._lane.car_leaves()
        if line.tailgate:
            self._lane.barrier.tailgate()
        if line.open_by_hand is not None:
            self._lane.barrier.open_by_hand(line.open_by_hand.operator, line.open_by_hand.reason)
        if line.faults is not None:
            self._lane.barrier.faults = Faults(**line.faults.model_dump())
        if line.stop:
            self.stopped.set()
        return self._lane.status() if line.status else {"event": "ok"}


async def obey_stream(control: Control, reader: asyncio.StreamReader, answer: Reporter) -> None:
    """Carry out lines until the stream ends or says stop."""
    while not control.stopped.is_set():
        try:
            line = await reader.readline()
        except ValueError:
            answer({"event": "error", "field": "line", "error": f"over {LINE_BYTES_MAX} bytes"})
            return
        if not line:
            return
        if line.strip():
            answer(await control.obey(line))


def to_line(report: Report) -> bytes:
    """Return a report as one line."""
    return orjson.dumps(report) + b"\n"
