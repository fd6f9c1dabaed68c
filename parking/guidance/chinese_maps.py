"""The shifted coordinates of Chinese maps: GCJ-02 by the published formulas, and BD-09 on top.

Maps of China are drawn by law in GCJ-02, up to some 700 m off what a satellite receiver says;
Baidu shifts once more. The formulas are what the public knows of the first shift: they agree with
the maps to a few metres. The way back is found by trying, to less than a centimetre by the same
formulas.
"""

from math import atan2, cos, hypot, pi, radians, sin, sqrt
from typing import Final, NamedTuple

# The ellipsoid of Krassowski (1940), and the square of its eccentricity.
_SEMI_MAJOR_M: Final = 6_378_245.0
_ECCENTRICITY_SQUARED: Final = 0.006_693_421_622_965_943_23
# What the polynomials count from.
_LATITUDE_ORIGIN: Final = 35.0
_LONGITUDE_ORIGIN: Final = 105.0
_BAIDU_LATITUDE: Final = 0.006
_BAIDU_LONGITUDE: Final = 0.0065
_BAIDU_FREQUENCY: Final = pi * 3000.0 / 180.0
_BACK_ROUNDS: Final = 8
# China with its seas lies within; elsewhere there is no shift to undo.
_SOUTH, _NORTH, _WEST, _EAST = 0.8293, 55.8271, 72.004, 137.8347


class Degrees(NamedTuple):
    """Latitude and longitude in degrees, in whatever system the name beside it says."""

    latitude: float
    longitude: float


def is_shifted(wgs: Degrees) -> bool:
    """Whether the formulas are defined there; more than China, which its time zone tells."""
    return _SOUTH <= wgs.latitude <= _NORTH and _WEST <= wgs.longitude <= _EAST


def gcj_of_wgs(wgs: Degrees) -> Degrees:
    """Return GCJ-02 of a WGS-84 position in China; the same position where nothing is shifted."""
    if not is_shifted(wgs):
        return wgs
    x, y = wgs.longitude - _LONGITUDE_ORIGIN, wgs.latitude - _LATITUDE_ORIGIN
    sine = sin(radians(wgs.latitude))
    flat = 1 - _ECCENTRICITY_SQUARED * sine * sine
    # Metres on the ellipsoid to degrees, along the meridian and along the parallel.
    north_m = _SEMI_MAJOR_M * (1 - _ECCENTRICITY_SQUARED) / (flat * sqrt(flat))
    east_m = _SEMI_MAJOR_M / sqrt(flat) * cos(radians(wgs.latitude))
    return Degrees(
        wgs.latitude + _north_shift_m(x, y) * 180.0 / (north_m * pi),
        wgs.longitude + _east_shift_m(x, y) * 180.0 / (east_m * pi),
    )


def wgs_of_gcj(gcj: Degrees) -> Degrees:
    """Return the WGS-84 position that is drawn at a GCJ-02 one, to less than a centimetre."""
    guess = gcj
    for _ in range(_BACK_ROUNDS):
        shown = gcj_of_wgs(guess)
        guess = Degrees(
            guess.latitude + gcj.latitude - shown.latitude,
            guess.longitude + gcj.longitude - shown.longitude,
        )
    return guess


def baidu_of_gcj(gcj: Degrees) -> Degrees:
    """Return BD-09, latitude and longitude, of a GCJ-02 position."""
    x, y = gcj.longitude, gcj.latitude
    radius = hypot(x, y) + 0.000_02 * sin(y * _BAIDU_FREQUENCY)
    angle = atan2(y, x) + 0.000_003 * cos(x * _BAIDU_FREQUENCY)
    return Degrees(radius * sin(angle) + _BAIDU_LATITUDE, radius * cos(angle) + _BAIDU_LONGITUDE)


def _north_shift_m(x: float, y: float) -> float:
    plain = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x))
    waves = 20.0 * sin(y * pi) + 40.0 * sin(y / 3.0 * pi)
    waves += 160.0 * sin(y / 12.0 * pi) + 320.0 * sin(y / 30.0 * pi)
    return plain + (_common_waves(x) + waves) * 2.0 / 3.0


def _east_shift_m(x: float, y: float) -> float:
    plain = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x))
    waves = 20.0 * sin(x * pi) + 40.0 * sin(x / 3.0 * pi)
    waves += 150.0 * sin(x / 12.0 * pi) + 300.0 * sin(x / 30.0 * pi)
    return plain + (_common_waves(x) + waves) * 2.0 / 3.0


def _common_waves(x: float) -> float:
    return 20.0 * sin(6.0 * x * pi) + 20.0 * sin(2.0 * x * pi)
