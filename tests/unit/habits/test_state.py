"""What is remembered of a pair: the same however it came about, and less with time."""

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.habits.arrival import windows
from parking.habits.features import NAMES
from parking.habits.scoring import score_day, score_week
from parking.habits.snapshot import Snapshot, of_rows
from parking.habits.state import (
    COSINE,
    DAYS,
    FAST_WEEKS,
    RECENT_DAYS,
    SINE,
    SLOW,
    SLOW_WEEKS,
    SUMS,
    HabitState,
    first_visit,
    unpack,
    visited,
    weekday_of,
)
from parking.habits.weights import shipped, weights_of

MONDAY = date(2026, 11, 23).toordinal()
# Days apart from the one before, and minutes of arrival.
VISITS = st.lists(st.tuples(st.integers(1, 80), st.integers(0, 1439)), min_size=1, max_size=40)


def remembered(visits: list[tuple[int, int]]) -> HabitState:
    (day, minute), *later = visits
    state = first_visit(day, minute, known_since=day)
    for day, minute in later:
        assert visited(state, day, minute)
    return state


def recomputed(visits: list[tuple[int, int]]) -> list[float]:
    """Return the sums from all visits at once."""
    last = max(day for day, _ in visits)
    sums = [0.0] * SUMS
    for day, minute in visits:
        weekday, age = weekday_of(day), last - day
        slow = 0.5 ** (age / (DAYS * SLOW_WEEKS))
        sums[weekday] += 0.5 ** (age / (DAYS * FAST_WEEKS))
        sums[SLOW + weekday] += slow
        sums[COSINE + weekday] += slow * math.cos(minute / 1440 * math.tau)
        sums[SINE + weekday] += slow * math.sin(minute / 1440 * math.tau)
    return sums


def pairs_of(*states: HabitState, day: int = MONDAY) -> Snapshot:
    number = np.arange(len(states))
    return of_rows(
        day,
        number,
        np.zeros_like(number),
        np.array([state.first_day for state in states]),
        np.array([state.last_day for state in states]),
        np.array([state.visits for state in states]),
        np.array([state.recent for state in states]),
        [state.pack() for state in states],
    )


@given(VISITS)
def test_one_visit_at_a_time_comes_to_what_all_at_once_do(gaps: list[tuple[int, int]]) -> None:
    visits: list[tuple[int, int]] = []
    day = MONDAY
    for gap, minute in gaps:
        day += gap
        visits.append((day, minute))
    state = remembered(visits)
    assert (state.visits, state.last_day, state.first_day) == (len(visits), day, visits[0][0])
    assert state.sums == pytest.approx(recomputed(visits), abs=1e-9)
    assert unpack(state.pack()) == pytest.approx(state.sums, abs=1e-5)
    bits = {day - each for each, _ in visits if day - each < RECENT_DAYS}
    assert {age for age in range(RECENT_DAYS) if state.recent >> age & 1} == bits
    pairs = pairs_of(state, day=day + 1)
    scores = score_week(pairs, shipped())
    assert scores.shape == (DAYS, 1)
    assert ((scores > 0) & (scores < 1)).all()


@given(st.permutations(range(12)))
def test_the_order_in_which_visits_are_heard_of_does_not_matter(order: list[int]) -> None:
    visits = [(MONDAY + 4 * number, 60 * number) for number in range(12)]
    state = remembered([visits[number] for number in order])
    assert state.sums == pytest.approx(recomputed(visits), abs=1e-9)
    assert state.recent == remembered(visits).recent
    assert not visited(state, *visits[3])
    assert not visited(state, state.last_day - RECENT_DAYS, 0)
    assert state.visits == len(visits)


def test_who_stays_away_is_expected_less_and_less() -> None:
    state = remembered([(MONDAY - 7 * weeks, 540) for weeks in range(12, 0, -1)])
    chances = [
        float(score_day(pairs_of(state, day=MONDAY + 7 * away), shipped(), 0)[0])
        for away in range(0, 20, 4)
    ]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.5
    assert chances[-1] < 0.05


def test_who_comes_on_mondays_is_expected_then_at_about_that_time() -> None:
    pairs = pairs_of(remembered([(MONDAY - 7 * weeks, 1435) for weeks in range(12, 0, -1)]))
    scores = score_week(pairs, shipped())[:, 0]
    assert int(scores.argmax()) == 0
    assert scores[1:].max() < 0.2
    centre, half = windows(pairs, 0)
    # Around midnight: minutes are on a circle.
    assert abs(int(centre[0]) - 1435) <= 1
    assert 30 <= int(half[0]) < 180


def test_a_weight_that_is_not_named_counts_nothing() -> None:
    weights = weights_of({"always": 2.0, "of another version": 9.0})
    assert weights.tolist() == [2.0] + [0.0] * (len(NAMES) - 1)
    with pytest.raises(ValueError, match="offset: expected 0 to 6, got 7"):
        score_day(pairs_of(first_visit(MONDAY - 1, 0, known_since=MONDAY - 9)), weights, 7)
