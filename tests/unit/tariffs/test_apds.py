"""Rate tables as APDS v4 writes them: exact both ways, or refused by name."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from parking.kit.errors import InvalidInputError
from parking.tariffs.apds.reading import from_apds
from parking.tariffs.apds.values import amount_minor_of, amount_number, duration_text, minutes_of
from parking.tariffs.apds.writing import to_apds
from parking.tariffs.rules import RateTable
from sesame.commands.tariff import tariff_app
from tests.unit.tariffs.own_tables import HOURLY, flat, increment, parsed, table

ZONE: Final = "Europe/London"


@st.composite
def expressible(draw: st.DrawFn) -> RateTable:
    """Draw a rate table that APDS can say."""
    lines: list[dict[str, Any]] = []
    start = draw(st.sampled_from((0, 30)))
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(("free", "flat", "increment")))
        line: dict[str, Any] = {"kind": kind, "from": start}
        if kind != "free":
            line["value"] = draw(st.integers(1, 1_000_000_000))
        if kind == "increment":
            line["block"] = draw(st.integers(1, 3000))
        start += draw(st.integers(1, 3000))
        if draw(st.booleans()):
            line["to"] = start
        lines.append(line)
        if "to" not in line:
            break
    reset = draw(st.sampled_from(("session", "calendar_day")))
    amount = draw(st.integers(0, 1_000_000_000))
    return parsed(
        {
            "timezone": ZONE,
            "currency": draw(st.sampled_from(("EUR", "CNY", "JPY", "KWD"))),
            "name": draw(st.sampled_from(("", "Nordstraße 北"))),
            "version": draw(st.integers(1, 9)),
            "ladder_reset": reset,
            "caps": draw(st.sampled_from(([], [{"per": reset, "amount": amount}]))),
            "collections": [{"name": draw(st.sampled_from(("", "all day"))), "lines": lines}],
        }
    )


@given(expressible())
@settings(max_examples=150)
def test_what_is_written_is_read_back_the_same(rate_table: RateTable) -> None:
    written = json.loads(json.dumps(to_apds(rate_table)), parse_float=Decimal)
    assert from_apds(written, timezone=ZONE, tiers="added").table == rate_table


def test_a_table_in_the_words_of_the_standard() -> None:
    rate_table = parsed(
        table(
            {"name": "all day", "lines": [flat(250, 0, 60), increment(120, 30, 60)]},
            name="Riverside",
            version=3,
            ladder_reset="calendar_day",
            caps=[{"per": "calendar_day", "amount": 1590}],
        )
    )
    written = to_apds(rate_table, valid_from=datetime(2025, 3, 1, tzinfo=UTC))
    assert written.pop("id") == to_apds(rate_table)["id"]
    description = [{"language": "und", "string": "all day"}]
    assert written == {
        "version": 3,
        "rateTableName": [{"language": "und", "string": "Riverside"}],
        "availability": "public",
        "validityStart": "2025-03-01T00:00:00+00:00",
        "rateLineCollections": [
            {
                "collectionSequence": 1,
                "applicableCurrency": "EUR",
                "relativeTimes": True,
                "resetTime": "00:00:00",
                "maxValueCollection": 15.9,
                "rateLines": [
                    {
                        "sequence": 1,
                        "rateLineType": "flatRateTier",
                        "durationStart": "PT0M",
                        "durationEnd": "PT1H",
                        "value": 2.5,
                        "description": description,
                    },
                    {
                        "sequence": 2,
                        "rateLineType": "incrementingRate",
                        "incrementPeriod": "PT30M",
                        "durationStart": "PT1H",
                        "value": 1.2,
                        "description": description,
                    },
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"grace": 10}, "rate_table.grace"),
        ({"free_first": 10}, "rate_table.free_first"),
        ({"tick": "minute"}, "rate_table.tick"),
        ({"reentry_merge": 10}, "rate_table.reentry_merge"),
        ({"grace_after_payment": 20}, "rate_table.grace_after_payment"),
        ({"straddle": "continue"}, "rate_table.straddle"),
        ({"holidays": ["2025-12-25"]}, "rate_table.holidays"),
        ({"ladder_reset": "rolling", "ladder_minutes": 1440}, "rate_table.ladder_reset"),
        ({"caps": [{"per": "rolling", "minutes": 1440, "amount": 1}]}, "rate_table.caps.0"),
        ({"caps": [{"per": "calendar_day", "amount": 1}]}, "rate_table.caps.0"),
        ({"caps": [{"per": "session", "amount": 1}] * 2}, "rate_table.caps.1"),
        (
            {"packages": [{"enter": ["06:00", "09:00"], "exit": ["15:00", "20:00"], "amount": 1}]},
            "rate_table.packages",
        ),
        ({"allowances": [{"name": "a", "minutes": 60}]}, "rate_table.allowances"),
        ({"validations": [{"name": "a", "kind": "free"}]}, "rate_table.validations"),
        (
            {"variants": [{"name": "a", "eligibility": {"ev": True}, "grace": 1}]},
            "rate_table.variants",
        ),
        ({"collections": [*HOURLY["collections"]] * 2}, "rate_table.collections"),
    ],
)
def test_what_apds_cannot_say_is_refused_by_name(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        to_apds(parsed(HOURLY | changes))
    assert refused.value.field == path


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"window": ["08:00", "20:00"]}, "window"),
        ({"days": ["mon"]}, "days"),
        ({"clock": "charged"}, "clock"),
        ({"cap": 500}, "cap"),
        ({"lines": [{"kind": "per_second", "value": 1, "block": 1}]}, "lines.0.kind"),
        ({"lines": [flat(0)]}, "lines.0.kind"),
    ],
)
def test_what_apds_cannot_say_of_a_collection_is_refused_by_name(
    changes: dict[str, Any], path: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        to_apds(parsed(table({"lines": [increment(100, 60)]} | changes)))
    assert refused.value.field == f"rate_table.collections.0.{path}"


# As car parks publish theirs: two-digit clocks for durations, totals for tiers.
PUBLISHED: Final[dict[str, Any]] = {
    "id": "0376c349-ed20-4f6f-9551-1a82f9f5f734",
    "version": 1,
    "rateTableName": {"en": "Central"},
    "availability": "public",
    "rateType": "hourly",
    "validityStart": "2025-04-01T00:00:00+01:00",
    "rateLineCollections": [
        {
            "applicableCurrency": "GBP",
            "collectionSequence": 0,
            "relativeTimes": True,
            "taxIncluded": True,
            "rateLines": [
                {"sequence": 2, "rateLineType": "flatRateTier", "value": 6.7}
                | {"durationStart": "01:00", "durationEnd": "02:00", "description": "up to 2 h"},
                {"sequence": 1, "rateLineType": "flatRateTier", "value": 3.7}
                | {"durationStart": "00:00", "durationEnd": "01:00", "description": "up to 1 h"},
            ],
        }
    ],
}


def test_tiers_that_are_totals_become_what_each_adds() -> None:
    read = from_apds(PUBLISHED, timezone=ZONE, tiers="total")
    assert [(line.from_minutes, line.amount_minor) for line in read.table.collections[0].lines] == [
        (0, 370),
        (60, 300),
    ]
    assert read.table.name == "Central"
    assert read.effective_at == datetime(2025, 3, 31, 23, tzinfo=UTC)
    assert read.left_out == [
        "id",
        "rateType",
        "rateLineCollections.0.rateLines.0.description",
        "rateLineCollections.0.rateLines.1.description",
    ]


def _with(path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    data: Any = json.loads(json.dumps(PUBLISHED))
    part = data
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return data


_LINE = ("rateLineCollections", 0, "rateLines", 0)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (("rateEligibility",), [{"id": "x"}], "rateEligibility"),
        (("validityEnd",), "2026-01-01T00:00:00Z", "validityEnd"),
        (("availability",), "restricted", "availability"),
        (("activeTimes",), ["P1D"], "activeTimes"),
        (("version",), "1", "version"),
        (("validityStart",), "2025-04-01T00:00:00", "validityStart"),
        (("rateLineCollections",), [], "rateLineCollections"),
        (("rateLineCollections", 0, "maxTime"), "PT2H", "rateLineCollections.0.maxTime"),
        (("rateLineCollections", 0, "minValueCollection"), 1, None),
        (("rateLineCollections", 0, "relativeTimes"), False, None),
        (("rateLineCollections", 0, "taxIncluded"), False, None),
        (("rateLineCollections", 0, "resetTime"), "02:00:00", None),
        (("rateLineCollections", 0, "maxValueCollection"), -1, None),
        ((*_LINE, "rateLineType"), "perUnit", None),
        ((*_LINE, "value"), 1.005, None),
        ((*_LINE, "value"), "3.70", None),
        ((*_LINE, "maxValue"), 3, None),
        ((*_LINE, "durationEnd"), "P1M", None),
        ((*_LINE, "durationEnd"), "PT90S", None),
        ((*_LINE, "incrementPeriod"), "PT1H", None),
        ((*_LINE, "usageCondition"), "fixedNumber", None),
    ],
)
def test_what_ours_cannot_say_is_refused_with_its_path(
    path: tuple[str | int, ...], value: object, field: str | None
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        from_apds(_with(path, value), timezone=ZONE, tiers="total")
    assert refused.value.field == (field or ".".join(str(step) for step in path))


def test_tiers_that_nobody_explains_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="tiers: expected added or total"):
        from_apds(PUBLISHED, timezone=ZONE)


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(0, "PT0M"), (90, "PT1H30M"), (1440, "P1D"), (1500, "P1DT1H"), (5, "PT5M")],
)
def test_durations(minutes: int, text: str) -> None:
    assert duration_text(minutes) == text
    assert minutes_of(text, "x") == minutes


def test_amounts_are_exact_to_the_last_digit() -> None:
    for currency, minor, number in (
        ("EUR", 999_999_999, 9_999_999.99),
        ("JPY", 1_000_000_000, 1e9),
        ("KWD", 999_999_999, 999_999.999),
    ):
        assert amount_number(minor, currency) == number
        assert amount_minor_of(Decimal(str(number)), currency, "x") == minor


def test_the_commands_write_and_read_back(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    ours.write_text(json.dumps(HOURLY | {"version": 2}), encoding="utf-8")
    exported = CliRunner().invoke(
        tariff_app,
        ["export", "--table", str(ours), "--format", "apds", "--valid-from", "2025-03-01"],
    )
    assert exported.exit_code == 0, exported.output
    assert json.loads(exported.stdout)["validityStart"] == "2025-03-01T00:00:00+01:00"
    theirs.write_text(exported.stdout, encoding="utf-8")
    words = ["import", str(theirs), "--timezone", "Europe/Berlin", "--json"]
    imported = CliRunner().invoke(tariff_app, words)
    assert imported.exit_code == 0, imported.output
    report = json.loads(imported.stdout)
    assert parsed(report["rate_table"]) == parsed(HOURLY | {"version": 2})
    assert report["effective_at"] == "2025-03-01T00:00:00+01:00"
    assert report["left_out"] == ["id"]
