"""What is remembered of one driver at one place, and how a visit changes it. Pure.

Visits count less the longer ago they are: twice, with a short and a long memory, so that what has
begun and what has lapsed can be told apart. Nothing is rewritten as time passes: everything stands
as it was on the day of the last visit, and whoever reads it lets it fade to their own day.
"""

import math
import struct
from dataclasses import dataclass
from datetime import date
from typing import Final

DAYS: Final = 7
MINUTES: Final = 1440
# Half-lives in weeks.
FAST_WEEKS: Final = 4.0
SLOW_WEEKS: Final = 12.0
# How far back single days are known: eight weeks, in one signed integer of 64 bits.
RECENT_DAYS: Final = 56
_RECENT_MASK: Final = (1 << RECENT_DAYS) - 1
# Offsets of what is summed by weekday.
FAST: Final = 0
SLOW: Final = DAYS
COSINE: Final = 2 * DAYS
SINE: Final = 3 * DAYS
SUMS: Final = 4 * DAYS
_PACKED: Final = struct.Struct(f"<{SUMS}f")
_FAST_DAY: Final = 2.0 ** (-1 / (DAYS * FAST_WEEKS))
_SLOW_DAY: Final = 2.0 ** (-1 / (DAYS * SLOW_WEEKS))
_FAST_FADED: Final = tuple(_FAST_DAY**age for age in range(RECENT_DAYS + 1))
_SLOW_FADED: Final = tuple(_SLOW_DAY**age for age in range(RECENT_DAYS + 1))
_MONDAY: Final = date(1970, 1, 5).toordinal()
_ANGLE: Final = 2 * math.pi / MINUTES


@dataclass(slots=True)
class HabitState:
    """A driver's visits of a place. Days are ordinals of local dates; a day counts once.

    Attributes:
        first_day: Since when the driver is known anywhere: not having come before says something.
        last_day: Of the last visit; everything else stands as it was then.
        visits: Days with a visit.
        recent: Bit i: there was a visit i days before `last_day`.
        sums: By weekday: visits by the short and by the long memory, and the long memory's cosines
            and sines of the time of arrival.
    """

    first_day: int
    last_day: int
    visits: int
    recent: int
    sums: list[float]

    def pack(self) -> bytes:
        """Return the sums as they are stored."""
        return _PACKED.pack(*self.sums)


def unpack(packed: bytes) -> list[float]:
    """Return the sums that were stored."""
    return list(_PACKED.unpack(packed))


def weekday_of(day: int) -> int:
    """Return the weekday of an ordinal; 0 is Monday."""
    return (day - _MONDAY) % DAYS


def first_visit(day: int, minute: int, *, known_since: int) -> HabitState:
    """Return what is remembered after a driver's first visit of a place.

    Args:
        day: The local date of arrival, as an ordinal.
        minute: Of the day, local.
        known_since: The driver's first day anywhere, as far as it is remembered.
    """
    state = HabitState(min(day, known_since), day, 1, 1, [0.0] * SUMS)
    _add(state, day, minute, 1.0, 1.0)
    return state


def visited(state: HabitState, day: int, minute: int) -> bool:
    """Count a visit; returns whether it changed anything.

    The order of visits does not matter while they are less than RECENT_DAYS apart. A day counts
    once, with the arrival that was heard of first, and one that is further back not any more.
    """
    age = state.last_day - day
    if age < 0:
        _fade(state, -age)
        state.recent = ((state.recent << -age) & _RECENT_MASK if -age < RECENT_DAYS else 0) | 1
        state.last_day = day
        _add(state, day, minute, 1.0, 1.0)
    elif age >= RECENT_DAYS or state.recent >> age & 1:
        return False
    else:
        state.recent |= 1 << age
        _add(state, day, minute, _FAST_FADED[age], _SLOW_FADED[age])
    state.first_day = min(state.first_day, day)
    state.visits += 1
    return True


def _fade(state: HabitState, days: int) -> None:
    if days <= RECENT_DAYS:
        fast, slow = _FAST_FADED[days], _SLOW_FADED[days]
    else:
        fast, slow = _FAST_DAY**days, _SLOW_DAY**days
    sums = state.sums
    state.sums = [each * fast for each in sums[:SLOW]] + [each * slow for each in sums[SLOW:]]


def _add(state: HabitState, day: int, minute: int, fast: float, slow: float) -> None:
    weekday = weekday_of(day)
    sums = state.sums
    angle = minute * _ANGLE
    sums[FAST + weekday] += fast
    sums[SLOW + weekday] += slow
    sums[COSINE + weekday] += slow * math.cos(angle)
    sums[SINE + weekday] += slow * math.sin(angle)
