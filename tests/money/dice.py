"""What decides a story: hypothesis where it shrinks, a seed where speed counts."""

import random
from collections.abc import Sequence
from typing import Protocol, TypeVar

from hypothesis import strategies as st

_T = TypeVar("_T")


class Dice(Protocol):
    """Chooses."""

    def choose(self, options: Sequence[_T]) -> _T:
        """Return one of the options; the first one is the plainest."""
        ...

    def weigh(self, options: Sequence[tuple[_T, int]]) -> _T:
        """Return one of the options by their weights."""
        ...


class SeededDice:
    """Chooses by a seed: the same seed is the same story."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a story's own dice

    def choose(self, options: Sequence[_T]) -> _T:
        """See `Dice.choose`."""
        return self._random.choice(options)

    def weigh(self, options: Sequence[tuple[_T, int]]) -> _T:
        """See `Dice.weigh`."""
        values, weights = zip(*options, strict=True)
        return self._random.choices(values, weights)[0]


class DrawnDice:
    """Lets hypothesis choose, so that it can shorten a story that fails."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def choose(self, options: Sequence[_T]) -> _T:
        """See `Dice.choose`."""
        return self._data.draw(st.sampled_from(options))

    def weigh(self, options: Sequence[tuple[_T, int]]) -> _T:
        """See `Dice.weigh`."""
        tickets = [value for value, weight in options for _ in range(weight)]
        return self._data.draw(st.sampled_from(tickets))
