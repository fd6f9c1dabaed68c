"""Dirt on a plate: hides a part of a character until the reader takes it for another one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from recognition.images import Corners, Picture, as_picture
from recognition.pipeline import Recognizer

MUD_BGR: Final = (62, 78, 92)
ATTEMPTS_MAX: Final = 160
# Shares of the plate: where a splash may begin, and how large it may be.
_STEPS_ACROSS: Final = 32
_HEIGHTS: Final = ((0.05, 0.55), (0.45, 0.95), (0.3, 0.7), (0.05, 0.95))
_WIDTH: Final = 0.055


def dirty_copies(photo: Path, recognizer: Recognizer) -> Iterator[bytes]:
    """Yield copies of a photograph with a splash of mud somewhere on its plate, as PNG.

    At most ATTEMPTS_MAX; none if no plate is found.
    """
    picture = as_picture(cv2.imread(str(photo)))
    found = recognizer.recognize_picture(picture).plates
    if not found:
        return
    corners = found[0].detection.corners
    splashes = [
        (left / _STEPS_ACROSS, top, bottom)
        for top, bottom in _HEIGHTS
        for left in range(_STEPS_ACROSS // 4, _STEPS_ACROSS - 1)
    ]
    for left, top, bottom in splashes[:ATTEMPTS_MAX]:
        splashed = _splash(picture, corners, (left, top, left + _WIDTH, bottom))
        yield cv2.imencode(".png", splashed)[1].tobytes()


def _splash(picture: Picture, corners: Corners, box: tuple[float, float, float, float]) -> Picture:
    """Paint a rectangle, in shares of the plate, as the plate lies in the picture."""
    left, top, right, bottom = box
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)
    onto_picture = cv2.getPerspectiveTransform(unit, corners.astype(np.float32))
    splash = np.array(
        [[[left, top], [right, top], [right, bottom], [left, bottom]]], dtype=np.float32
    )
    outline = cv2.perspectiveTransform(splash, onto_picture).round().astype(np.int32)
    return as_picture(cv2.fillPoly(picture.copy(), [outline], MUD_BGR, cv2.LINE_AA))
