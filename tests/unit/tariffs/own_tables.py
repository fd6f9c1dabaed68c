"""Rate tables of our own, made so that each shows one rule, and stays worked out by hand."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from parking.tariffs.rules import RateTable


class WorkedStay(NamedTuple):
    """A stay in local time and what it costs by hand."""

    entry: str
    exit: str
    amount_minor: int


def increment(value: int, block: int, start: int = 0, end: int | None = None) -> dict[str, Any]:
    line = {"kind": "increment", "value": value, "block": block, "from": start}
    return line if end is None else line | {"to": end}


def flat(value: int, start: int = 0, end: int | None = None) -> dict[str, Any]:
    line = {"kind": "flat", "value": value, "from": start}
    return line if end is None else line | {"to": end}


def table(
    *collections: dict[str, Any], timezone: str = "Europe/Berlin", **fields: object
) -> dict[str, Any]:
    return {
        "timezone": timezone,
        "currency": "EUR",
        "collections": list(collections),
    } | fields


def parsed(data: dict[str, Any]) -> RateTable:
    return RateTable.model_validate(data)


def local(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


HOURLY: Final = table({"lines": [increment(100, 60)]})
DAY_AND_NIGHT: Final = table(
    {"name": "day", "window": ["08:00", "20:00"], "clock": "window", "lines": [increment(200, 60)]},
    {"name": "night", "window": ["20:00", "08:00"], "clock": "window", "lines": [flat(500)]},
)

WORKED: Final[dict[str, tuple[dict[str, Any], list[WorkedStay]]]] = {
    "grace is absorbed": (
        table({"lines": [increment(100, 60)]}, grace=15),
        [
            WorkedStay("2025-03-03T09:00", "2025-03-03T09:00", 0),
            WorkedStay("2025-03-03T09:00", "2025-03-03T09:15", 0),
            WorkedStay("2025-03-03T09:00", "2025-03-03T09:15:01", 100),
            WorkedStay("2025-03-03T09:00", "2025-03-03T10:00", 100),
            WorkedStay("2025-03-03T09:00", "2025-03-03T10:00:01", 200),
        ],
    ),
    "the first minutes are deducted": (
        table({"lines": [increment(100, 60)]}, free_first=15),
        [
            WorkedStay("2025-03-03T09:00", "2025-03-03T09:15", 0),
            WorkedStay("2025-03-03T09:00", "2025-03-03T09:15:01", 100),
            WorkedStay("2025-03-03T09:00", "2025-03-03T10:15", 100),
            WorkedStay("2025-03-03T09:00", "2025-03-03T10:15:01", 200),
        ],
    ),
    "ticks of a minute": (
        table({"lines": [increment(100, 60)]}, tick="minute"),
        [
            WorkedStay("2025-03-03T09:00:30", "2025-03-03T09:01:29", 0),
            WorkedStay("2025-03-03T09:00:30", "2025-03-03T09:01:30", 100),
            WorkedStay("2025-03-03T09:00:30", "2025-03-03T10:01:29", 100),
            WorkedStay("2025-03-03T09:00:30", "2025-03-03T10:01:30", 200),
        ],
    ),
    "in proportion to the seconds, rounded up": (
        table({"lines": [{"kind": "per_second", "value": 600, "block": 60, "from": 0}]}),
        [
            WorkedStay("2025-03-03T09:00", "2025-03-03T09:00:01", 1),
            WorkedStay("2025-03-03T09:00", "2025-03-03T09:00:06", 1),
            WorkedStay("2025-03-03T09:00", "2025-03-03T09:00:07", 2),
            WorkedStay("2025-03-03T09:00", "2025-03-03T10:30", 900),
        ],
    ),
    "in proportion under a daily cap, every day anew": (
        table(
            {"lines": [{"kind": "per_second", "value": 600, "block": 60, "from": 0}]},
            caps=[{"per": "rolling", "minutes": 1440, "amount": 2000}],
        ),
        [
            WorkedStay("2025-03-03T09:00", "2025-03-04T09:00", 2000),
            WorkedStay("2025-03-03T09:00", "2025-03-04T09:00:01", 2001),
            WorkedStay("2025-03-03T09:00", "2025-03-04T10:00", 2600),
            WorkedStay("2025-03-03T09:00", "2025-03-06T09:00", 6000),
        ],
    ),
    "a free tier, then a flat one, then blocks; a gap in the ladder is free": (
        table({"lines": [{"kind": "free", "to": 30}, flat(300, 30, 120), increment(50, 20, 180)]}),
        [
            WorkedStay("2025-03-03T09:00", "2025-03-03T09:30", 0),
            WorkedStay("2025-03-03T09:00", "2025-03-03T09:31", 300),
            WorkedStay("2025-03-03T09:00", "2025-03-03T12:00", 300),
            WorkedStay("2025-03-03T09:00", "2025-03-03T12:01", 350),
            WorkedStay("2025-03-03T09:00", "2025-03-03T12:21", 400),
        ],
    ),
    "windows of day and night": (
        DAY_AND_NIGHT,
        [
            WorkedStay("2025-03-03T18:30", "2025-03-03T20:00", 400),
            WorkedStay("2025-03-03T18:30", "2025-03-03T20:01", 900),
            WorkedStay("2025-03-03T18:30", "2025-03-04T08:00", 900),
            WorkedStay("2025-03-03T18:30", "2025-03-04T08:01", 1100),
            WorkedStay("2025-03-03T02:00", "2025-03-03T03:00", 500),
        ],
    ),
    "hours outside all windows are free, and a ladder of charged time waits": (
        table(
            {
                "window": ["09:00", "18:00"],
                "days": ["workday"],
                "clock": "charged",
                "lines": [increment(100, 60, 0, 120), increment(300, 60, 120)],
            },
            holidays=["2025-04-18"],
        ),
        [
            # Thursday 17:00 to Tuesday 10:00 over Good Friday, a weekend and one full Monday.
            WorkedStay("2025-04-17T17:00", "2025-04-21T09:00", 100),
            WorkedStay("2025-04-17T17:00", "2025-04-21T10:00", 200),
            WorkedStay("2025-04-17T17:00", "2025-04-21T11:00", 500),
            WorkedStay("2025-04-17T17:00", "2025-04-22T10:00", 100 + 100 + 8 * 300 + 300),
        ],
    ),
    "the first collection wins, and a window goes on after an interruption": (
        table(
            {"window": ["12:00", "13:00"], "lines": [{"kind": "free", "from": 0}]},
            {"window": ["08:00", "18:00"], "cap": 500, "lines": [increment(200, 60)]},
        ),
        [
            WorkedStay("2025-03-03T10:00", "2025-03-03T12:00", 400),
            WorkedStay("2025-03-03T10:00", "2025-03-03T13:00", 400),
            WorkedStay("2025-03-03T10:00", "2025-03-03T18:00", 500),
            WorkedStay("2025-03-03T10:00", "2025-03-04T09:00", 700),
        ],
    ),
    "a cap for the evening hours of every evening": (
        table(
            {"window": ["06:00", "18:00"], "lines": [increment(100, 60)]},
            {"window": ["18:00", "06:00"], "lines": [increment(300, 60)]},
            caps=[{"per": "rolling", "minutes": 720, "amount": 500, "collection": 1}],
        ),
        [
            WorkedStay("2025-03-03T17:00", "2025-03-03T20:00", 600),
            WorkedStay("2025-03-03T17:00", "2025-03-04T06:00", 600),
            WorkedStay("2025-03-03T17:00", "2025-03-04T18:00", 1800),
            WorkedStay("2025-03-03T17:00", "2025-03-05T06:00", 2300),
        ],
    ),
    "rolling periods count from the entry, whenever the first charge of one comes": (
        table(
            {"window": ["20:00", "02:00"], "days": ["mon", "thu"], "lines": [increment(100, 60)]},
            caps=[{"per": "rolling", "minutes": 1440, "amount": 300}],
        ),
        [
            WorkedStay("2025-03-03T23:00", "2025-03-06T20:00", 300),
            WorkedStay("2025-03-03T23:00", "2025-03-06T23:00", 600),
            WorkedStay("2025-03-03T23:00", "2025-03-07T02:00", 900),
        ],
    ),
    "joined days are one window, and round once": (
        table(
            {"days": ["holiday"], "lines": [flat(1)]},
            {
                "clock": "window",
                "lines": [
                    {"kind": "per_second", "value": 100, "block": 60, "to": 60},
                    flat(500, 60),
                ],
            },
        ),
        [
            WorkedStay("2025-03-03T23:59:50", "2025-03-04T00:00:20", 1),
            WorkedStay("2025-03-03T23:00", "2025-03-06T23:00", 600),
        ],
    ),
    "a cap for the session": (
        table({"lines": [increment(100, 60)]}, caps=[{"per": "session", "amount": 250}]),
        [
            WorkedStay("2025-03-03T09:00", "2025-03-03T11:00", 200),
            WorkedStay("2025-03-03T09:00", "2025-03-03T11:01", 250),
            WorkedStay("2025-03-03T09:00", "2025-04-03T11:01", 250),
        ],
    ),
    "the cheapest package wins, also over midnight": (
        table(
            {"lines": [increment(300, 60)]},
            packages=[
                {"enter": ["18:00", "02:00"], "exit": ["06:00", "10:00"], "amount": 900}
                | {"day_offset": 1, "name": "night"},
                {"enter": ["20:00", "23:00"], "exit": ["06:00", "08:00"], "amount": 700}
                | {"day_offset": 1, "name": "short night"},
            ],
        ),
        [
            WorkedStay("2025-03-03T19:00", "2025-03-04T05:59", 3300),
            WorkedStay("2025-03-03T19:00", "2025-03-04T06:00", 900),
            WorkedStay("2025-03-03T19:00", "2025-03-04T10:00", 4500),
            WorkedStay("2025-03-04T01:00", "2025-03-04T07:00", 900),
            WorkedStay("2025-03-03T21:00", "2025-03-04T07:00", 700),
            WorkedStay("2025-03-03T21:00", "2025-03-04T08:00", 900),
            WorkedStay("2025-03-04T04:30", "2025-03-04T06:30", 600),
        ],
    ),
    "days on which the clocks change": (
        table(
            {"lines": [increment(100, 60)]},
            ladder_reset="calendar_day",
            caps=[{"per": "calendar_day", "amount": 2400}],
        ),
        [
            # 23, 25 and 24 hours between two midnights.
            WorkedStay("2025-03-30T00:00", "2025-03-31T00:00", 2300),
            WorkedStay("2025-10-26T00:00", "2025-10-27T00:00", 2400),
            WorkedStay("2025-10-27T00:00", "2025-10-28T00:00", 2400),
            WorkedStay("2025-10-26T00:00", "2025-10-27T01:00", 2500),
        ],
    ),
    "a window that the clocks skip or show twice": (
        table(
            {"window": ["02:00", "03:00"], "lines": [increment(100, 30)]},
            {"window": ["03:00", "02:00"], "lines": [increment(1, 60)]},
        ),
        [
            WorkedStay("2025-03-30T01:00", "2025-03-30T04:00", 2),
            WorkedStay("2025-03-31T01:00", "2025-03-31T04:00", 202),
            # The window ends when the clock first shows 03:00, two hours after it began.
            WorkedStay("2025-10-26T01:00", "2025-10-26T04:00", 402),
        ],
    ),
    "a leap day": (
        table({"days": ["thu"], "lines": [flat(500)]}, {"lines": [flat(300)]}),
        [WorkedStay("2024-02-29T10:00", "2024-02-29T12:00", 500)],
    ),
}
