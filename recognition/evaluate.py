"""Measures detection and reading against pictures whose plates are known."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from parking.kit.errors import InvalidInputError
from parking.kit.picture_header import read_header
from recognition.errors import PictureError
from recognition.images import Corners, corners_of_box, extent
from recognition.pipeline import Recognition, Recognizer

_COLUMNS: Final = ("file", "text")
# Two boxes show the same plate if they share this much of their union.
_OVERLAP_MIN: Final = 0.4
_CROP_SHARE: Final = 0.9
_PERCENTILES: Final = (50, 95, 99)
_THRESHOLDS: Final = (0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995)
# EasyPR's boxes are rotated rectangles without their angle: centre first, sides in any order.
_CENTRED_FOLDERS: Final = {"easypr", "first-light"}


@dataclass(frozen=True)
class KnownPlate:
    """A plate that somebody marked or transcribed; either may be missing."""

    text: str
    box: Corners | None
    region: str


@dataclass(frozen=True)
class KnownPicture:
    """A picture and the plates on it."""

    file: str
    plates: tuple[KnownPlate, ...]


@dataclass(frozen=True)
class Score:
    """Figures of one region; `None` where its pictures do not tell.

    Attributes:
        plates: How many there are.
        transcribed: How many of them have a text to compare with.
        detection_recall: Share of the marked plates that were found.
        plate_accuracy: Share of the transcribed plates that were read exactly.
        plate_accuracy_folded: The same with O = 0, Q = 0 and I = 1.
        character_accuracy: 1 less the edits per character.
    """

    region: str
    plates: int
    transcribed: int
    detection_recall: float | None
    plate_accuracy: float | None
    plate_accuracy_folded: float | None
    character_accuracy: float | None


@dataclass(frozen=True)
class ThresholdScore:
    """What the reads are worth that reach a confidence.

    Attributes:
        reads: How many of the transcribed plates have such a read.
        precision: Share of them that are exact; None without any.
        coverage: Share of the transcribed plates that they are of.
    """

    confidence: float
    reads: int
    precision: float | None
    coverage: float | None


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        by_confidence: From the lowest threshold on, over all regions.
        timings_ms: By step, by percentile.
        failed: Files that are not pictures.
    """

    overall: Score
    regions: tuple[Score, ...]
    by_confidence: tuple[ThresholdScore, ...]
    timings_ms: dict[str, dict[str, float]]
    failed: tuple[str, ...]


@dataclass(frozen=True)
class _Outcome:
    region: str
    text: str
    read: str
    found: bool | None
    confidence: float


def load_manifest(path: Path) -> list[KnownPicture]:
    """Read a manifest; several lines with one file are several plates on one picture.

    Raises:
        InvalidInputError: the file cannot be read, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise InvalidInputError("manifest", f"a column {missing[0]} in {path}")
            grouped: dict[str, list[dict[str, str]]] = {}
            for row in reader:
                grouped.setdefault(row["file"], []).append(row)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError("manifest", f"a readable CSV file, got {path}: {error}") from error
    return [
        KnownPicture(file, tuple(_known_plate(row, path.parent) for row in rows))
        for file, rows in grouped.items()
    ]


def _known_plate(row: dict[str, str], folder: Path) -> KnownPlate:
    return KnownPlate(row["text"], _box(row, folder), row.get("region") or "unknown")


def _box(row: dict[str, str], folder: Path) -> Corners | None:
    try:
        x, y, width, height = (float(row[name]) for name in ("x", "y", "w", "h"))
    except (KeyError, ValueError):
        return None
    if (folder / row["file"]).parent.name not in _CENTRED_FOLDERS:
        return corners_of_box(x, y, width, height)
    width, height = max(width, height), min(width, height)
    return corners_of_box(x - width / 2, y - height / 2, width, height)


def evaluate(recognizer: Recognizer, folder: Path, pictures: Iterable[KnownPicture]) -> Evaluation:
    """Recognise every picture and compare.

    A picture that is itself one plate is read without detection.
    """
    outcomes: list[_Outcome] = []
    timings: dict[str, list[float]] = {}
    failed: list[str] = []
    for picture in pictures:
        try:
            recognition = _recognize(recognizer, folder, picture)
        except (PictureError, OSError):
            failed.append(picture.file)
            continue
        for step, spent_ms in recognition.timings_ms.items():
            timings.setdefault(step, []).append(spent_ms)
        outcomes.extend(_outcome(plate, recognition) for plate in picture.plates)
    regions = sorted({outcome.region for outcome in outcomes})
    return Evaluation(
        _score("all", outcomes),
        tuple(_score(name, [each for each in outcomes if each.region == name]) for name in regions),
        tuple(_threshold_score(each, outcomes) for each in _THRESHOLDS),
        {step: _percentiles(values) for step, values in timings.items()},
        tuple(failed),
    )


def _recognize(recognizer: Recognizer, folder: Path, picture: KnownPicture) -> Recognition:
    data = (folder / picture.file).read_bytes()
    if _is_crop(data, picture):
        return recognizer.recognize_crop(data)
    return recognizer.recognize(data)


def _is_crop(data: bytes, picture: KnownPicture) -> bool:
    """Return whether the only plate covers the picture, so that there is nothing to find."""
    header = read_header(data)
    if header is None or len(picture.plates) != 1 or picture.plates[0].box is None:
        return False
    width, height = extent(picture.plates[0].box)
    return width * height > _CROP_SHARE * header.width_px * header.height_px


def _outcome(plate: KnownPlate, recognition: Recognition) -> _Outcome:
    if plate.box is None:
        read = recognition.read
        text, confidence = ("", 0.0) if read is None else (read.text, read.confidence)
        return _Outcome(plate.region, plate.text, text, None, confidence)
    box = plate.box
    found = any(overlap(box, each.corners) >= _OVERLAP_MIN for each in recognition.detections)
    reads = [
        (each.read.text, each.read.confidence)
        for each in recognition.plates
        if overlap(box, each.detection.corners) >= _OVERLAP_MIN
    ]
    text, confidence = reads[0] if reads else ("", 0.0)
    return _Outcome(plate.region, plate.text, text, found, confidence)


def overlap(one: Corners, other: Corners) -> float:
    """Return the shared area over the area of the union of two convex quadrilaterals."""
    shared, _ = cv2.intersectConvexConvex(one, other)
    union = cv2.contourArea(one) + cv2.contourArea(other) - shared
    return float(shared / union) if union > 0 else 0.0


def _score(region: str, outcomes: list[_Outcome]) -> Score:
    marked = [each.found for each in outcomes if each.found is not None]
    known = [(each.text, each.read) for each in outcomes if each.text]
    characters = sum(len(text) for text, _ in known)
    edits = sum(edit_distance(text, read) for text, read in known)
    return Score(
        region,
        len(outcomes),
        len(known),
        _mean([float(found) for found in marked]),
        _mean([float(text == read) for text, read in known]),
        _mean([float(folded(text) == folded(read)) for text, read in known]),
        round(1 - edits / characters, 4) if characters else None,
    )


def _threshold_score(confidence: float, outcomes: list[_Outcome]) -> ThresholdScore:
    known = [each for each in outcomes if each.text]
    sure = [each for each in known if each.read and each.confidence >= confidence]
    return ThresholdScore(
        confidence,
        len(sure),
        _mean([float(each.text == each.read) for each in sure]),
        round(len(sure) / len(known), 4) if known else None,
    )


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def folded(text: str) -> str:
    """Return the text with the characters merged that many countries do not tell apart."""
    return text.translate(str.maketrans("OQI", "001"))


def edit_distance(one: str, other: str) -> int:
    """Return the least number of insertions, deletions and replacements (Levenshtein, 1966)."""
    previous = list(range(len(other) + 1))
    for row, left in enumerate(one, 1):
        current = [row]
        for column, right in enumerate(other, 1):
            replaced = previous[column - 1] + (left != right)
            current.append(min(previous[column] + 1, current[-1] + 1, replaced))
        previous = current
    return previous[-1]


def _percentiles(values: list[float]) -> dict[str, float]:
    return {f"p{each}": round(float(np.percentile(values, each)), 2) for each in _PERCENTILES}
