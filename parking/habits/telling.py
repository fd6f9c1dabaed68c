"""What is thought of a driver's habits, as they are told themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Final

import numpy as np
from babel.dates import get_day_names

from parking.habits.arrival import windows
from parking.habits.features import weight_of
from parking.habits.models import Habit
from parking.habits.scoring import FIRE_VISITS_MIN
from parking.habits.snapshot import Snapshot, of_rows
from parking.habits.state import DAYS, MINUTES, SLOW, SLOW_WEEKS, weekday_of

# Of a hundred weeks: days that are told at all, and days that are called usual.
PERCENT_MIN: Final = 10
USUAL_PERCENT_MIN: Final = 50
# One week more, in which nothing was seen: after one visit nobody comes in every week.
_UNSEEN_WEEKS: Final = 1.0
_WORDS: Final = {
    "en": ("You usually park here on {days}.", "No usual day yet."),
    "de": ("Sie parken hier meist am {days}.", "Noch kein üblicher Tag."),
    "zh": ("您通常在{days}停在这里。", "还没有惯常的日子。"),
}
_JOINED: Final = {"en": "{day} about {at}", "de": "{day} gegen {at}", "zh": "{day}{at}左右"}


@dataclass(frozen=True, slots=True)
class UsualDay:
    """How often a driver is thought to come on a weekday, and when; times are local.

    Attributes:
        weekday: 0 is Monday.
        percent: Of the weeks.
    """

    weekday: int
    percent: int
    arrives_from: time
    arrives_until: time

    @classmethod
    def around(cls, weekday: int, percent: int, *, centre: int, half: int) -> "UsualDay":
        """Return a day with its window, in minutes; it may reach over midnight."""
        return cls(weekday, percent, _time(centre - half), _time(centre + half))


def usual_days(rows: Sequence[Habit], today: date) -> list[list[UsualDay]]:
    """Return for each habit the weekdays on which the driver comes, Monday first."""
    if not rows:
        return []
    pairs = _pairs(rows, today)
    weeks = np.maximum((pairs.day - pairs.first_day) / DAYS, 1.0).astype(np.float32)
    possible = weight_of(weeks, SLOW_WEEKS) + _UNSEEN_WEEKS
    found: list[list[UsualDay]] = [[] for _ in rows]
    for offset in range(DAYS):
        weekday = weekday_of(pairs.day + offset)
        percent = np.minimum(pairs.sums[SLOW + weekday] / possible, 1) * 100
        centre, half = windows(pairs, offset)
        for one in np.flatnonzero(percent >= PERCENT_MIN).tolist():
            share = round(float(percent[one]))
            at, around = int(centre[one]), int(half[one])
            found[one].append(UsualDay.around(weekday, share, centre=at, half=around))
    return [sorted(days, key=lambda day: day.weekday) for days in found]


def in_words(days: Sequence[UsualDay], visits: int, locale: str) -> str:
    """Return one sentence about a place."""
    language = locale.partition("-")[0]
    if language not in _WORDS:
        language = "en"
    usual, unusual = _WORDS[language]
    named = [day for day in days if day.percent >= USUAL_PERCENT_MIN]
    if not named or visits < FIRE_VISITS_MIN:
        return unusual
    names = get_day_names("wide", locale=language)
    told = [
        _JOINED[language].format(day=names[day.weekday], at=f"{_middle(day):%H:%M}")
        for day in named
    ]
    return usual.format(days=("、" if language == "zh" else ", ").join(told))


def _pairs(rows: Sequence[Habit], today: date) -> Snapshot:
    numbers = np.arange(len(rows))
    return of_rows(
        today.toordinal(),
        np.zeros_like(numbers),
        numbers,
        np.array([row.first_day.toordinal() for row in rows]),
        np.array([row.last_day.toordinal() for row in rows]),
        np.array([row.visits for row in rows]),
        np.array([row.recent for row in rows]),
        [row.sums for row in rows],
    )


def _middle(day: UsualDay) -> time:
    begin = day.arrives_from.hour * 60 + day.arrives_from.minute
    end = day.arrives_until.hour * 60 + day.arrives_until.minute
    return _time(begin + (end - begin) % MINUTES // 2)


def _time(minute: int) -> time:
    return time(minute % MINUTES // 60, minute % 60)
