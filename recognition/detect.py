"""Finds the corners of plates in a picture."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from recognition.images import Corners, Floats, Picture, as_floats, as_picture, extent
from recognition.inference import Network
from recognition.models import Model

DETECTIONS_MAX: Final = 8
# The network has one cell for so many pixels of its input.
_CELL_PX: Final = 8
# Centres closer than this share of the plate's width belong to one plate.
_DISTANCE_MIN: Final = 0.5
# The car at the barrier is the nearest: only so many plates are looked at again.
CLOSER_LOOKS_MAX: Final = 2
# In the closer view the plate is this wide, as most plates were in training.
_CLOSER_SHARE: Final = 0.3
_CLOSER_WIDTH_MIN_PX: Final = 96
_CLOSER_DISTANCE_MAX: Final = 0.35


@dataclass(frozen=True)
class Detection:
    """A plate in the picture.

    Attributes:
        corners: Pixels of the picture.
        score: How sure the detector is, 0 to 1.
    """

    corners: Corners
    score: float

    @property
    def width_px(self) -> float:
        """The plate's width as seen."""
        return extent(self.corners)[0]

    @property
    def nearness(self) -> float:
        """Certainty times size: how likely this is the plate of the car at the barrier."""
        return self.score * self.width_px


class Detector:
    """Finds plates with one network: a look at the whole picture, then a closer one at each."""

    def __init__(self, network: Network, model: Model) -> None:
        self._network = network
        self._width_px, self._height_px = model.input_width_px, model.input_height_px
        self._threshold = model.threshold

    def detect(self, picture: Picture) -> list[Detection]:
        """Return the plates, the nearest first; at most `DETECTIONS_MAX`."""
        found = sorted(self._look(picture), key=lambda each: -each.nearness)
        near = [self._closer(picture, each) for each in found[:CLOSER_LOOKS_MAX]]
        return near + found[CLOSER_LOOKS_MAX:]

    def _look(self, picture: Picture) -> list[Detection]:
        fitted, scale = letterbox(picture, self._width_px, self._height_px)
        batch = as_floats(fitted.transpose(2, 0, 1)[None].astype(np.float32))
        heat, corners = self._network.run(np.ascontiguousarray(batch))
        found = peaks(heat[0, 0], corners[0], self._threshold)
        return [Detection(as_floats(each.corners / scale), each.score) for each in found]

    def _closer(self, picture: Picture, detection: Detection) -> Detection:
        """Return the plate with corners from a view in which it is large.

        On the whole picture one cell of the network covers many pixels of a large camera.
        """
        left, top, right, bottom = view_around(detection, picture, self._height_px / self._width_px)
        view = picture[top:bottom, left:right]
        if view.size == 0:
            return detection
        offset = np.array([left, top], dtype=np.float32)
        centre = detection.corners.mean(axis=0) - offset
        reach_px = detection.width_px * _CLOSER_DISTANCE_MAX
        for each in self._look(view):
            if float(np.linalg.norm(each.corners.mean(axis=0) - centre)) < reach_px:
                return Detection(as_floats(each.corners + offset), detection.score)
        return detection


def view_around(detection: Detection, picture: Picture, shape: float) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a part of the picture with the plate in its middle.

    Args:
        detection: The plate.
        picture: The whole picture; the part does not leave it.
        shape: Height over width of the part.
    """
    tall, wide = picture.shape[:2]
    half_width = max(detection.width_px / _CLOSER_SHARE, _CLOSER_WIDTH_MIN_PX) / 2
    x, y = (float(value) for value in detection.corners.mean(axis=0))
    left, right = max(0, round(x - half_width)), min(wide, round(x + half_width))
    half_height = half_width * shape
    top, bottom = max(0, round(y - half_height)), min(tall, round(y + half_height))
    return left, top, right, bottom


def letterbox(picture: Picture, width_px: int, height_px: int) -> tuple[Picture, float]:
    """Fit the picture into the upper left of a black frame; also return the scale used."""
    tall, wide = picture.shape[:2]
    scale = min(width_px / wide, height_px / tall)
    size = (max(1, round(wide * scale)), max(1, round(tall * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    frame = np.zeros((height_px, width_px, 3), dtype=np.uint8)
    frame[: size[1], : size[0]] = as_picture(cv2.resize(picture, size, interpolation=method))
    return frame, scale


def peaks(heat: Floats, corners: Floats, threshold: float) -> list[Detection]:
    """Return the local maxima of the heat with their corners, in pixels of the network's input.

    Args:
        heat: Rows x columns.
        corners: 8 x rows x columns, relative to the cell's centre.
        threshold: Lower peaks are noise.
    """
    around = as_floats(cv2.dilate(heat, np.ones((3, 3), dtype=np.uint8)))
    rows, columns = np.nonzero((heat >= threshold) & (heat >= around))
    order = np.argsort(-heat[rows, columns], kind="stable")
    kept: list[Detection] = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        quad = _mean_corners(heat, corners, row, column)
        detection = Detection(quad, float(heat[row, column]))
        if not any(_same_plate(detection, other) for other in kept):
            kept.append(detection)
        if len(kept) == DETECTIONS_MAX:
            break
    return kept


def _mean_corners(heat: Floats, corners: Floats, row: int, column: int) -> Corners:
    """Return the mean of what a peak and its neighbours say, by their heat.

    All of them were trained to point at the same corners; together they err less than one.
    """
    total, weight = np.zeros((4, 2), dtype=np.float32), 0.0
    for y in range(max(0, row - 1), min(heat.shape[0], row + 2)):
        for x in range(max(0, column - 1), min(heat.shape[1], column + 2)):
            # Squared, so that cells outside of the plate, which learned nothing, do not count.
            share = float(heat[y, x]) ** 2
            centre = np.array([x + 0.5, y + 0.5], dtype=np.float32) * _CELL_PX
            total += share * (corners[:, y, x].reshape(4, 2) + centre)
            weight += share
    return as_floats(total / weight)


def _same_plate(one: Detection, other: Detection) -> bool:
    distance = np.linalg.norm(one.corners.mean(axis=0) - other.corners.mean(axis=0))
    return float(distance) < _DISTANCE_MIN * max(one.width_px, other.width_px)
