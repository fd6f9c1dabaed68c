"""Tells of what happens again and again, without a line for each time."""

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Final

QUIET_S: Final = 60.0


def printable(text: str, characters_max: int) -> str:
    """Return what of a device's text may stand in a log: no terminal is moved by it."""
    return "".join(char if char.isprintable() else "?" for char in text[:characters_max])


class SeldomLog:
    """Says when something is to be told: at the first time at once, then once a minute.

    Whoever asks bounds the kinds that there are.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._told_s: dict[Hashable, float] = {}
        self._quiet: Counter[Hashable] = Counter()

    def due(self, kind: Hashable) -> int | None:
        """Take in one more; return how many were not told before it, None to tell nothing."""
        now_s = self._seconds()
        if now_s - self._told_s.get(kind, -QUIET_S) < QUIET_S:
            self._quiet[kind] += 1
            return None
        self._told_s[kind] = now_s
        return self._quiet.pop(kind, 0)
