"""Times of a stay: what is refused, and how the local wall clock maps to instants."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from parking.kit.errors import InvalidInputError
from parking.tariffs import ladder_meter
from parking.tariffs.rules import price, price_curve
from parking.tariffs.wall_clock import instant_of, wall_seconds
from tests.unit.tariffs.own_tables import HOURLY, parsed

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("entered_at", "as_of", "field", "expected"),
    [
        (NOON.replace(tzinfo=None), NOON, "entered_at", "a time with a UTC offset"),
        (NOON, NOON.replace(tzinfo=None), "as_of", "a time with a UTC offset"),
        (NOON, NOON - timedelta(microseconds=1), "as_of", "a time not before entered_at"),
        (NOON, NOON + timedelta(days=400, seconds=1), "as_of", "a stay of at most 400 days"),
        (NOON.replace(year=1969), NOON, "entered_at", "a time between the years 1970 and 2400"),
        (NOON, NOON.replace(year=9999), "as_of", "a time between the years 1970 and 2400"),
    ],
)
def test_times_that_make_no_stay_are_refused(
    entered_at: datetime, as_of: datetime, field: str, expected: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        price(parsed(HOURLY), entered_at, as_of)
    assert (caught.value.field, caught.value.expected) == (field, expected)


def test_the_longest_stay_is_priced() -> None:
    priced = price(parsed(HOURLY), NOON, NOON + timedelta(days=400))
    assert priced.total.amount_minor == 400 * 24 * 100
    assert len(priced.lines) == 1


def test_the_longest_stay_may_have_an_hour_more_where_clocks_went_back_twice() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    entered_at = datetime(2025, 10, 20, 12, tzinfo=berlin)
    left_at = datetime(2026, 11, 24, 12, tzinfo=berlin)
    priced = price(parsed(HOURLY), entered_at, left_at)
    assert priced.total.amount_minor == (400 * 24 + 1) * 100
    with pytest.raises(InvalidInputError) as caught:
        price(parsed(HOURLY), entered_at, left_at + timedelta(seconds=1))
    assert caught.value.expected == "a stay of at most 400 days"


def test_the_work_for_one_stay_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder_meter, "CHARGES_MAX", 30)
    table = parsed(HOURLY | {"ladder_reset": "rolling", "ladder_minutes": 60})
    price(table, NOON, NOON + timedelta(hours=28))
    with pytest.raises(InvalidInputError) as caught:
        price(table, NOON, NOON + timedelta(hours=40))
    assert caught.value.field == "rate_table"


@pytest.mark.parametrize(
    ("line", "days", "steps"),
    [
        # One step for a high amount; one for each cent, of which the whole horizon has more.
        ({"kind": "flat", "value": 300_000}, 4, 1),
        ({"kind": "per_second", "value": 40, "block": 60}, 31, 31 * 24 * 40),
    ],
)
def test_a_curve_of_few_steps_is_drawn_however_long(
    line: dict[str, Any], days: int, steps: int
) -> None:
    table = parsed(HOURLY | {"collections": [{"lines": [line]}]})
    curve = price_curve(table, NOON, NOON + timedelta(days=days))
    assert len(curve) == 1 + steps
    assert (
        curve[-1].total_minor == price(table, NOON, NOON + timedelta(days=days)).total.amount_minor
    )


def test_a_curve_of_a_step_each_second_is_refused_after_so_many() -> None:
    line = {"kind": "per_second", "value": 600, "block": 1}
    table = parsed(HOURLY | {"collections": [{"lines": [line]}]})
    steps_max = timedelta(seconds=ladder_meter.STEPS_MAX)
    assert len(price_curve(table, NOON, NOON + steps_max)) == ladder_meter.STEPS_MAX + 1
    with pytest.raises(InvalidInputError) as caught:
        price_curve(table, NOON, NOON + steps_max + timedelta(seconds=1))
    assert caught.value.field == "until"


def test_the_same_instants_in_another_zone_cost_the_same() -> None:
    left_at = NOON + timedelta(hours=5, minutes=1)
    tokyo = ZoneInfo("Asia/Tokyo")
    assert price(parsed(HOURLY), NOON.astimezone(tokyo), left_at) == price(
        parsed(HOURLY), NOON, left_at.astimezone(tokyo)
    )


@pytest.mark.parametrize(
    ("zone", "day", "minute", "instant"),
    [
        ("Europe/Berlin", "2025-03-03", 0, "2025-03-02T23:00"),
        ("Europe/Berlin", "2025-03-03", 1440, "2025-03-03T23:00"),
        # 02:30 is skipped: the clock jumps from 02:00 to 03:00 at 01:00 UTC.
        ("Europe/Berlin", "2025-03-30", 150, "2025-03-30T01:00"),
        ("Europe/Berlin", "2025-03-30", 180, "2025-03-30T01:00"),
        # 02:30 comes twice: the first counts.
        ("Europe/Berlin", "2025-10-26", 150, "2025-10-26T00:30"),
        ("Europe/Berlin", "2025-10-26", 180, "2025-10-26T02:00"),
        # Half an hour is skipped, and shown twice.
        ("Australia/Lord_Howe", "2025-10-05", 135, "2025-10-04T15:30"),
        ("Australia/Lord_Howe", "2025-04-06", 105, "2025-04-05T14:45"),
        # Midnight itself is skipped.
        ("America/Santiago", "2025-09-07", 0, "2025-09-07T04:00"),
        # A whole day is skipped.
        ("Pacific/Apia", "2011-12-30", 600, "2011-12-30T10:00"),
    ],
)
def test_a_wall_time_is_when_the_clock_first_shows_or_passes_it(
    zone: str, day: str, minute: int, instant: str
) -> None:
    seconds = wall_seconds(ZoneInfo(zone), date.fromisoformat(day).toordinal(), minute)
    assert instant_of(seconds) == datetime.fromisoformat(instant).replace(tzinfo=UTC)
