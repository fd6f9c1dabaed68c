"""A bill's lines: exact ranges, blocks, caps and running totals."""

from parking.tariffs.rules import PriceLine, PriceReason, price
from tests.unit.tariffs.own_tables import (
    DAY_AND_NIGHT,
    HOURLY,
    WORKED,
    flat,
    increment,
    local,
    parsed,
    table,
)


def test_no_time_no_lines() -> None:
    priced = price(parsed(HOURLY), local("2025-03-03T09:00"), local("2025-03-03T09:00"))
    assert priced.lines == ()
    assert priced.total.amount_minor == 0


def test_a_stay_within_grace_is_one_line() -> None:
    data = WORKED["grace is absorbed"][0]
    priced = price(parsed(data), local("2025-03-03T09:00"), local("2025-03-03T09:10"))
    assert priced.lines == (
        PriceLine(
            reason=PriceReason.GRACE,
            starts_at=local("2025-03-03T09:00"),
            ends_at=local("2025-03-03T09:10"),
            block_minutes=None,
            block_count=None,
            block_amount_minor=None,
            amount_minor=0,
            capped_from_minor=None,
            running_total_minor=0,
            collection="",
            note="",
        ),
    )


def test_lines_by_window_cover_the_stay() -> None:
    priced = price(parsed(DAY_AND_NIGHT), local("2025-03-03T18:30"), local("2025-03-04T08:40"))
    assert priced.lines == (
        PriceLine(
            reason=PriceReason.INCREMENT,
            starts_at=local("2025-03-03T18:30"),
            ends_at=local("2025-03-03T20:00"),
            block_minutes=60,
            block_count=2,
            block_amount_minor=200,
            amount_minor=400,
            capped_from_minor=None,
            running_total_minor=400,
            collection="day",
            note="",
            window="08:00-20:00",
        ),
        PriceLine(
            reason=PriceReason.FLAT,
            starts_at=local("2025-03-03T20:00"),
            ends_at=local("2025-03-04T08:00"),
            block_minutes=None,
            block_count=None,
            block_amount_minor=None,
            amount_minor=500,
            capped_from_minor=None,
            running_total_minor=900,
            collection="night",
            note="",
            window="20:00-08:00",
        ),
        PriceLine(
            reason=PriceReason.INCREMENT,
            starts_at=local("2025-03-04T08:00"),
            ends_at=local("2025-03-04T08:40"),
            block_minutes=60,
            block_count=1,
            block_amount_minor=200,
            amount_minor=200,
            capped_from_minor=None,
            running_total_minor=1100,
            collection="day",
            note="",
            window="08:00-20:00",
        ),
    )


def test_a_capped_line_says_what_it_would_have_been_and_why() -> None:
    data = table(
        {"lines": [increment(150, 20)]},
        free_first=30,
        caps=[{"per": "rolling", "minutes": 1440, "amount": 1500}],
    )
    priced = price(parsed(data), local("2025-03-03T09:00"), local("2025-03-04T10:00"))
    assert [
        (line.reason, line.starts_at, line.block_count, line.amount_minor) for line in priced.lines
    ] == [
        (PriceReason.FREE_FIRST, local("2025-03-03T09:00"), None, 0),
        (PriceReason.INCREMENT, local("2025-03-03T09:30"), 72, 1500),
        (PriceReason.INCREMENT, local("2025-03-04T09:30"), 2, 300),
    ]
    assert [(line.capped_from_minor, line.note) for line in priced.lines] == [
        (None, ""),
        (10_800, "rolling cap"),
        (None, ""),
    ]
    assert [line.running_total_minor for line in priced.lines] == [0, 1500, 1800]


def test_the_tightest_cap_is_named() -> None:
    data = table(
        {"cap": 450, "lines": [increment(100, 60)]},
        caps=[{"per": "calendar_day", "amount": 350}],
    )
    priced = price(parsed(data), local("2025-03-03T09:00"), local("2025-03-03T21:00"))
    assert [(line.amount_minor, line.note) for line in priced.lines] == [(350, "calendar_day cap")]


def test_a_package_replaces_the_lines_and_names_the_price_without_it() -> None:
    data = table(
        {"lines": [increment(300, 60)]},
        packages=[
            {"name": "early bird", "days": ["workday"], "enter": ["06:00", "09:00"]}
            | {"exit": ["15:30", "23:30"], "amount": 1300}
        ],
    )
    priced = price(parsed(data), local("2025-03-04T08:00"), local("2025-03-04T16:00"))
    assert len(priced.lines) == 1
    line = priced.lines[0]
    assert (line.reason, line.note) == (PriceReason.PACKAGE, "early bird")
    assert (line.amount_minor, line.capped_from_minor, line.running_total_minor) == (
        1300,
        2400,
        1300,
    )
    saturday = price(parsed(data), local("2025-03-08T08:00"), local("2025-03-08T16:00"))
    assert saturday.total.amount_minor == 2400


def test_hours_without_a_charge_are_one_line_over_midnights() -> None:
    data = table({"days": ["workday"], "window": ["08:00", "18:00"], "lines": [flat(700)]})
    priced = price(parsed(data), local("2025-03-07T17:00"), local("2025-03-10T07:00"))
    assert [(line.reason, line.starts_at, line.ends_at) for line in priced.lines] == [
        (PriceReason.FLAT, local("2025-03-07T17:00"), local("2025-03-07T18:00")),
        (PriceReason.NO_CHARGE_HOURS, local("2025-03-07T18:00"), local("2025-03-10T07:00")),
    ]


def test_a_flat_amount_is_charged_once_for_its_clock() -> None:
    session = table({"window": ["08:00", "18:00"], "lines": [flat(700)]})
    each_window = table({"window": ["08:00", "18:00"], "clock": "window", "lines": [flat(700)]})
    stay = local("2025-03-03T09:00"), local("2025-03-04T09:00")
    once = price(parsed(session), *stay)
    assert [(line.reason, line.amount_minor) for line in once.lines] == [
        (PriceReason.FLAT, 700),
        (PriceReason.NO_CHARGE_HOURS, 0),
        (PriceReason.FLAT_ALREADY_CHARGED, 0),
    ]
    assert price(parsed(each_window), *stay).total.amount_minor == 1400


def test_a_block_runs_over_midnight_only_where_days_are_joined() -> None:
    joined = table({"days": ["holiday"], "lines": [flat(1)]}, {"lines": [increment(100, 120)]})
    apart = table({"join_days": False, "lines": [increment(100, 120)]})
    stay = local("2025-03-03T23:30"), local("2025-03-04T01:30")
    assert price(parsed(joined), *stay).total.amount_minor == 100
    assert price(parsed(apart), *stay).total.amount_minor == 200
