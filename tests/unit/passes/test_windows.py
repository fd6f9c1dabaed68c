"""On which hours a pass is valid, on ordinary days and when clocks change."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.passes.local_time import instant_of, midnight
from parking.passes.windows import Hours, covered_ranges

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
SANTIAGO = ZoneInfo("America/Santiago")
WORK = Hours(frozenset(range(5)), 7 * 60, 19 * 60)
NIGHT = Hours(frozenset({4}), 22 * 60, 6 * 60)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_pass_for_always_is_one_range() -> None:
    begins, ends = at("2026-11-23T05:00"), at("2026-12-23T05:00")
    assert covered_ranges(Hours(), BERLIN, begins, ends) == ((begins, ends),)
    assert covered_ranges(Hours(), BERLIN, ends, begins) == ()
    assert covered_ranges(Hours(), BERLIN, begins, begins) == ()


def test_working_hours_from_friday_to_tuesday() -> None:
    # Friday 13:00 to Tuesday 09:00 in Berlin, in winter.
    ranges = covered_ranges(WORK, BERLIN, at("2026-11-20T12:00"), at("2026-11-24T08:00"))
    assert ranges == (
        (at("2026-11-20T12:00"), at("2026-11-20T18:00")),
        (at("2026-11-23T06:00"), at("2026-11-23T18:00")),
        (at("2026-11-24T06:00"), at("2026-11-24T08:00")),
    )


def test_hours_over_midnight_belong_to_the_day_on_which_they_begin() -> None:
    friday_night = (at("2026-11-20T21:00"), at("2026-11-21T05:00"))
    assert covered_ranges(NIGHT, BERLIN, at("2026-11-16T00:00"), at("2026-11-23T00:00")) == (
        friday_night,
    )
    late = at("2026-11-21T02:00")
    assert covered_ranges(NIGHT, BERLIN, late, at("2026-11-23T00:00")) == ((late, friday_night[1]),)


def test_days_that_touch_are_one_range() -> None:
    weekend = Hours(frozenset({5, 6}))
    assert covered_ranges(weekend, BERLIN, at("2026-11-16T00:00"), at("2026-11-30T00:00")) == (
        (at("2026-11-20T23:00"), at("2026-11-22T23:00")),
        (at("2026-11-27T23:00"), at("2026-11-29T23:00")),
    )


@pytest.mark.parametrize(
    ("zone", "hours", "day", "expected_hours"),
    [
        # The clock is put forward at 02:00, and back at 03:00.
        (BERLIN, Hours(), "2026-03-29", 23.0),
        (BERLIN, Hours(), "2026-10-25", 25.0),
        (BERLIN, Hours(from_minute=60, to_minute=240), "2026-03-29", 2.0),
        (BERLIN, Hours(from_minute=60, to_minute=240), "2026-10-25", 4.0),
        (BERLIN, Hours(from_minute=420, to_minute=1140), "2026-03-29", 12.0),
        # 02:30 does not exist: the hours begin when the clock jumps over it.
        (BERLIN, Hours(from_minute=150, to_minute=240), "2026-03-29", 1.0),
        # 02:30 comes twice: the first one counts.
        (BERLIN, Hours(from_minute=150, to_minute=240), "2026-10-25", 2.5),
        # Half an hour, and a change at midnight, which this day does not have.
        (LORD_HOWE, Hours(), "2026-10-04", 23.5),
        (LORD_HOWE, Hours(), "2026-04-05", 24.5),
        (SANTIAGO, Hours(), "2026-09-06", 23.0),
    ],
)
def test_hours_are_those_of_the_wall_clock(
    zone: ZoneInfo, hours: Hours, day: str, expected_hours: float
) -> None:
    begins = midnight(zone, date.fromisoformat(day))
    ends = midnight(zone, date.fromisoformat(day) + timedelta(days=1))
    ranges = covered_ranges(hours, zone, begins, ends)
    assert sum((e - b).total_seconds() for b, e in ranges) / 3600 == expected_hours


def test_a_midnight_that_does_not_exist_is_the_jump() -> None:
    assert midnight(SANTIAGO, date(2026, 9, 6)) == at("2026-09-06T04:00")
    assert instant_of(BERLIN, date(2026, 3, 28), 1440 + 150) == at("2026-03-29T01:00")


INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
HOURS = st.builds(
    Hours,
    st.frozensets(st.integers(0, 6), min_size=1),
    st.sampled_from((0, 90, 420, 1320)),
    st.sampled_from((60, 150, 360, 1140, 1440)),
)


@given(
    hours=HOURS,
    zone=st.sampled_from((BERLIN, LORD_HOWE, SANTIAGO)),
    begins=INSTANTS,
    length_h=st.integers(1, 24 * 40),
    split=st.floats(0, 1),
)
def test_splitting_a_stay_covers_the_same(
    hours: Hours, zone: ZoneInfo, begins: datetime, length_h: int, split: float
) -> None:
    ends = begins + timedelta(hours=length_h)
    middle = begins + timedelta(seconds=int(length_h * 3600 * split))
    whole = covered_ranges(hours, zone, begins, ends)
    parts = (
        *covered_ranges(hours, zone, begins, middle),
        *covered_ranges(hours, zone, middle, ends),
    )
    assert sum((e - b for b, e in whole), timedelta()) == sum(
        (e - b for b, e in parts), timedelta()
    )
    assert all(begins <= b < e <= ends for b, e in whole)
    assert all(first[1] < second[0] for first, second in pairwise(whole))
