"""Caps hold in every one of their periods, whatever the ladder, and on days of all lengths."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parking.tariffs.rules import Circumstances, RateTable, price
from tests.unit.tariffs.own_tables import increment, local, parsed, table
from tests.unit.tariffs.right_strategies import circumstances
from tests.unit.tariffs.strategies import ZONES, durations, entries, ladders

many = settings(max_examples=50, derandomize=True)
zones = st.sampled_from(ZONES)
straddles = st.sampled_from(("restart", "continue"))
caps_minor = st.integers(0, 2500)


def _minor(table: RateTable, entered_at: datetime, left_at: datetime, rights: Circumstances) -> int:
    plain = rights.model_copy(update={"validations": ()})
    return price(table, entered_at, left_at, plain).total.amount_minor


def _midnights(zone: str, after: datetime, count: int) -> list[datetime]:
    """Return the starts of the following local days; a skipped midnight is the jump over it."""
    day = after.astimezone(ZoneInfo(zone)).date()
    found: list[datetime] = []
    for _ in range(count):
        day += timedelta(days=1)
        at = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
        # Before the jump the offset of fold 0 counts; it puts a skipped midnight right after it.
        jump = at.astimezone(ZoneInfo("UTC"))
        shown = jump.astimezone(ZoneInfo(zone))
        found.append(jump - timedelta(minutes=shown.hour * 60 + shown.minute))
    return found


@many
@given(ladders(), zones, straddles, caps_minor, entries(), circumstances())
def test_a_calendar_days_cap(
    lines: list[dict[str, Any]],
    zone: str,
    straddle: str,
    cap_minor: int,
    entered_at: datetime,
    rights: Circumstances,
) -> None:
    cap = {"per": "calendar_day", "amount": cap_minor}
    data = table({"lines": lines}, timezone=zone, caps=[cap], straddle=straddle)
    before_minor = 0
    for midnight in _midnights(zone, entered_at, 4):
        minor = _minor(parsed(data), entered_at, midnight, rights)
        assert minor - before_minor <= cap_minor
        before_minor = minor


@many
@given(ladders(), zones, straddles, caps_minor, entries(), durations(6), circumstances())
def test_a_sessions_cap(
    lines: list[dict[str, Any]],
    zone: str,
    straddle: str,
    cap_minor: int,
    entered_at: datetime,
    duration: timedelta,
    rights: Circumstances,
) -> None:
    cap = {"per": "session", "amount": cap_minor}
    data = table({"lines": lines}, timezone=zone, caps=[cap], straddle=straddle)
    assert _minor(parsed(data), entered_at, entered_at + duration, rights) <= cap_minor


@many
@given(ladders(), st.sampled_from(("session", "window", "charged")), caps_minor, entries())
def test_the_cap_of_a_window(
    lines: list[dict[str, Any]], clock: str, cap_minor: int, entered_at: datetime
) -> None:
    night = {"window": ["20:00", "06:00"], "cap": cap_minor, "clock": clock, "lines": lines}
    parsed_table = parsed(table(night))
    noon = entered_at.astimezone(ZoneInfo("Europe/Berlin")).replace(hour=12, minute=0, second=0)
    before_minor = 0
    for number in range(1, 5):
        # Nights are what is charged: from noon to noon there is one.
        at = noon + timedelta(days=number)
        minor = _minor(parsed_table, entered_at, max(at, entered_at), Circumstances())
        is_first_with_morning = number == 1
        assert minor - before_minor <= cap_minor * (2 if is_first_with_morning else 1)
        before_minor = minor


HOURLY_LINES = [increment(100, 60)]


@pytest.mark.parametrize(
    ("zone", "entry", "exit_", "minor"),
    [
        # 23, 25 and 24 hours between two midnights.
        ("Europe/Berlin", "2025-03-30T00:00", "2025-03-31T00:00", 2300),
        ("Europe/Berlin", "2025-10-26T00:00", "2025-10-27T00:00", 2500),
        ("America/New_York", "2025-03-09T00:00", "2025-03-10T00:00", 2300),
        ("America/New_York", "2025-11-02T00:00", "2025-11-03T00:00", 2500),
        # Half an hour is skipped or shown twice: the last hour has begun.
        ("Australia/Lord_Howe", "2025-10-05T00:00", "2025-10-06T00:00", 2400),
        ("Australia/Lord_Howe", "2025-04-06T00:00", "2025-04-07T00:00", 2500),
        ("Europe/Berlin", "2024-02-28T12:00", "2024-03-01T12:00", 4800),
        ("Europe/Berlin", "2025-02-28T12:00", "2025-03-01T12:00", 2400),
        # 400 days, 401 local dates and one hour won back.
        ("Europe/Berlin", "2024-06-01T12:00", "2025-07-06T12:00", 400 * 2400),
    ],
)
def test_hours_are_elapsed_time_on_days_of_all_lengths(
    zone: str, entry: str, exit_: str, minor: int
) -> None:
    data = parsed(table({"lines": HOURLY_LINES}, timezone=zone))
    priced = price(data, local(entry, zone), local(exit_, zone))
    assert priced.total.amount_minor == minor


@pytest.mark.parametrize(
    ("zone", "day", "minor"),
    [
        # The night from 01:00 to 04:00 has 2, 4, 3 hours; of Lord Howe 2.5 and 3.5.
        ("Europe/Berlin", "2025-03-30", 200),
        ("Europe/Berlin", "2025-10-26", 400),
        ("Europe/Berlin", "2025-10-27", 300),
        ("America/New_York", "2025-03-09", 200),
        ("America/New_York", "2025-11-02", 400),
        ("Australia/Lord_Howe", "2025-10-05", 300),
        ("Australia/Lord_Howe", "2025-04-06", 400),
    ],
)
def test_windows_are_wall_time_on_days_of_all_lengths(zone: str, day: str, minor: int) -> None:
    night = {"window": ["01:00", "04:00"], "lines": HOURLY_LINES}
    data = parsed(table(night, timezone=zone))
    priced = price(data, local(f"{day}T00:00", zone), local(f"{day}T23:00", zone))
    assert priced.total.amount_minor == minor
