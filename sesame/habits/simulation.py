"""Drivers that were made up, with habits that are known: to fit by, and to test by.

Two scenes. A city: fifty places, many drivers who come now and then, so that one in fifty
driver-place-days has a visit. A garage: one place that people work at, one day in eight. In both
some come on fixed days, some every other week, some every few days, some begin, some lapse, most
come by chance; they go on holiday, and places close.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parking.kit.errors import InvalidInputError

DRIVERS_MAX: Final = 100_000
WEEKS_MAX: Final = 260
DAYS: Final = 7
# A Monday, in winter.
BEGINS_AT: Final = datetime(2024, 1, 1)  # noqa: DTZ001 - local wall time, as files have it
COLUMNS: Final = ("driver", "place", "entered_at", "left_at")
_DAY_MINUTES: Final = 1440
_WORKING_DAYS: Final = 5
_PLACES: Final = {"city": 50, "garage": 1}
_STRAYS: Final = {"city": 0.35, "garage": 0.0}


class Scene(StrEnum):
    """What is made up."""

    CITY = "city"
    GARAGE = "garage"


class Kind(StrEnum):
    """How a driver comes. LAPSING, STARTING: weekly until or from some day on."""

    COMMUTER = "commuter"
    PART_TIME = "part_time"
    WEEKLY = "weekly"
    BIWEEKLY = "biweekly"
    EVERY_FEW_DAYS = "every_few_days"
    LAPSING = "lapsing"
    STARTING = "starting"
    CASUAL = "casual"


# Shares of kinds, in the order of Kind.
_SHARES: Final = {
    Scene.CITY: (0.02, 0.04, 0.06, 0.03, 0.17, 0.04, 0.04, 0.60),
    Scene.GARAGE: (0.16, 0.20, 0.12, 0.05, 0.16, 0.07, 0.08, 0.16),
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One simulated stay, in local time."""

    driver: str
    place: str
    entered_at: datetime
    left_at: datetime


def simulate(scene: Scene, *, drivers: int, weeks: int, seed: int) -> Iterator[Visit]:
    """Yield the visits of made-up drivers, driver by driver; the same for the same seed.

    Raises:
        InvalidInputError: too many drivers or weeks.
    """
    if not 0 < drivers <= DRIVERS_MAX:
        raise InvalidInputError("drivers", f"1 to {DRIVERS_MAX}")
    if not 0 < weeks <= WEEKS_MAX:
        raise InvalidInputError("weeks", f"1 to {WEEKS_MAX}")
    draw = np.random.default_rng(seed)
    town = _Town(scene, weeks * DAYS, draw)
    for number in range(drivers):
        yield from town.visits(f"d{number}")


def write_visits(path: Path, visits: Iterator[Visit]) -> int:
    """Write a file of sessions, in the order of entry; returns how many."""
    ordered = sorted(visits, key=lambda visit: visit.entered_at)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for one in ordered:
            times = (one.entered_at.isoformat(), one.left_at.isoformat())
            writer.writerow((one.driver, one.place, *times))
    return len(ordered)


class _Town:
    """Where the drivers are: its days, and when which place is closed or quiet."""

    def __init__(self, scene: Scene, days: int, draw: np.random.Generator) -> None:
        self._scene = scene
        self._days = days
        self._draw = draw
        places = _PLACES[scene]
        self._attraction = draw.dirichlet(np.full(places, 0.5))
        # More or less of everything, slowly changing; and weeks in which nearly nobody comes.
        season = 1 + 0.25 * np.sin(np.arange(days) / 365 * 2 * np.pi + draw.uniform(0, 6))
        self._busy = np.tile(season, (places, 1))
        for place in range(places):
            for _ in range(draw.poisson(days / 180)):
                begin = int(draw.integers(days))
                self._busy[place, begin : begin + int(draw.integers(2, 22))] *= draw.uniform(0, 0.4)

    def visits(self, driver: str) -> Iterator[Visit]:
        """Yield a driver's visits, in order."""
        draw = self._draw
        kind = draw.choice(list(Kind), p=_SHARES[self._scene])
        home = int(draw.choice(len(self._attraction), p=self._attraction))
        begin = int(self._days * max(0.0, draw.uniform(-0.6, 0.9)))
        end = min(self._days, begin + 14 + int(draw.exponential(self._days * 0.7)))
        chance = self._chances(Kind(kind), begin, end)
        chance *= self._away()
        chance *= self._busy[home]
        chance[:begin] = 0
        chance[end:] = 0
        minute = draw.choice([500, 540, 600, 720, 840, 1080, 1170])
        came = np.flatnonzero(draw.random(self._days) < chance)
        for day in came.tolist():
            strays = draw.random() < _STRAYS[self._scene]
            place = int(draw.choice(len(self._attraction), p=self._attraction)) if strays else home
            yield self._visit(driver, place, day, minute)

    def _visit(self, driver: str, place: int, day: int, minute: float) -> Visit:
        draw = self._draw
        usual = minute if draw.random() < 0.8 else draw.uniform(400, 1300)  # noqa: PLR2004 - one in five comes at another time
        at = float(np.clip(usual + draw.normal(0, 35), 0, _DAY_MINUTES - 1))
        entered_at = BEGINS_AT + timedelta(days=day, minutes=int(at))
        stays = timedelta(minutes=int(15 + draw.gamma(2, 80)))
        return Visit(driver, f"p{place}", entered_at, entered_at + stays)

    def _chances(self, kind: Kind, begin: int, end: int) -> NDArray[np.float64]:
        """Return the probability of a visit by day."""
        if kind == Kind.EVERY_FEW_DAYS:
            return self._renewals(begin, end)
        draw, days = self._draw, np.arange(self._days)
        weekday = np.zeros(DAYS)
        if kind in {Kind.COMMUTER, Kind.PART_TIME}:
            wanted = _WORKING_DAYS if kind == Kind.COMMUTER else int(draw.integers(2, 5))
            chosen = draw.permutation(_WORKING_DAYS)[:wanted]
            weekday[chosen] = draw.beta(5, 3, wanted)
        elif kind == Kind.CASUAL:
            tastes = draw.dirichlet(np.full(DAYS, 2.0))
            weekday += np.minimum(0.9, draw.gamma(0.7, 0.5) * tastes)
        else:
            weekday[int(draw.integers(DAYS))] = draw.beta(6, 3)
            weekday += draw.gamma(0.5, 0.02)
        chance = weekday[days % DAYS]
        if kind == Kind.BIWEEKLY:
            chance[(days // DAYS + int(draw.integers(2))) % 2 == 0] = 0
        turn = begin + (end - begin) * draw.uniform(0.3, 0.7)
        if kind == Kind.LAPSING:
            chance[days > turn] *= 0.05
        if kind == Kind.STARTING:
            chance[days < turn] *= 0.1
        return chance * self._moods()

    def _renewals(self, begin: int, end: int) -> NDArray[np.float64]:
        """Return certainty on every so manieth day: whoever comes when the battery is empty."""
        draw = self._draw
        mean = draw.uniform(2, 14)
        gaps = np.maximum(1, draw.gamma(4, mean / 4, self._days))
        days = (begin + np.cumsum(gaps)).astype(int)
        chance = np.zeros(self._days)
        chance[days[days < end]] = 0.95
        return chance

    def _moods(self) -> NDArray[np.float64]:
        """Return how much more or less somebody comes, which changes every now and then."""
        draw = self._draw
        turns = np.sort(draw.integers(0, self._days, draw.poisson(self._days / 60)))
        edges = [0, *turns.tolist(), self._days]
        mood = np.ones(self._days)
        for begin, end in pairwise(edges):
            mood[begin:end] = min(1.3, draw.gamma(4, 0.25))
        return mood

    def _away(self) -> NDArray[np.float64]:
        """Return zero for holidays, one otherwise."""
        draw = self._draw
        here = np.ones(self._days)
        for _ in range(draw.poisson(self._days / 90)):
            begin = int(draw.integers(self._days))
            here[begin : begin + int(draw.choice([3, 7, 7, 14, 21]))] = 0
        return here
