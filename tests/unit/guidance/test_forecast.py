"""Forecasts of free spaces: exact on small tables, honest about what is not known, and measured."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import sqrt
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.guidance.forecast import (
    HALF_LIFE,
    SAMPLES_MIN,
    Forecast,
    FreeSpaces,
    Hour,
    Persistence,
    forecast,
    free_spaces,
    learn_hour,
    learn_persistence,
    together,
)
from parking.guidance.week import Between, between, hour_of_week
from sesame.bench.guidance.coverage import HORIZONS_H, measure, update_us
from sesame.bench.guidance.simulated_place import simulate

BERLIN: Final = ZoneInfo("Europe/Berlin")
KOLKATA: Final = ZoneInfo("Asia/Kolkata")
MONDAY: Final = datetime(2026, 6, 1, 10, 30, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
# Mean 0.5 and spread 0.1, as four equally old samples know it.
KNOWN: Final = Hour(4, 4.0, 4.0, 0.5, 0.03, MONDAY)
WEEK: Final = dict.fromkeys(range(168), KNOWN)
NEW: Final = Persistence(None, 0.0, 0.0, MONDAY)


def expected_at(
    hours: float, share_now: float = 0.6, known: dict[int, Hour] | None = None
) -> Forecast:
    found = forecast(
        WEEK if known is None else known,
        NEW,
        UTC_ZONE,
        share_now=share_now,
        now=MONDAY,
        at=MONDAY + hours * HOUR,
    )
    assert found is not None
    return found


UTC_ZONE: Final = ZoneInfo("UTC")


def test_an_hours_mean_and_spread_are_those_of_its_samples() -> None:
    hour = None
    for share in (0.2, 0.4, 0.6):
        hour = learn_hour(hour, share, MONDAY)
    assert hour is not None
    assert (hour.samples, hour.weight, hour.weight_squares) == (3, 3.0, 3.0)
    assert hour.mean == pytest.approx(0.4)
    assert hour.spread == pytest.approx(0.2)
    assert hour.size == pytest.approx(3)


def test_after_a_half_life_a_sample_counts_half() -> None:
    first = learn_hour(None, 0.2, MONDAY)
    hour = learn_hour(first, 0.8, MONDAY + HALF_LIFE)
    assert (hour.weight, hour.weight_squares) == (1.5, 1.25)
    # (0.2 / 2 + 0.8) / 1.5, and as much distance from it on both sides.
    assert hour.mean == pytest.approx(0.6)
    assert hour.squares == pytest.approx(0.5 * 0.4**2 + 0.2**2)
    assert hour.size == pytest.approx(1.8)


def test_a_sample_from_before_the_newest_does_not_count_more() -> None:
    first = learn_hour(None, 0.5, MONDAY)
    assert learn_hour(first, 0.5, MONDAY - HALF_LIFE).weight == 2.0


def test_what_is_left_of_a_deviation_is_seen_from_hour_to_hour() -> None:
    first = learn_persistence(None, KNOWN, 0.6, MONDAY)
    assert (first.deviation, first.products, first.squares) == (pytest.approx(1.0), 0.0, 0.0)
    assert first.per_hour == pytest.approx(0.7)
    second = learn_persistence(first, KNOWN, 0.58, MONDAY + HOUR)
    assert second.deviation == pytest.approx(0.8)
    assert (second.products, second.squares) == (pytest.approx(0.8), pytest.approx(1.0))
    # As if 24 pairs had been seen before, of which 0.7 was left.
    assert second.per_hour == pytest.approx((24 * 0.7 + 0.8) / 25)


@pytest.mark.parametrize("hours", [0.5, 1.6, 24])
def test_samples_that_are_no_neighbours_say_nothing_about_it(hours: float) -> None:
    first = learn_persistence(None, KNOWN, 0.6, MONDAY)
    later = learn_persistence(first, KNOWN, 0.4, MONDAY + hours * HOUR)
    assert later.deviation == pytest.approx(-1)
    assert (later.products, later.squares) == (0.0, 0.0)


def test_an_hour_with_little_history_has_no_deviation() -> None:
    young = Hour(SAMPLES_MIN - 1, 3.0, 3.0, 0.5, 0.02, MONDAY)
    assert learn_persistence(None, young, 0.9, MONDAY).deviation is None
    assert learn_persistence(None, None, 0.9, MONDAY).deviation is None


def test_now_is_what_is_counted_now() -> None:
    assert expected_at(0) == Forecast(0.6, 0.6, 0.6, 4)
    assert expected_at(-3) == Forecast(0.6, 0.6, 0.6, 4)


def test_in_an_hour_most_of_the_deviation_is_left() -> None:
    found = expected_at(1)
    # Student's t of 3 degrees of freedom leaves 10 % beyond 1.638 on each side.
    half = 0.1 * sqrt((1 - 0.7**2) * (1 + 1 / 4)) * 1.638
    assert found.expected == pytest.approx(0.5 + 0.1 * 0.7)
    assert (found.low, found.high) == (pytest.approx(0.57 - half), pytest.approx(0.57 + half))


def test_in_a_week_it_is_as_usual() -> None:
    found = expected_at(168)
    assert found.expected == pytest.approx(0.5)
    assert found.high - found.low == pytest.approx(2 * 0.1 * sqrt(1.25) * 1.638)


@given(st.floats(0, 1), st.lists(st.floats(0.01, 200), min_size=2, max_size=6))
def test_the_further_the_less_is_known(share_now: float, hours: list[float]) -> None:
    found = [expected_at(each, share_now) for each in sorted(hours)]
    for one, other in pairwise(found):
        assert abs(one.expected - 0.5) >= abs(other.expected - 0.5) - 1e-12
        if other.low > 0 and other.high < 1:
            assert one.high - one.low <= other.high - other.low + 1e-12
    for one in found:
        assert 0 <= one.low <= one.expected <= one.high <= 1


def test_between_two_hours_it_is_on_the_line() -> None:
    busy = Hour(4, 4.0, 4.0, 0.9, 0.03, MONDAY)
    known = WEEK | {hour_of_week(MONDAY + 48 * HOUR, UTC_ZONE): busy}
    # Half past is the hour's own; a quarter of an hour before, a quarter is the hour before's.
    assert expected_at(48, 0.5, known).expected == pytest.approx(0.9)
    assert expected_at(47.75, 0.5, known).expected == pytest.approx(0.25 * 0.5 + 0.75 * 0.9)
    assert expected_at(48.5, 0.5, known).expected == pytest.approx(0.5 * 0.9 + 0.5 * 0.5)


def test_where_an_hour_is_not_known_nothing_is_said() -> None:
    tuesday = hour_of_week(MONDAY + 24 * HOUR, UTC_ZONE)
    young = Hour(SAMPLES_MIN - 1, 3.0, 3.0, 0.5, 0.03, MONDAY)
    for known in ({**WEEK, tuesday: young}, {k: v for k, v in WEEK.items() if k != tuesday}):
        for hours, is_known in ((24, False), (23.5, False), (24.5, False), (22.9, True)):
            at = MONDAY + hours * HOUR
            found = forecast(known, NEW, UTC_ZONE, share_now=0.6, now=MONDAY, at=at)
            assert (found is not None) is is_known, hours


def test_a_deviation_from_an_hour_that_is_not_known_does_not_count() -> None:
    known = {hour: each for hour, each in WEEK.items() if hour != hour_of_week(MONDAY, UTC_ZONE)}
    assert expected_at(24, 1.0, known).expected == pytest.approx(0.5)


def test_spaces_are_rounded_outward() -> None:
    found = Forecast(0.575, 0.44, 0.71, 9)
    assert free_spaces(found, 10) == FreeSpaces(expected=4, low=2, high=6, weeks=9)
    assert free_spaces(Forecast(0.5, 0.5, 0.5, 4), 10) == FreeSpaces(5, 5, 5, 4)
    assert free_spaces(Forecast(1.0, 0.9, 1.0, 4), 0) == FreeSpaces(0, 0, 0, 4)
    areas = [FreeSpaces(5, 3, 8, 9), FreeSpaces(1, 0, 2, 4)]
    assert together(areas) == FreeSpaces(6, 3, 10, 4)


def test_an_hour_is_the_one_on_the_wall() -> None:
    assert hour_of_week(datetime(2026, 6, 1, 10, 30, tzinfo=UTC), BERLIN) == 12
    assert hour_of_week(datetime(2026, 5, 31, 18, 29, tzinfo=UTC), KOLKATA) == 167
    assert hour_of_week(datetime(2026, 5, 31, 18, 30, tzinfo=UTC), KOLKATA) == 0
    assert between(MONDAY, UTC_ZONE) == Between(10, 11, 0.0)
    assert between(MONDAY + timedelta(minutes=45), UTC_ZONE) == Between(10, 11, 0.75)


def test_clocks_that_go_back_show_an_hour_twice() -> None:
    sunday = 6 * 24
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    hours = [hour_of_week(first + number * HOUR, BERLIN) for number in range(-1, 3)]
    assert hours == [sunday + 1, sunday + 2, sunday + 2, sunday + 3]
    assert between(first, BERLIN) == Between(sunday + 2, sunday + 2, 0.0)


def test_clocks_that_go_forward_leave_an_hour_out() -> None:
    sunday = 6 * 24
    last = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert [hour_of_week(last + number * HOUR, BERLIN) for number in range(2)] == [
        sunday + 1,
        sunday + 3,
    ]
    assert between(last, BERLIN) == Between(sunday + 1, sunday + 3, 0.0)


def test_four_in_five_intervals_hold_what_is_counted_and_no_simpler_guess_is_better() -> None:
    reports = measure(seed=20261124)
    assert [report.horizon_h for report in reports] == list(HORIZONS_H)
    for report in reports:
        assert report.tried > 800
        assert 0.74 <= report.coverage <= 0.9, report
        assert report.error < report.error_same_as_now, report
        assert report.error <= report.error_usual + 0.002, report
    mean = sum(report.coverage for report in reports) / len(reports)
    assert 0.77 <= mean <= 0.85


def test_the_same_seed_gives_the_same_counts_and_one_sample_takes_microseconds() -> None:
    counts = list(simulate(seed=7, weeks=1, spaces=50))
    assert counts == list(simulate(seed=7, weeks=1, spaces=50))
    assert counts != list(simulate(seed=8, weeks=1, spaces=50))
    assert all(0 <= count.occupied <= 50 for count in counts)
    assert update_us(counts) > 0
