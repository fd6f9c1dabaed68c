"""Distances against worked vectors, and boxes that hold whatever is near."""

from math import pi
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parking.kit.errors import InvalidInputError
from parking.kit.geography import (
    EARTH_RADIUS_M,
    RADIUS_M_MAX,
    Box,
    Position,
    boxes_around,
    distance_m,
)

ROUND: Final = 2 * pi * EARTH_RADIUS_M
positions = st.builds(
    Position,
    st.integers(-90_000_000, 90_000_000),
    st.integers(-180_000_000, 179_999_999),
)


def at(latitude: float, longitude: float) -> Position:
    return Position.of(latitude, longitude)


@pytest.mark.parametrize(
    ("one", "other", "expected_m"),
    [
        # Along the equator and along a meridian, a degree is a 360th of the way round.
        (at(0, 0), at(0, 1), ROUND / 360),
        (at(10, 20), at(11, 20), ROUND / 360),
        # From the pole to the equator a quarter, whatever the longitude; to what is opposite half.
        (at(90, 0), at(0, 77), ROUND / 4),
        (at(0, 0), at(0, -180), ROUND / 2),
        # The poles have no longitude.
        (at(90, 0), at(90, 123), 0.0),
        # Across the antimeridian, two thousandths of a degree.
        (at(0, 179.999), at(0, -179.999), ROUND / 360 * 0.002),
        # A sixth of the way round: at 45° north, from 0° to 90° east, cos d = 1/2.
        (at(45, 0), at(45, 90), ROUND / 6),
        # cos d = sin 30° · sin 30° + cos 30° · cos 30° · cos 180° = -1/2 over the equator's plane.
        (at(30, 0), at(30, 180), ROUND / 3),
    ],
)
def test_distances_are_those_of_the_sphere(
    one: Position, other: Position, expected_m: float
) -> None:
    assert distance_m(one, other) == pytest.approx(expected_m, abs=0.001)


@given(positions, positions)
def test_the_way_back_is_as_long_and_never_more_than_half_the_way_round(
    one: Position, other: Position
) -> None:
    assert distance_m(one, other) == distance_m(other, one)
    assert 0 <= distance_m(one, other) <= ROUND / 2 + 0.001
    assert distance_m(one, one) == 0


@given(positions, positions, positions)
def test_no_way_is_shorter_by_going_somewhere_else(
    one: Position, other: Position, third: Position
) -> None:
    direct, around = distance_m(one, other), distance_m(one, third) + distance_m(third, other)
    assert direct <= around + 0.01


@settings(max_examples=300)
@given(positions, positions, st.integers(1, RADIUS_M_MAX))
def test_boxes_hold_whatever_is_near(center: Position, other: Position, radius_m: int) -> None:
    boxes = boxes_around(center, radius_m)
    assert any(box.holds(center) for box in boxes)
    if distance_m(center, other) <= radius_m:
        assert any(box.holds(other) for box in boxes)


@given(st.integers(-89_000_000, 89_000_000), st.floats(-1, 1), st.floats(-1, 1))
def test_boxes_hold_what_is_near_by_across_the_antimeridian(
    latitude: int, north: float, east: float
) -> None:
    center = Position(latitude, -180_000_000)
    other = Position.of(center.latitude + north / 100, 180 + east / 100 - 360 * (east > 0))
    if distance_m(center, other) <= 2000:
        assert any(box.holds(other) for box in boxes_around(center, 2000))


def test_boxes_are_one_or_two_and_not_larger_than_need_be() -> None:
    [box] = boxes_around(at(0, 0), ROUND / 360)
    assert (box.south, box.west, box.north, box.east) == pytest.approx((-1, -1, 1, 1), abs=4e-6)
    assert box.holds(at(0, 1))
    assert not box.holds(at(0, 1.001))
    first, second = boxes_around(at(0, 179.5), ROUND / 360)
    assert (first.west, first.east) == (pytest.approx(178.5, abs=4e-6), 180)
    assert (second.west, second.east) == (-180, pytest.approx(-179.5, abs=4e-6))
    first, second = boxes_around(at(0, -179.5), ROUND / 360)
    assert (first.west, first.east) == (-180, pytest.approx(-178.5, abs=4e-6))
    assert (second.west, second.east) == (pytest.approx(179.5, abs=4e-6), 180)


@pytest.mark.parametrize("latitude", [89.9999, -89.9999, 90, -90])
def test_around_a_pole_all_longitudes_are_near(latitude: float) -> None:
    [box] = boxes_around(at(latitude, 12), 1000)
    assert (box.west, box.east) == (-180, 180)
    assert latitude in {box.south, box.north} or abs(latitude) < 90
    assert box.holds(at(latitude, -168))


def test_east_of_180_degrees_is_west() -> None:
    assert at(0, 180) == at(0, -180) == Position(0, -180_000_000)
    assert at(0, 179.999_999_9) == at(0, -180)
    assert at(31.24, 121.49).to_json() == {
        "latitude_microdegrees": 31_240_000,
        "longitude_microdegrees": 121_490_000,
    }
    assert (at(31.24, 121.49).latitude, at(31.24, 121.49).longitude) == (31.24, 121.49)


@pytest.mark.parametrize(
    ("latitude", "longitude", "field"),
    [
        (90.01, 0, "near.latitude"),
        (float("nan"), 0, "near.latitude"),
        (0, 180.01, "near.longitude"),
        (0, float("-inf"), "near.longitude"),
    ],
)
def test_what_is_no_angle_is_named(latitude: float, longitude: float, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Position.of(latitude, longitude, field="near")
    assert caught.value.field == field


@pytest.mark.parametrize("radius_m", [0, -1, RADIUS_M_MAX + 1])
def test_a_radius_is_bounded(radius_m: int) -> None:
    with pytest.raises(ValueError, match="radius_m"):
        boxes_around(at(0, 0), radius_m)


def test_an_edge_belongs_to_the_box() -> None:
    assert Box(0, 0, 1, 1).holds(at(1, 1))
