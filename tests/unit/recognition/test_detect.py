"""Heat map to detections, and fitting a picture into the network's input."""

import numpy as np

from recognition.detect import DETECTIONS_MAX, Detection, letterbox, peaks, view_around
from recognition.images import Floats, corners_of_box

PLATE = np.array([-24, -8, 24, -8, 24, 8, -24, 8], dtype=np.float32)


def maps(*cells: tuple[int, int, float]) -> tuple[Floats, Floats]:
    heat = np.zeros((36, 64), dtype=np.float32)
    corners = np.zeros((8, 36, 64), dtype=np.float32)
    for row, column, score in cells:
        heat[row, column] = score
        corners[:, row, column] = PLATE
    return heat, corners


def test_no_heat_is_no_plate() -> None:
    assert peaks(*maps(), 0.3) == []


def test_a_peak_is_a_plate_around_its_cells_centre() -> None:
    (found,) = peaks(*maps((10, 20, 0.75)), 0.3)
    assert found.score == 0.75
    assert found.corners.tolist() == [[140, 76], [188, 76], [188, 92], [140, 92]]
    assert found.width_px == 48


def test_the_surest_comes_first_and_noise_is_left_out() -> None:
    found = peaks(*maps((5, 5, 0.5), (20, 40, 0.875), (30, 10, 0.25)), 0.3)
    assert [each.score for each in found] == [0.875, 0.5]


def test_two_peaks_on_one_plate_are_one() -> None:
    found = peaks(*maps((10, 20, 0.75), (10, 22, 0.625)), 0.3)
    assert [each.score for each in found] == [0.75]


def test_there_is_a_limit() -> None:
    crowd = [(row, column, 0.5) for row in range(2, 34, 6) for column in range(4, 60, 10)]
    assert len(crowd) > DETECTIONS_MAX
    assert len(peaks(*maps(*crowd), 0.3)) == DETECTIONS_MAX


def test_a_wide_picture_fills_the_width() -> None:
    picture = np.full((720, 1280, 3), 255, dtype=np.uint8)
    fitted, scale = letterbox(picture, 512, 288)
    assert (fitted.shape, scale) == ((288, 512, 3), 0.4)
    assert fitted.min() == 255


def test_a_tall_picture_leaves_the_right_black() -> None:
    fitted, scale = letterbox(np.full((960, 720, 3), 255, dtype=np.uint8), 512, 288)
    assert scale == 0.3
    assert fitted[:, :216].min() == 255
    assert fitted[:, 216:].max() == 0


def plate_at(x: float, y: float, width_px: float) -> Detection:
    return Detection(corners_of_box(x - width_px / 2, y - 10, width_px, 20), 0.5)


def test_the_closer_view_has_the_plate_in_its_middle() -> None:
    picture = np.zeros((720, 1280, 3), dtype=np.uint8)
    assert view_around(plate_at(640, 360, 120), picture, 0.5625) == (440, 248, 840, 472)


def test_the_closer_view_stays_in_the_picture() -> None:
    picture = np.zeros((720, 1280, 3), dtype=np.uint8)
    assert view_around(plate_at(30, 700, 120), picture, 0.5625) == (0, 588, 230, 720)


def test_the_nearest_plate_is_sure_and_wide() -> None:
    assert plate_at(100, 100, 60).nearness == 30
