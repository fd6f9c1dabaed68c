"""Real pictures for training: only those whose manifest line says that they may train weights."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from recognition.images import Corners, Picture, as_picture, corners_of_box, extent
from recognition.training.errors import TrainingDataError

_COLUMNS: Final = {"file", "text", "x", "y", "w", "h", "use"}
# EasyPR's boxes are rotated rectangles without their angle: centre first, sides in any order.
_CENTRED_FOLDERS: Final = {"easypr", "first-light"}
# A plate that covers more of its picture than this was cut out of a larger one.
_CROP_SHARE: Final = 0.9
PICTURE_WIDTH_MAX_PX: Final = 720


@dataclass(frozen=True)
class Photograph:
    """A real picture with the plates that somebody marked.

    Attributes:
        path: The file.
        plates: Upright corners; the real plate may be turned a little inside.
        texts: What stands on each plate; empty where nobody wrote it down.
    """

    path: Path
    plates: tuple[Corners, ...]
    texts: tuple[str, ...]

    def load(self) -> Picture:
        """Decode the picture."""
        decoded = cv2.imread(str(self.path), cv2.IMREAD_COLOR)
        if decoded is None:
            raise TrainingDataError(f"{self.path} is not a picture")
        return as_picture(decoded)


def load_photographs(folder: Path, *, without: frozenset[str] = frozenset()) -> list[Photograph]:
    """Return the pictures of `folder/manifest.csv` with use=train.

    Args:
        folder: Where manifest.csv and the pictures lie.
        without: Texts of plates that are kept for measuring; their pictures are left out.

    Raises:
        TrainingDataError: no manifest, a column is missing, or nothing may train.
    """
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise TrainingDataError(f"{manifest} does not exist")
    grouped: dict[str, list[dict[str, str]]] = {}
    with manifest.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        missing = _COLUMNS - set(reader.fieldnames or ())
        if missing:
            raise TrainingDataError(f"{manifest} has no column {', '.join(sorted(missing))}")
        for row in reader:
            if row["use"] == "train" and row["x"]:
                grouped.setdefault(row["file"], []).append(row)
    kept = [
        _photograph(folder, rows)
        for rows in grouped.values()
        if not without & {row["text"] for row in rows}
    ]
    if not kept:
        raise TrainingDataError(f"{manifest} has no picture with use=train")
    return kept


def _photograph(folder: Path, rows: list[dict[str, str]]) -> Photograph:
    plates = tuple(_corners(row) for row in rows)
    return Photograph(folder / rows[0]["file"], plates, tuple(row["text"] for row in rows))


def _corners(row: dict[str, str]) -> Corners:
    x, y, width, height = (float(row[key]) for key in ("x", "y", "w", "h"))
    if row["file"].split("/")[0] not in _CENTRED_FOLDERS:
        return corners_of_box(x, y, width, height)
    if height > width:
        width, height = height, width
    return corners_of_box(x - width / 2, y - height / 2, width, height)


def is_crop(photograph: Photograph, picture: Picture) -> bool:
    """Return whether the plate fills the picture, so that there is nothing to detect."""
    width, height = extent(photograph.plates[0])
    return width * height > _CROP_SHARE * picture.shape[0] * picture.shape[1]


def reduced(picture: Picture, plates: tuple[Corners, ...]) -> tuple[Picture, tuple[Corners, ...]]:
    """Return picture and corners no wider than `PICTURE_WIDTH_MAX_PX`."""
    factor = PICTURE_WIDTH_MAX_PX / picture.shape[1]
    if factor >= 1:
        return picture, plates
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return as_picture(small), tuple((corners * factor).astype(np.float32) for corners in plates)
