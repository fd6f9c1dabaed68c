"""Tariffs of the kinds that cities, airports and car parks post, and stays worked out by hand.

Amounts and hours are made up in the manner of the place; what is tried is that such a tariff can
be written down, and that it means what drivers read on the sign.
"""

from typing import Any, Final

from tests.unit.tariffs.own_tables import WorkedStay, flat, increment, table

FREE: Final[dict[str, Any]] = {"kind": "free"}


def _prorated(value: int, block: int) -> dict[str, Any]:
    return {"kind": "per_second", "value": value, "block": block}


def _whole_weekend(amount: int) -> dict[str, Any]:
    whole_day = ["00:00", "24:00"]
    return {"name": "weekend", "enter": whole_day, "exit": whole_day, "amount": amount} | {
        "days": ["sat", "sun"]
    }


def _evening(amount: int, enter: list[str], leave: list[str], day_offset: int) -> dict[str, Any]:
    return {"name": "evening", "enter": enter, "exit": leave, "amount": amount} | {
        "day_offset": day_offset
    }


_EARLY_BIRD: Final[dict[str, Any]] = {
    "name": "early bird",
    "days": ["workday"],
    "enter": ["06:00", "10:00"],
    "exit": ["14:00", "19:00"],
    "amount": 2000,
}

CITIES: Final[dict[str, tuple[dict[str, Any], list[WorkedStay]]]] = {
    "Beijing: quarters of an hour by day, two hours by night": (
        table(
            {
                "window": ["07:00", "21:00"],
                "clock": "window",
                "lines": [increment(250, 15, 0, 60), increment(375, 15, 60)],
            },
            {"window": ["21:00", "07:00"], "lines": [increment(100, 120)]},
            timezone="Asia/Shanghai",
        ),
        [
            # 4 x 2.50, then 5 started quarters at 3.75.
            WorkedStay("2025-03-04T09:00", "2025-03-04T11:10", 2875),
            WorkedStay("2025-03-04T20:30", "2025-03-04T22:30", 600),
            # An hour by day, five times two hours, and the first hour of a new day.
            WorkedStay("2025-03-04T20:00", "2025-03-05T08:00", 2500),
        ],
    ),
    "Hong Kong: half hours, the most by day, one price by night": (
        table(
            {"window": ["08:00", "20:00"], "cap": 15000, "lines": [increment(2500, 30)]},
            {"window": ["20:00", "08:00"], "clock": "window", "lines": [flat(10000)]},
            timezone="Asia/Hong_Kong",
        ),
        [
            WorkedStay("2025-03-04T09:00", "2025-03-04T11:01", 12500),
            WorkedStay("2025-03-04T09:00", "2025-03-04T18:00", 15000),
            WorkedStay("2025-03-04T18:30", "2025-03-05T07:00", 17500),
            WorkedStay("2025-03-04T08:00", "2025-03-05T08:00", 25000),
        ],
    ),
    "Singapore: by the minute, the night at most 5.00": (
        table(
            {"window": ["07:00", "22:30"], "lines": [_prorated(60, 30)]},
            {"window": ["22:30", "07:00"], "cap": 500, "lines": [_prorated(60, 30)]},
            timezone="Asia/Singapore",
            grace=10,
            tick="minute",
        ),
        [
            WorkedStay("2025-03-04T09:00", "2025-03-04T09:10:59", 0),
            WorkedStay("2025-03-04T09:00", "2025-03-04T09:11", 22),
            WorkedStay("2025-03-04T09:00", "2025-03-04T09:31:59", 62),
            WorkedStay("2025-03-04T21:00", "2025-03-05T08:00", 180 + 500 + 120),
            WorkedStay("2025-03-04T21:00", "2025-03-06T08:00", 180 + 500 + 1860 + 500 + 120),
        ],
    ),
    "Tokyo: the most on the day of entry, and for each 24 hours": (
        table(
            {"window": ["08:00", "22:00"], "clock": "window", "lines": [increment(220, 30)]},
            {"window": ["22:00", "08:00"], "clock": "window", "lines": [increment(110, 60)]},
            timezone="Asia/Tokyo",
            ladder_reset="rolling",
            ladder_minutes=1440,
            caps=[
                {"per": "calendar_day", "amount": 1200, "once": True},
                {"per": "rolling", "minutes": 1440, "amount": 1600},
            ],
        ),
        [
            WorkedStay("2025-03-04T10:00", "2025-03-04T12:00", 880),
            WorkedStay("2025-03-04T10:00", "2025-03-04T23:59", 1200),
            WorkedStay("2025-03-04T10:00", "2025-03-05T02:01", 1200 + 330),
            WorkedStay("2025-03-04T10:00", "2025-03-05T10:00", 1600),
            WorkedStay("2025-03-04T10:00", "2025-03-05T11:00", 1600 + 440),
        ],
    ),
    "a British town: bands by day, one price for the evening and for Sunday": (
        table(
            {"days": ["sun"], "window": ["08:00", "18:00"], "lines": [flat(150)]},
            {
                "window": ["08:00", "18:00"],
                "clock": "charged",
                "lines": [
                    flat(150, 0, 60),
                    flat(100, 60, 120),
                    flat(150, 120, 240),
                    flat(400, 240),
                ],
            },
            {"window": ["18:00", "08:00"], "clock": "window", "lines": [flat(200)]},
            timezone="Europe/London",
            ladder_reset="calendar_day",
        ),
        [
            WorkedStay("2025-03-04T09:00", "2025-03-04T10:00", 150),
            WorkedStay("2025-03-04T09:00", "2025-03-04T10:01", 250),
            WorkedStay("2025-03-04T09:00", "2025-03-04T17:00", 800),
            WorkedStay("2025-03-04T17:00", "2025-03-04T20:00", 350),
            WorkedStay("2025-03-09T10:00", "2025-03-09T16:00", 150),
        ],
    ),
    "Berlin: a street with hours, free on Sundays and holidays": (
        table(
            {
                "days": ["workday"],
                "window": ["09:00", "20:00"],
                "lines": [_prorated(400, 60)],
            },
            {
                "days": ["sat", "noholiday"],
                "window": ["09:00", "18:00"],
                "lines": [_prorated(400, 60)],
            },
            tick="minute",
            holidays=["2025-05-01", "2026-12-26"],
        ),
        [
            WorkedStay("2025-03-07T19:30", "2025-03-08T09:30", 400),
            WorkedStay("2025-03-04T09:00", "2025-03-04T09:01", 7),
            WorkedStay("2025-05-01T10:00", "2025-05-01T18:00", 0),
            # Boxing Day is a Saturday.
            WorkedStay("2026-12-26T10:00", "2026-12-26T12:00", 0),
            WorkedStay("2026-12-19T10:00", "2026-12-19T12:00", 800),
        ],
    ),
    "an airport: hours, then days, and at most so much a week": (
        table(
            {
                "lines": [
                    increment(700, 60, 0, 360),
                    FREE | {"from": 360, "to": 1440},
                    increment(3500, 1440, 1440),
                ]
            },
            caps=[{"per": "rolling", "minutes": 10080, "amount": 21000}],
        ),
        [
            WorkedStay("2025-03-03T09:00", "2025-03-03T12:30", 2800),
            WorkedStay("2025-03-03T09:00", "2025-03-04T09:00", 4200),
            WorkedStay("2025-03-03T09:00", "2025-03-06T10:00", 14700),
            WorkedStay("2025-03-03T09:00", "2025-03-10T09:00", 21000),
            WorkedStay("2025-03-03T09:00", "2025-03-10T09:01", 24500),
        ],
    ),
    "Paris: the longer, the dearer, six hours of a day": (
        table(
            {
                "days": ["mon", "tue", "wed", "thu", "fri", "sat"],
                "window": ["09:00", "20:00"],
                "clock": "charged",
                "lines": [
                    increment(150, 15, 0, 120),
                    flat(1100, 120, 180),
                    flat(1300, 180, 240),
                    flat(1700, 240, 300),
                    flat(2200, 300, 360),
                ],
            },
            timezone="Europe/Paris",
            ladder_reset="calendar_day",
        ),
        [
            WorkedStay("2025-03-04T18:30", "2025-03-05T09:15", 900 + 150),
            WorkedStay("2025-03-04T10:00", "2025-03-04T12:00", 1200),
            WorkedStay("2025-03-04T10:00", "2025-03-04T12:01", 2300),
            WorkedStay("2025-03-04T10:00", "2025-03-04T19:00", 7500),
        ],
    ),
    "New York: bands of 24 hours, early bird, an evening that ends at two": (
        table(
            {
                "lines": [
                    flat(1600, 0, 30),
                    flat(600, 30, 60),
                    flat(800, 60, 120),
                    flat(1000, 120, 600),
                    flat(500, 600),
                ]
            },
            timezone="America/New_York",
            ladder_reset="rolling",
            ladder_minutes=1440,
            packages=[
                _EARLY_BIRD,
                _evening(2500, ["17:00", "24:00"], ["17:00", "02:00"], day_offset=0),
            ],
        ),
        [
            WorkedStay("2025-03-04T08:00", "2025-03-04T18:00", 2000),
            WorkedStay("2025-03-04T08:00", "2025-03-04T19:00", 4500),
            WorkedStay("2025-03-04T18:00", "2025-03-05T01:00", 2500),
            WorkedStay("2025-03-04T18:00", "2025-03-05T02:00", 4000),
            WorkedStay("2025-03-04T23:00", "2025-03-04T23:20", 1600),
            WorkedStay("2025-03-04T12:00", "2025-03-05T12:01", 4500 + 1600),
        ],
    ),
    "Chicago: a meter that runs day and night": (
        table(
            {"window": ["08:00", "21:00"], "lines": [_prorated(700, 60)]},
            {"window": ["21:00", "08:00"], "lines": [_prorated(350, 60)]},
            timezone="America/Chicago",
        ),
        [
            WorkedStay("2025-03-04T20:30", "2025-03-04T21:30", 525),
            # The night has ten hours.
            WorkedStay("2025-03-08T21:00", "2025-03-09T08:00", 3500),
        ],
    ),
    "São Paulo: an hour that is paid runs to its end": (
        table(
            {
                "days": ["mon", "tue", "wed", "thu", "fri"],
                "window": ["07:00", "19:00"],
                "lines": [increment(667, 60)],
            },
            {"days": ["sat"], "window": ["07:00", "13:00"], "lines": [increment(667, 60)]},
            timezone="America/Sao_Paulo",
            straddle="continue",
        ),
        [
            WorkedStay("2025-03-04T18:30", "2025-03-04T23:00", 667),
            WorkedStay("2025-03-04T17:30", "2025-03-04T18:31", 1334),
            WorkedStay("2025-03-08T12:59", "2025-03-08T15:00", 667),
        ],
    ),
    "Sydney: early bird, and one price a day at the weekend": (
        table(
            {"lines": [increment(1500, 30, 0, 90), flat(2400, 90)]},
            timezone="Australia/Sydney",
            ladder_reset="calendar_day",
            packages=[_EARLY_BIRD, _whole_weekend(1500)],
        ),
        [
            WorkedStay("2025-03-04T08:00", "2025-03-04T17:00", 2000),
            WorkedStay("2025-03-04T10:00", "2025-03-04T17:00", 6900),
            WorkedStay("2025-03-08T10:00", "2025-03-08T17:00", 1500),
            WorkedStay("2025-03-08T10:00", "2025-03-09T10:00", 13800),
        ],
    ),
    "a night package from the evening on, whenever one leaves": (
        table(
            {"lines": [increment(2500, 30)]},
            timezone="Asia/Hong_Kong",
            packages=[_evening(10000, ["18:00", "02:00"], ["18:00", "08:00"], day_offset=0)],
        ),
        [
            WorkedStay("2025-03-04T19:00", "2025-03-04T23:30", 10000),
            WorkedStay("2025-03-04T19:00", "2025-03-05T07:59", 10000),
            WorkedStay("2025-03-05T01:00", "2025-03-05T07:00", 10000),
            WorkedStay("2025-03-04T17:59", "2025-03-05T07:59", 70000),
            WorkedStay("2025-03-04T19:00", "2025-03-05T08:00", 65000),
        ],
    ),
    "the first hour free: as a line, deducted, and absorbed": (
        table({"lines": [FREE | {"to": 60}, increment(400, 60, 60)]}),
        [
            WorkedStay("2025-03-04T10:00", "2025-03-04T11:00", 0),
            WorkedStay("2025-03-04T10:00", "2025-03-04T11:01", 400),
            WorkedStay("2025-03-04T10:00", "2025-03-04T12:00", 400),
            WorkedStay("2025-03-04T10:00", "2025-03-04T12:01", 800),
        ],
    ),
    "the most for a week and for a day, named in either order": (
        table(
            {"lines": [increment(200, 60)]},
            caps=[
                {"per": "rolling", "minutes": 10080, "amount": 7000},
                {"per": "rolling", "minutes": 1440, "amount": 1500},
            ],
        ),
        [
            WorkedStay("2025-03-03T09:00", "2025-03-04T09:00", 1500),
            WorkedStay("2025-03-03T09:00", "2025-03-06T09:00", 4500),
            WorkedStay("2025-03-03T09:00", "2025-03-07T09:00", 6000),
            WorkedStay("2025-03-03T09:00", "2025-03-10T09:00", 7000),
            WorkedStay("2025-03-03T09:00", "2025-03-10T09:01", 7200),
        ],
    ),
}
