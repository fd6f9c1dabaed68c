"""Geometry of cutting a plate out of a picture."""

import cv2
import numpy as np
import pytest

from recognition.images import Corners, Picture, as_picture, corners_of_box, extent
from recognition.rectify import (
    ROW_HEIGHT_PX,
    ROW_WIDTH_PX,
    aspect,
    may_have_two_rows,
    plate_row,
    two_rows,
)


def test_a_row_has_the_readers_size() -> None:
    picture = np.full((200, 300, 3), 77, dtype=np.uint8)
    row = plate_row(picture, corners_of_box(50, 60, 130, 40))
    assert row.shape == (ROW_HEIGHT_PX, ROW_WIDTH_PX)
    assert np.unique(row).tolist() == [77]


def slanted_plate() -> tuple[Picture, Corners]:
    """A plate whose left half is black and right half white, seen from the side."""
    flat = np.zeros((48, 160, 3), dtype=np.uint8)
    flat[:, 80:] = 255
    source = np.array([[0, 0], [160, 0], [160, 48], [0, 48]], dtype=np.float32)
    corners = np.array([[100, 80], [260, 120], [250, 175], [95, 125]], dtype=np.float32)
    turn = cv2.getPerspectiveTransform(source, corners)
    picture = cv2.warpPerspective(flat, turn, (400, 300), borderValue=(128, 128, 128))
    return as_picture(picture), corners


def test_perspective_is_undone() -> None:
    row = plate_row(*slanted_plate())
    assert row[8:-8, 8:72].mean() < 4
    assert row[8:-8, 88:-8].mean() > 251


def test_the_first_corner_is_the_upper_left_of_the_text() -> None:
    picture, corners = slanted_plate()
    upside_down = plate_row(picture, np.roll(corners, 2, axis=0))
    assert upside_down[8:-8, 8:72].mean() > 251


def test_rows_are_upper_and_lower() -> None:
    picture = np.zeros((120, 160, 3), dtype=np.uint8)
    picture[60:] = 200
    upper, lower = two_rows(picture, corners_of_box(0, 0, 160, 120))
    assert upper[:40].mean() < 10
    assert lower[20:].mean() > 190


@pytest.mark.parametrize(
    ("width", "height", "expected"), [(520, 110, False), (440, 140, False), (190, 140, True)]
)
def test_tall_plates_may_have_two_rows(width: int, height: int, *, expected: bool) -> None:
    corners = corners_of_box(10, 10, width, height)
    assert aspect(corners) == pytest.approx(width / height)
    assert may_have_two_rows(corners) is expected


def test_a_plate_outside_the_picture_is_black() -> None:
    picture = np.full((50, 50, 3), 200, dtype=np.uint8)
    row = plate_row(picture, corners_of_box(100, 100, 60, 20))
    assert row.shape == (ROW_HEIGHT_PX, ROW_WIDTH_PX)
    assert row.max() == 0


def test_extent_is_the_upright_box() -> None:
    corners = np.array([[1, 2], [11, 4], [10, 9], [0, 8]], dtype=np.float32)
    assert extent(corners) == (11, 7)
