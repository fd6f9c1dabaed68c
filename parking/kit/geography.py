"""Where things are on Earth: positions in WGS-84, how far apart, and the boxes around one."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import asin, ceil, cos, floor, isfinite, radians, sin, sqrt
from math import degrees as degrees_of
from typing import Final, Self

from parking.kit.errors import InvalidInputError

MICRO: Final = 1_000_000
LATITUDE_MAX: Final = 90
LONGITUDE_MAX: Final = 180
# Of a ball as large as the Earth (IUGG's mean radius): at most 0.6 % off the ellipsoid.
EARTH_RADIUS_M: Final = 6_371_008.8
# Up to here a cap around a position is less than a quarter of the globe.
RADIUS_M_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Position:
    """A position in WGS-84, in millionths of a degree: 11 cm at most.

    Attributes:
        latitude_microdegrees: -90 000 000 to 90 000 000, the north is positive.
        longitude_microdegrees: -180 000 000 up to, not including, 180 000 000; the east is
            positive.
    """

    latitude_microdegrees: int
    longitude_microdegrees: int

    @property
    def latitude(self) -> float:
        """Return the latitude in degrees."""
        return self.latitude_microdegrees / MICRO

    @property
    def longitude(self) -> float:
        """Return the longitude in degrees."""
        return self.longitude_microdegrees / MICRO

    @classmethod
    def of(cls, latitude: float, longitude: float, *, field: str = "") -> Self:
        """Return the position at these degrees; `field` is what they are a part of.

        Raises:
            InvalidInputError: one of them is no such angle.
        """
        within = f"{field}." if field else ""
        if not isfinite(latitude) or abs(latitude) > LATITUDE_MAX:
            raise InvalidInputError(f"{within}latitude", "degrees from -90 to 90")
        if not isfinite(longitude) or abs(longitude) > LONGITUDE_MAX:
            raise InvalidInputError(f"{within}longitude", "degrees from -180 to 180")
        # 180° east and 180° west are one line.
        turned = (round(longitude * MICRO) + 180 * MICRO) % (360 * MICRO) - 180 * MICRO
        return cls(round(latitude * MICRO), turned)

    def to_json(self) -> Mapping[str, int]:
        """Return the position as JSON values."""
        return {
            "latitude_microdegrees": self.latitude_microdegrees,
            "longitude_microdegrees": self.longitude_microdegrees,
        }


@dataclass(frozen=True, slots=True)
class Box:
    """Latitudes and longitudes, in degrees; `west` is never greater than `east`."""

    south: float
    west: float
    north: float
    east: float

    def holds(self, position: Position) -> bool:
        """Whether a position lies in it or on its edge."""
        return (
            self.south <= position.latitude <= self.north
            and self.west <= position.longitude <= self.east
        )


def distance_m(one: Position, other: Position) -> float:
    """Return how far apart two positions are along the great circle, by the haversine formula."""
    one_latitude, other_latitude = radians(one.latitude), radians(other.latitude)
    across = sin((other_latitude - one_latitude) / 2) ** 2
    along = sin(radians(other.longitude - one.longitude) / 2) ** 2
    # Rounding may bring what is opposite a hair above one.
    half_chord = min(1.0, sqrt(across + cos(one_latitude) * cos(other_latitude) * along))
    return 2 * EARTH_RADIUS_M * asin(half_chord)


def boxes_around(center: Position, radius_m: float) -> tuple[Box, ...]:
    """Return one box, or two, that together hold whatever is within a radius.

    Two where the antimeridian passes through; around a pole all longitudes. The boxes hold more
    than the cap: what they hold has to be measured.

    Raises:
        ValueError: the radius is not above nothing, or above RADIUS_M_MAX.
    """
    if not 0 < radius_m <= RADIUS_M_MAX:
        raise ValueError(f"radius_m: expected up to {RADIUS_M_MAX}")
    angle = radius_m / EARTH_RADIUS_M
    south = _down(center.latitude - degrees_of(angle))
    north = _up(center.latitude + degrees_of(angle))
    if south <= -LATITUDE_MAX or north >= LATITUDE_MAX:
        south, north = max(south, -LATITUDE_MAX), min(north, LATITUDE_MAX)
        return (Box(south, -LONGITUDE_MAX, north, LONGITUDE_MAX),)
    # Where the meridian touches the cap, nearer to the pole than its center.
    half = degrees_of(asin(min(1.0, sin(angle) / cos(radians(center.latitude)))))
    west, east = _down(center.longitude - half), _up(center.longitude + half)
    if west < -LONGITUDE_MAX:
        return (
            Box(south, -LONGITUDE_MAX, north, east),
            Box(south, west + 360, north, LONGITUDE_MAX),
        )
    if east >= LONGITUDE_MAX:
        return (
            Box(south, west, north, LONGITUDE_MAX),
            Box(south, -LONGITUDE_MAX, north, east - 360),
        )
    return (Box(south, west, north, east),)


def _down(angle: float) -> float:
    return floor(angle * MICRO - 1) / MICRO


def _up(angle: float) -> float:
    return ceil(angle * MICRO + 1) / MICRO
