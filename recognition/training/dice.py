"""Random choices."""

import numpy as np


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Return true with this probability."""
    return bool(rng.random() < probability)


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """Return a whole number from `low` up to and without `high`."""
    return int(rng.integers(low, high))
