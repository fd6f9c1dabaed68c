"""Which cars a folder of photographs shows, as the product's own reader sees them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gate_bridge.agent.pictures import photos_in
from parking.kit.errors import InvalidInputError
from parking.plates.normalise import fold_plate
from parking.plates.reads import PlateRead
from recognition.errors import PictureError
from recognition.evaluate import load_manifest
from recognition.pipeline import Recognizer
from recognition.vote import AGREED_CONFIDENCE_MIN, vote

MANIFEST: Final = "manifest.csv"
PHOTOS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture and what the reader makes of it."""

    path: Path
    read: PlateRead


@dataclass(frozen=True, slots=True)
class SeenCar:
    """A car of the folder.

    Attributes:
        plate: What stands on it.
        right: Pictures that are read right, the surest first.
        wrong: Pictures that show the same car and are read otherwise.
    """

    plate: str
    right: tuple[Photo, ...]
    wrong: tuple[Photo, ...]

    @property
    def entry(self) -> tuple[Path, ...]:
        """The pictures that a lane decides on soonest; empty if none is read right."""
        for count in range(len(self.right), 0, -1):
            if agreed(photo.read for photo in self.right[:count]):
                return tuple(photo.path for photo in self.right[:count])
        return tuple(photo.path for photo in self.right[:1])

    @property
    def is_sure(self) -> bool:
        """Whether two frames of it are enough for a decision."""
        return bool(self.right) and agreed([self.right[0].read])


def agreed(reads: Iterable[PlateRead]) -> bool:
    """Say whether a lane that sees these pictures in turn is sure after the first round."""
    found = list(reads)
    return vote([*found, *found]).agreed


def cars_of(folder: Path, recognizer: Recognizer) -> list[SeenCar]:
    """Return the cars of a folder, in the order of its pictures.

    Its manifest.csv (columns file and text) says which plate is on which picture. Without one, a
    sure read counts as the truth.

    Raises:
        InvalidInputError: no folder, no picture, or a manifest that cannot be used.
    """
    photos: dict[str, list[Photo]] = {}
    for path, text in _listed(folder):
        photo = _read(path, recognizer)
        plate = text or _sure_text(photo)
        if photo is not None and plate:
            photos.setdefault(fold_plate(plate), []).append(photo)
    return [_car(plate, seen) for plate, seen in photos.items()]


def _listed(folder: Path) -> Sequence[tuple[Path, str]]:
    manifest = folder / MANIFEST
    if not manifest.exists():
        return [(path, "") for path in photos_in(folder)[:PHOTOS_MAX]]
    pictures = load_manifest(manifest)[:PHOTOS_MAX]
    return [
        (folder / picture.file, picture.plates[0].text if picture.plates else "")
        for picture in pictures
    ]


def _read(path: Path, recognizer: Recognizer) -> Photo | None:
    try:
        read = recognizer.recognize(path.read_bytes()).read
    except PictureError:
        return None
    except OSError as error:
        raise InvalidInputError("photos", f"{path} to be readable: {error.strerror}") from error
    return None if read is None else Photo(path, read)


def _sure_text(photo: Photo | None) -> str:
    if photo is None or photo.read.confidence < AGREED_CONFIDENCE_MIN:
        return ""
    return photo.read.text


def _car(plate: str, photos: list[Photo]) -> SeenCar:
    ranked = sorted(photos, key=lambda photo: photo.read.confidence, reverse=True)
    return SeenCar(
        plate=plate,
        right=tuple(photo for photo in ranked if fold_plate(photo.read.text) == plate),
        wrong=tuple(photo for photo in ranked if fold_plate(photo.read.text) != plate),
    )
