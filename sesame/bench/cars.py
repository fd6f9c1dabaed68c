"""The cars of a bench: rendered pictures that the recogniser reads, and its speed when alone."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recognition.pipeline import Recognition, Recognizer
from recognition.vote import vote
from sesame.bench.errors import BenchFailedError

PICTURES: Final = Path(__file__).parents[1] / "demo" / "pictures"
MANIFEST: Final = "manifest.csv"
PLATES_MIN: Final = 3
# The first runs of a network allocate; they are not what a working recogniser takes.
WARM_UP_ROUNDS: Final = 1
ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Car:
    """A plate and the pictures that a lane's camera takes of it, in turn."""

    plate: str
    pictures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ReadableCars:
    """The cars to drive with.

    Attributes:
        model: Names the weights.
        frame_ms: What each picture took the recogniser with nothing else running.
    """

    cars: tuple[Car, ...]
    model: str
    frame_ms: tuple[float, ...]


def readable_cars(folder: Path = PICTURES) -> ReadableCars:
    """Return the cars whose pictures the recogniser agrees on and reads right.

    A bench measures time and not reading: a plate that the weights of the day misread is left out.

    Raises:
        BenchFailedError: too few plates are readable.
    """
    recognizer = Recognizer.load()
    cars: list[Car] = []
    frame_ms: list[float] = []
    for plate, paths in _photographed(folder).items():
        car = Car(plate, tuple(path.read_bytes() for path in paths))
        seen = _look(recognizer, car)
        if _is_readable(plate, seen[: len(car.pictures)]):
            cars.append(car)
            # The worker votes on every picture as well, but that takes microseconds.
            frame_ms += [sum(each.timings_ms.values()) for each in seen]
    if len(cars) < PLATES_MIN:
        raise BenchFailedError(
            f"{folder}: expected {PLATES_MIN} plates that {recognizer.name} reads"
        )
    return ReadableCars(tuple(cars), recognizer.name, tuple(frame_ms))


def _photographed(folder: Path) -> dict[str, list[Path]]:
    """Return the pictures of each plate; one plate in two conditions keeps the first of them."""
    pictures: defaultdict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    with (folder / MANIFEST).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["text"]:
                series = row["file"].rpartition("-")[0]
                pictures[row["text"]][series].append(folder / row["file"])
    return {plate: next(iter(series.values())) for plate, series in pictures.items()}


def _look(recognizer: Recognizer, car: Car) -> Sequence[Recognition]:
    for picture in car.pictures * WARM_UP_ROUNDS:
        recognizer.recognize(picture)
    return [recognizer.recognize(picture) for picture in car.pictures * ROUNDS]


def _is_readable(plate: str, seen: Sequence[Recognition]) -> bool:
    result = vote([each.read for each in seen if each.read is not None])
    return result.agreed and result.read is not None and result.read.text == plate
