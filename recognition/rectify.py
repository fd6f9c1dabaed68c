"""Turns the quadrilateral of a plate into upright rows for the reader."""

from typing import Final

import cv2
import numpy as np

from recognition.images import Corners, GrayPicture, Picture, as_picture, extent

# What the reader takes.
ROW_HEIGHT_PX: Final = 48
ROW_WIDTH_PX: Final = 160
# The detector's corners are a little off: a margin keeps the outer characters whole.
# Along the plate more than across it; relative to the plate's height.
_MARGIN: Final = (0.08, 0.04)
# Plates at least this tall for their width may have two rows of characters.
_TWO_ROW_ASPECT_MAX: Final = 2.4
# The rows share a little: a first row is often lower or higher than half of the plate.
_UPPER_ROW: Final = (0.0, 0.52)
_LOWER_ROW: Final = (0.42, 1.0)


def aspect(corners: Corners) -> float:
    """Return the plate's width over its height, as seen."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    top, right, bottom, left = (float(side) for side in sides)
    return (top + bottom) / max(left + right, 1e-6)


def may_have_two_rows(corners: Corners) -> bool:
    """Return whether the plate is tall enough for two rows."""
    return aspect(corners) < _TWO_ROW_ASPECT_MAX


def plate_row(
    picture: Picture, corners: Corners, span: tuple[float, float] = (0.0, 1.0)
) -> GrayPicture:
    """Return the plate, or the part of its height between `span`, upright, gray, reader-sized."""
    grown = _grown(corners)
    upper, lower = span
    left_edge, right_edge = grown[3] - grown[0], grown[2] - grown[1]
    part = np.array(
        [
            grown[0] + left_edge * upper,
            grown[1] + right_edge * upper,
            grown[1] + right_edge * lower,
            grown[0] + left_edge * lower,
        ],
        dtype=np.float32,
    )
    target = np.array(
        [[0, 0], [ROW_WIDTH_PX, 0], [ROW_WIDTH_PX, ROW_HEIGHT_PX], [0, ROW_HEIGHT_PX]],
        dtype=np.float32,
    )
    return _warped(picture, part, target)


def two_rows(picture: Picture, corners: Corners) -> tuple[GrayPicture, GrayPicture]:
    """Return the upper and the lower row of a plate."""
    return plate_row(picture, corners, _UPPER_ROW), plate_row(picture, corners, _LOWER_ROW)


def _grown(corners: Corners) -> Corners:
    centre = corners.mean(axis=0)
    height = float(
        np.linalg.norm(corners[3] - corners[0]) + np.linalg.norm(corners[2] - corners[1])
    )
    away = corners - centre
    outward = np.sign(away) * height / 2 * _MARGIN
    return (corners + outward).astype(np.float32)


def _warped(picture: Picture, part: Corners, target: Corners) -> GrayPicture:
    """Cut the part out of the picture; large plates are reduced first, against aliasing."""
    left, top = np.maximum(np.floor(part.min(axis=0)).astype(int) - 2, 0)
    right, bottom = np.ceil(part.max(axis=0)).astype(int) + 3
    region = picture[top:bottom, left:right]
    if region.size == 0:
        return np.zeros((ROW_HEIGHT_PX, ROW_WIDTH_PX), dtype=np.uint8)
    gray = as_picture(cv2.cvtColor(region, cv2.COLOR_BGR2GRAY))
    factor = extent(part)[1] / ROW_HEIGHT_PX
    if factor > 1.3:  # noqa: PLR2004 # below that, interpolation alone is smooth enough
        gray = as_picture(cv2.GaussianBlur(gray, (0, 0), 0.34 * factor))
    local = (part - [left, top]).astype(np.float32)
    turn = cv2.getPerspectiveTransform(local, target)
    size = (ROW_WIDTH_PX, ROW_HEIGHT_PX)
    return as_picture(cv2.warpPerspective(gray, turn, size, borderMode=cv2.BORDER_REPLICATE))
