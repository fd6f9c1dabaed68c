"""The street in front of a simulated gate, kept in a file.

A real barrier does not fall down when the agent's process is killed, and a real car does not
vanish. So the simulated ones live in a log of their own, which also counts the pulses.
"""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from gate_bridge.agent.pictures import CarPictures

RECORDS_MAX = 100_000


class Happening(StrEnum):
    """What may happen on the street."""

    CAR_CAME = "car_came"
    CAR_LEFT = "car_left"
    PULSED = "pulsed"
    ARM_ROSE = "arm_rose"
    ARM_FELL = "arm_fell"


class Car(BaseModel):
    """A car on the loop.

    Attributes:
        plate: What the camera reads by itself; None for a camera that only sends pictures.
    """

    model_config = ConfigDict(frozen=True)

    pictures: CarPictures
    plate: str | None = None
    confidence: float = 0.95


class _Record(BaseModel):
    what: Happening
    command_id: UUID | None = None
    car: Car | None = None


@dataclass(slots=True)
class Street:
    """What the log says of this moment."""

    car: Car | None = None
    arm_up: bool = False
    arm_rising: bool = False
    pulses: int = 0


class StreetLog:
    """Writes what happens, and reads back what happened before a kill."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.street = Street()
        for record in _records(path):
            self._apply(record)

    def write(
        self, what: Happening, *, command_id: UUID | None = None, car: Car | None = None
    ) -> None:
        """Append one happening; it survives the death of this process."""
        record = _Record(what=what, command_id=command_id, car=car)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, record.model_dump_json(exclude_none=True).encode() + b"\n")
        finally:
            os.close(descriptor)
        self._apply(record)

    def _apply(self, record: _Record) -> None:
        match record.what:
            case Happening.CAR_CAME:
                self.street.car = record.car
            case Happening.CAR_LEFT:
                self.street.car = None
            case Happening.PULSED:
                self.street.pulses += 1
                self.street.arm_rising = True
            case Happening.ARM_ROSE:
                self.street.arm_rising = False
                self.street.arm_up = True
            case Happening.ARM_FELL:
                self.street.arm_rising = False
                self.street.arm_up = False


def count_pulses(path: Path) -> int:
    """Return how often the relay was pulsed, over every process that used the log."""
    return sum(record.what is Happening.PULSED for record in _records(path))


def _records(path: Path) -> list[_Record]:
    if not path.exists():
        return []
    records: list[_Record] = []
    for line in path.read_bytes().splitlines()[-RECORDS_MAX:]:
        try:
            records.append(_Record.model_validate_json(line))
        except ValidationError:
            # The last line of a process that was killed while it wrote.
            continue
    return records
