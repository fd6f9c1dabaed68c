"""Who plays in the demo: a car for each scenario, and one of them seen wrongly on its way out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final
from uuid import UUID

from parking.kit.errors import ParkingError
from parking.plates.normalise import fold_plate
from parking.plates.reads import PlateRead
from parking.sessions.rules import Candidate, ReadText, best_match
from recognition.pipeline import Recognizer
from recognition.vote import vote
from sesame.demo.dirt import dirty_copies
from sesame.demo.photographs import SeenCar, cars_of

RENDERED: Final = Path(__file__).parent / "pictures"
CARS: Final = 11
# Cars whose photographs are dirtied before the project's own picture is taken.
DIRTIED_MAX: Final = 3


class CastMissingError(ParkingError):
    """The pictures do not show enough cars that the reader reads."""

    code: ClassVar[str] = "CAST_MISSING"


@dataclass(frozen=True, slots=True)
class DemoCar:
    """A car and the pictures that lanes see of it."""

    plate: str
    pictures: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Misread:
    """A car whose plate is read wrongly at the exit.

    Attributes:
        pictures: What the exit's camera sees.
        text: What the reader makes of it.
        painted: Whether the demo put mud on the picture itself.
    """

    car: DemoCar
    pictures: tuple[Path, ...]
    text: str
    painted: bool


@dataclass(frozen=True, slots=True)
class Cast:
    """One car for each scenario."""

    bound: DemoCar
    temporary: DemoCar
    declined: DemoCar
    frozen: DemoCar
    commuter: DemoCar
    contested: DemoCar
    two_accounts: DemoCar
    lost_answer: DemoCar
    on_credit: DemoCar
    partner: DemoCar
    misread: Misread


def choose_cast(photos: Path | None, workshop: Path) -> Cast:
    """Choose the cars, from a folder of photographs and, where it has too few, from our own.

    Args:
        photos: The folder; None for the project's rendered pictures.
        workshop: Where pictures that are made here are kept.

    Raises:
        InvalidInputError: the folder or its manifest cannot be used.
        CastMissingError: not enough plates can be read.
    """
    recognizer = Recognizer.load()
    given = [] if photos is None else _usable(cars_of(photos.resolve(), recognizer))
    own = _usable(cars_of(RENDERED, recognizer)) if RENDERED.is_dir() else []
    everybody = _different([*given, *own])
    misread = _misread(given, everybody, recognizer, workshop) or _misread(
        own, everybody, recognizer, workshop
    )
    if misread is None:
        raise CastMissingError("photos: no plate is read wrongly, neither as it is nor with mud")
    others = [car for car in everybody if car.plate != misread.car.plate]
    if len(others) < CARS - 1:
        raise CastMissingError(f"photos: expected {CARS} different plates that can be read")
    # Plates that are all Latin drive in the European place, if the photographs show some.
    pool = others if photos is None else others[: CARS - 1]
    latin_first = sorted(pool, key=lambda car: not car.plate.isascii())
    declined, frozen, commuter, on_credit, *rest = latin_first
    anywhere = (car for car in pool if car in rest)
    bound, temporary, contested, two_accounts, lost_answer, partner, *_ = anywhere
    return Cast(
        bound=_demo_car(bound),
        temporary=_demo_car(temporary),
        declined=_demo_car(declined),
        frozen=_demo_car(frozen),
        commuter=_demo_car(commuter),
        contested=_demo_car(contested),
        two_accounts=_demo_car(two_accounts),
        lost_answer=_demo_car(lost_answer),
        on_credit=_demo_car(on_credit),
        partner=_demo_car(partner),
        misread=misread,
    )


def _usable(seen: Iterable[SeenCar]) -> list[SeenCar]:
    """Return the cars that a lane reads right, those first that it reads surely."""
    return sorted((car for car in seen if car.right), key=lambda car: not car.is_sure)


def _different(cars: Iterable[SeenCar]) -> list[SeenCar]:
    """Return each plate once."""
    first: dict[str, SeenCar] = {}
    for car in cars:
        first.setdefault(car.plate, car)
    return list(first.values())


def _misread(
    cars: Sequence[SeenCar], everybody: Sequence[SeenCar], recognizer: Recognizer, workshop: Path
) -> Misread | None:
    plates = [car.plate for car in everybody]
    for car in cars:
        for photo in car.wrong:
            if _is_found([photo.read], car.plate, plates):
                return Misread(_demo_car(car), (photo.path,), photo.read.text, painted=False)
    dirtied = (_dirtied(car, plates, recognizer, workshop) for car in cars[:DIRTIED_MAX])
    return next((misread for misread in dirtied if misread is not None), None)


def _dirtied(
    car: SeenCar, plates: Sequence[str], recognizer: Recognizer, workshop: Path
) -> Misread | None:
    for copy in dirty_copies(car.right[0].path, recognizer):
        read = recognizer.recognize(copy).read
        if read is not None and _is_found([read], car.plate, plates):
            workshop.mkdir(parents=True, exist_ok=True)
            path = workshop / f"dirty-{car.right[0].path.stem}.png"
            path.write_bytes(copy)
            return Misread(_demo_car(car), (path,), read.text, painted=True)
    return None


def _is_found(reads: Iterable[PlateRead], plate: str, plates: Sequence[str]) -> bool:
    """Say whether a lane reads the pictures surely and wrongly, and its stay is found anyway."""
    found = list(reads)
    outcome = vote([*found, *found])
    read = outcome.read
    if read is None or not outcome.agreed or fold_plate(read.text) == plate:
        return False
    text = ReadText(
        read.text,
        tuple(character.probability for character in read.characters),
        tuple((item.text, item.probability) for item in read.alternatives),
    )
    inside = [Candidate(UUID(int=index), one) for index, one in enumerate(plates)]
    match = best_match(text, inside)
    return match is not None and plates[match.session_id.int] == plate


def _demo_car(car: SeenCar) -> DemoCar:
    return DemoCar(car.plate, car.entry)
