"""How long a walk takes, without a map of the streets."""

from math import ceil
from typing import Final

# Along a square grid of streets a way is 4/π = 1.27 times as long as the straight line, on the
# mean over all directions; crossings and entrances are not on the line either.
DETOUR_FACTOR: Final = 1.3
# Adults of all ages choose 0.94 to 1.43 m/s when told to walk as usual (Bohannon and Andrews,
# Physiotherapy 97, 2011, a meta-analysis of 23,111 people): the middle, which the old reach too.
WALKING_M_PER_S: Final = 1.2


def walking_s(distance_m: float) -> int:
    """Return how many seconds a walk takes between two positions so far apart in a straight line.

    Raises:
        ValueError: the distance is below nothing.
    """
    if distance_m < 0:
        raise ValueError("distance_m: expected nothing or more")
    return ceil(distance_m * DETOUR_FACTOR / WALKING_M_PER_S)
