"""What lint finds: each code on a table made for it, and only it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from parking.tariffs.lint import budget
from parking.tariffs.lint.findings import Severity
from parking.tariffs.lint.linter import lint
from parking.tariffs.rules import RateTable, price
from tests.unit.tariffs.own_tables import flat, increment, parsed, table

AT: Final = datetime(2025, 3, 1, tzinfo=UTC)
# Without changes of the clocks, so that only what a case is about is found.
ZONE: Final = "Asia/Shanghai"
HOURLY: Final = {"lines": [increment(100, 60)]}
PLAIN_DAYS: Final = {"days": ["noholiday"], "lines": [increment(100, 60)]}
FREE: Final = {"lines": [{"kind": "free"}]}


def _found(data: dict[str, Any], at: datetime = AT) -> list[tuple[str, str, str]]:
    return [(each.severity, each.code, each.path) for each in lint(parsed(data), at)]


def _table(*collections: dict[str, Any], **fields: object) -> dict[str, Any]:
    return table(*collections, timezone=ZONE, **fields)


CASES: Final[dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]]] = {
    "nothing": (_table(HOURLY), []),
    "hours in no window": (
        _table({"window": ["08:00", "20:00"], "lines": [increment(100, 60)]}),
        [("warning", "week_gap", "collections")],
    ),
    "no hour is in no window when a free collection says so": (
        _table(
            {"window": ["08:00", "20:00"], "lines": [increment(100, 60)]},
            {"window": ["20:00", "08:00"], **FREE},
        ),
        [],
    ),
    "two windows that overlap": (
        _table(
            {"window": ["08:00", "14:00"], "lines": [increment(100, 60)]},
            {"window": ["12:00", "08:00"], "lines": [increment(200, 60)]},
        ),
        [("warning", "window_overlap", "collections.1.window")],
    ),
    "hours within longer ones": (
        _table({"window": ["12:00", "14:00"], "lines": [increment(200, 60)]}, HOURLY),
        [("note", "window_overlap", "collections.1.window")],
    ),
    "a collection behind another that covers it": (
        _table(HOURLY, {"window": ["08:00", "20:00"], "lines": [increment(200, 60)]}),
        [("error", "collection_unreachable", "collections.1")],
    ),
    "a collection for holidays that are not listed": (
        _table({"days": ["holiday"], **FREE}, HOURLY),
        [
            ("error", "collection_unreachable", "collections.0.days"),
            ("note", "holidays_missing", "holidays"),
        ],
    ),
    "minutes before, between and after the lines of a ladder": (
        _table({"lines": [increment(100, 60, 30, 120), increment(50, 60, 180, 300)]}),
        [
            ("warning", "ladder_gap", "collections.0.lines.0.from"),
            ("warning", "ladder_gap", "collections.0.lines.1.from"),
            ("warning", "ladder_gap", "collections.0.lines.1.to"),
        ],
    ),
    "a line beyond the period of the ladder": (
        _table(
            {"lines": [flat(500, 0, 1440), flat(900, 1440)]},
            ladder_reset="rolling",
            ladder_minutes=1440,
        ),
        [("error", "line_unreachable", "collections.0.lines.1")],
    ),
    "a line beyond its window": (
        _table(
            {
                "window": ["08:00", "18:00"],
                "clock": "window",
                "lines": [increment(100, 60, 0, 600), increment(200, 60, 600)],
            },
            {"window": ["18:00", "08:00"], **FREE},
        ),
        [("error", "line_unreachable", "collections.0.lines.1")],
    ),
    "a line beyond what can be charged in a day": (
        _table(
            {
                "window": ["08:00", "18:00"],
                "clock": "charged",
                "lines": [increment(100, 60, 0, 600), flat(200, 600)],
            },
            ladder_reset="calendar_day",
        ),
        [
            ("error", "line_unreachable", "collections.0.lines.1"),
            ("warning", "week_gap", "collections"),
        ],
    ),
    "a cap below one block": (
        _table({"lines": [increment(500, 60)]}, caps=[{"per": "calendar_day", "amount": 400}]),
        [("error", "cap_below_block", "caps.0.amount")],
    ),
    "a cap of a collection below its flat charge": (
        _table({"cap": 400, "lines": [flat(500)]}),
        [("error", "cap_below_block", "collections.0.cap")],
    ),
    "a cap that is never met": (
        _table(HOURLY, caps=[{"per": "calendar_day", "amount": 2400}]),
        [("warning", "cap_unreachable", "caps.0")],
    ),
    "a package that nobody can leave in": (
        _table(
            HOURLY,
            packages=[{"enter": ["18:00", "20:00"], "exit": ["06:00", "08:00"], "amount": 100}],
        ),
        [("error", "package_unreachable", "packages.0")],
    ),
    "a package dearer than what it replaces": (
        _table(
            HOURLY,
            packages=[{"enter": ["08:00", "09:00"], "exit": ["10:00", "12:00"], "amount": 400}],
        ),
        [("error", "package_unreachable", "packages.0")],
    ),
    "a package with which staying longer costs less": (
        _table(
            HOURLY,
            packages=[
                {"enter": ["08:00", "09:00"], "exit": ["15:00", "20:00"], "amount": 300}
                | {"name": "early"}
            ],
        ),
        [("warning", "longer_costs_less", "packages.0")],
    ),
    "a variant that another one hides": (
        _table(
            HOURLY,
            variants=[
                {"name": "electric", "eligibility": {"ev": True}, "priority": 5, "grace": 60},
                {
                    "name": "electric vans",
                    "eligibility": {"ev": True, "vehicle_classes": ["van"]},
                    "grace": 90,
                },
            ],
        ),
        [("error", "variant_unreachable", "variants.1")],
    ),
    "a variant that changes nothing": (
        _table(HOURLY, variants=[{"name": "electric", "eligibility": {"ev": True}}]),
        [("warning", "variant_without_effect", "variants.0")],
    ),
    "what is wrong in a variant, where it stands": (
        _table(
            HOURLY,
            variants=[
                {
                    "name": "motorcycles",
                    "eligibility": {"vehicle_classes": ["motorcycle"]},
                    "collections": [{"window": ["08:00", "20:00"], "lines": [increment(50, 60)]}],
                }
            ],
        ),
        [("warning", "week_gap", "variants.0.collections")],
    ),
    "seconds that cost a fraction": (
        _table({"lines": [{"kind": "per_second", "value": 100, "block": 60}]}),
        [("note", "rounding", "collections.0.lines.0")],
    ),
    "seconds that cost whole units": (
        _table({"lines": [{"kind": "per_second", "value": 300, "block": 1}]}),
        [],
    ),
    "holidays that end soon": (
        _table({"days": ["holiday"], **FREE}, PLAIN_DAYS, holidays=["2025-05-29"]),
        [("warning", "holidays_end", "holidays")],
    ),
    "holidays that go on": (
        _table({"days": ["holiday"], **FREE}, PLAIN_DAYS, holidays=["2025-05-30"]),
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_finds_just_what_is_there_and_shows_it_with_true_prices(name: str) -> None:
    data, expected = CASES[name]
    rate_table = parsed(data)
    findings = lint(rate_table, AT)
    assert [(each.severity, each.code, each.path) for each in findings] == expected
    for finding in findings:
        if not finding.path.startswith("variants"):
            for stay in finding.stays:
                total = price(rate_table, stay.entered_at, stay.left_at).total
                assert total.amount_minor == stay.amount_minor


def test_an_overlap_says_who_wins_and_when() -> None:
    (finding,) = lint(parsed(CASES["two windows that overlap"][0]), AT)
    assert finding.words == (
        "collections.0 covers Mon-Sun 12:00-14:00 too: the first of the list wins, so that "
        "collections.1 does not count then"
    )
    assert [stay.amount_minor for stay in finding.stays] == [200]


def test_a_gap_says_when_nothing_counts() -> None:
    (finding,) = lint(parsed(CASES["hours in no window"][0]), AT)
    assert finding.words.startswith(
        "no collection counts Mon-Sun 00:00-08:00, Mon-Sun 20:00-24:00: these hours cost nothing."
    )
    assert [stay.amount_minor for stay in finding.stays] == [0]


def test_a_longer_stay_that_costs_less_is_shown_with_the_package() -> None:
    (finding,) = lint(parsed(CASES["a package with which staying longer costs less"][0]), AT)
    assert "packages.0 (early)" in finding.words
    shorter, longer = finding.stays
    assert shorter.left_at < longer.left_at
    # From 08:00 seven hours cost 7.00, and a second more the package's 3.00.
    assert (shorter.amount_minor, longer.amount_minor) == (700, 300)


def test_a_ladder_that_ends_shows_that_the_price_stands_still() -> None:
    finding = lint(parsed(_table({"lines": [increment(100, 60, 0, 300)]})), AT)[0]
    assert [stay.amount_minor for stay in finding.stays] == [500, 500]
    assert finding.words == "no line covers minute 300 on of this ladder: that time costs nothing"


def test_a_change_of_the_clocks_is_compared_with_the_week_before() -> None:
    forward, back = lint(parsed(table(HOURLY)), AT)
    assert (forward.code, back.code) == ("clock_change_price", "clock_change_price")
    assert [stay.amount_minor for stay in forward.stays] == [200, 300]
    assert [stay.amount_minor for stay in back.stays] == [400, 300]
    assert forward.words == (
        "on 2025-03-30 the clocks are set forward: from Sun 01:00 to Sun 04:00 costs 2.00 EUR, "
        "less than the 3.00 EUR of a week before"
    )


def test_clocks_that_change_at_midnight_or_by_half_an_hour_are_seen_too() -> None:
    back, forward = lint(parsed(table(HOURLY, timezone="America/Santiago")), AT)
    assert back.words == (
        "on 2025-04-05 the clocks are set back: from Sat 22:00 to Sun 01:00 costs 4.00 EUR, more "
        "than the 3.00 EUR of a week before"
    )
    assert forward.words == (
        "on 2025-09-07 the clocks are set forward: from Sun 01:00 to Sun 02:00 costs 1.00 EUR, "
        "less than the 2.00 EUR of a week before"
    )
    lord_howe = table({"lines": [increment(100, 30)]}, timezone="Australia/Lord_Howe")
    assert [each.code for each in lint(parsed(lord_howe), AT)] == ["clock_change_price"] * 2


def test_windows_whose_edge_the_clocks_skip_or_show_twice_are_named() -> None:
    data = table(
        {"window": ["06:00", "02:30"], "lines": [flat(0)]},
        {"window": ["02:30", "06:00"], "lines": [flat(0)]},
    )
    assert _found(data) == [
        ("note", "clock_change_window", f"collections.{index}.window") for index in (0, 1, 0, 1)
    ]
    words = [finding.words for finding in lint(parsed(data), AT)]
    assert words[0] == "on 2025-03-30 02:30 does not exist: the window's edge is at 03:00"
    assert words[2] == "on 2025-10-26 02:30 comes twice: the first one is the window's edge"


def test_a_day_of_25_hours_is_longer_than_a_ladder_of_24() -> None:
    data = table({"lines": [flat(500, 0, 1440)]}, ladder_reset="calendar_day")
    assert _found(data) == [("note", "clock_change_ladder", "collections.0.lines.0.to")]


def test_a_look_at_a_large_table_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "UNITS_MAX", 2)
    data = CASES["a package with which staying longer costs less"][0]
    assert _found(data) == [("note", "not_all_tried", "")]


SHARED: Final = Path(__file__).parents[3].parent / "shared" / "tariffs" / "vectors.json"
# What is true of the real tariffs: free nights, a ladder that ends after a day, an early bird.
REAL: Final = {
    "shenzhen-street-class1": ["week_gap", "holidays_missing"],
    "kaifeng-station": [],
    "idaho-falls-hourly": ["clock_change_price", "clock_change_price"],
    "stgeorges-nhs": ["week_gap", "clock_change_price"],
    "ferry-meadows-anpr": ["ladder_gap", "clock_change_price", "clock_change_price"],
    "singen-stadthalle": ["clock_change_price", "clock_change_price"],
    "zwickau": ["clock_change_price"],
    "jp-day-night-caps": [],
    "jp-calendar-day-cap": [],
    "jp-24h-cap-once": [],
    "sg-s615-2016-motorcycle": [],
    "early-bird": [
        "longer_costs_less",
        "holidays_missing",
        "clock_change_price",
        "clock_change_ladder",
        "clock_change_price",
    ],
    "dst-berlin": ["clock_change_price", "clock_change_price"],
}


@pytest.mark.skipif(not SHARED.exists(), reason="the shared tariffs are not beside the checkout")
def test_real_tariffs_have_no_errors_and_only_findings_that_are_true() -> None:
    entries = json.loads(SHARED.read_text(encoding="utf-8"))
    tables = {entry["id"]: RateTable.model_validate(entry["rate_table"]) for entry in entries}
    found = {name: lint(rate_table, AT) for name, rate_table in tables.items()}
    assert {name: [each.code for each in findings] for name, findings in found.items()} == REAL
    severities = {each.severity for findings in found.values() for each in findings}
    assert severities == {Severity.WARNING, Severity.NOTE}
