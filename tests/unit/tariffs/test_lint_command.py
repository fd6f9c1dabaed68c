"""`sesame tariff lint` and `quote --curve`: reports, plots, and files that cannot be read."""

import json
import struct
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

from parking.kit.errors import InvalidInputError
from sesame.commands.tariff import FILE_BYTES_MAX, tariff_app
from sesame.price_plots.curve import StretchKind, curve_of
from sesame.price_plots.terminal import draw_in_terminal
from tests.unit.tariffs.own_tables import DAY_AND_NIGHT, HOURLY, increment, local, parsed, table

AT: Final = ("--at", "2025-03-01")
CAPPED: Final = table(
    {"window": ["08:00", "20:00"], "lines": [increment(100, 60)]},
    timezone="Asia/Shanghai",
    caps=[{"per": "calendar_day", "amount": 500}],
)
UNSOUND: Final = CAPPED | {"caps": [{"per": "calendar_day", "amount": 50}]}
EV_HOUR: Final = HOURLY | {
    "variants": [{"name": "two wheels", "eligibility": {"vehicle_classes": ["motorcycle"]}}],
    "allowances": [{"name": "first EV hour", "minutes": 60, "eligibility": {"ev": True}}],
    "validations": [{"name": "cinema", "kind": "amount", "value": 50}],
}


def _file(tmp_path: Path, content: object) -> str:
    path = tmp_path / "table.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return str(path)


def _lint(tmp_path: Path, content: object, *options: str) -> Result:
    words = ["lint", "--table", _file(tmp_path, content), *AT, *options]
    return CliRunner().invoke(tariff_app, words)


def test_a_list_is_looked_at_table_by_table_and_an_error_ends_with_1(tmp_path: Path) -> None:
    content = [{"id": "good", "rate_table": CAPPED}, UNSOUND | {"id": "bad"}]
    result = _lint(tmp_path, content, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["errors"], report["warnings"], report["notes"]) == (1, 2, 0)
    assert report["tables"] == 2
    assert [(each["table"], each["path"]) for each in report["findings"]] == [
        ("good", "0.rate_table.collections"),
        ("bad", "1.caps.0.amount"),
        ("bad", "1.collections"),
    ]
    assert report["findings"][1] == {
        "table": "bad",
        "severity": "error",
        "code": "cap_below_block",
        "path": "1.caps.0.amount",
        "words": "the cap of 0.50 EUR is lower than one block of 1.00 EUR: nobody ever pays that "
        "block in full",
        "stays": [
            {
                "entry": "2025-03-03T08:00:00+08:00",
                "exit": "2025-03-04T08:00:00+08:00",
                "amount_minor": 50,
                "amount": "0.50 EUR",
            }
        ],
    }


def test_warnings_end_with_0_and_people_see_the_curve(tmp_path: Path) -> None:
    result = _lint(tmp_path, CAPPED)
    assert result.exit_code == 0
    assert "  warning week_gap  collections\n" in result.stdout
    assert "░ free" in result.stdout
    assert "┈ at most 5.00 EUR a day" in result.stdout


def test_the_plot_is_a_png_with_two_panels(tmp_path: Path) -> None:
    target = tmp_path / "curve.png"
    # A name that no installed font may have, and no warning about it.
    named = CAPPED | {"name": "停车场"}
    result = _lint(tmp_path, named, "--json", "--plot", str(target))
    assert result.exit_code == 0, result.exception
    content = target.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    # Two panels beside each other, each 6.4 by 3.1 inches at 110 dots.
    assert (width, height) == (1408, 341)


def test_a_plot_that_cannot_be_written_is_refused_by_name(tmp_path: Path) -> None:
    result = _lint(tmp_path, CAPPED, "--json", "--plot", str(tmp_path / "none" / "curve.png"))
    assert result.exit_code == 1
    assert isinstance(result.exception, InvalidInputError)
    assert str(result.exception).startswith("plot: expected a file that can be written")


def test_the_curve_shows_free_time_and_where_a_cap_is_reached() -> None:
    rate_table = parsed(CAPPED)
    entered_at = local("2025-03-03T10:00", "Asia/Shanghai")
    curve = curve_of(rate_table, entered_at, entered_at + timedelta(hours=24))
    shown = [
        (each.kind, (each.starts_at - entered_at) / timedelta(hours=1))
        for each in curve.stretches
        if each.ends_at - each.starts_at > timedelta(minutes=1)
    ]
    # Five blocks from 10:00 on, then the cap; from 20:00 to 08:00 nothing counts.
    second = 1 / 3600
    assert shown == [
        (StretchKind.CAPPED, pytest.approx(4 + second)),
        (StretchKind.FREE, 10),
    ]
    assert [(cap.label, cap.amount_minor) for cap in curve.caps] == [
        ("at most 5.00 EUR a day", 500)
    ]
    plot = draw_in_terminal(curve).splitlines()
    assert plot[2].startswith("7.00┤")
    assert plot[-4:] == [
        "  entry 2025-03-03 10:00, by the time of the exit",
        "  ░ free",
        "  ▔ a cap is reached",
        "  ┈ at most 5.00 EUR a day",
    ]


def test_a_quote_goes_by_vehicle_and_grants(tmp_path: Path) -> None:
    stay = ("--entry", "2025-03-03T09:00", "--exit", "2025-03-03T12:00", "--json")
    words = ["quote", "--table", _file(tmp_path, EV_HOUR), *stay]

    def quoted(*options: str) -> dict[str, Any]:
        result = CliRunner().invoke(tariff_app, [*words, *options])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    assert quoted()["amount_minor"] == 300
    assert quoted("--vehicle", "class=motorcycle,resident")["variant"] == "two wheels"
    electric = quoted("--vehicle", "Van, EV", "--validation", "cinema", "--pass")
    assert electric["amount_minor"] == 150
    assert electric["allowances_taken_s"] == {"first EV hour": {"2025-03-03": 3600}}
    used = quoted("--vehicle", "ev", "--used", "first EV hour=2025-03-03:1800")
    assert used["allowances_taken_s"] == {"first EV hour": {"2025-03-03": 1800}}
    assert [each["total_minor"] for each in quoted("--curve")["curve"]] == [0, 100, 200, 300]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--vehicle", "car,van"), "vehicle: expected one class of car, motorcycle"),
        (("--vehicle", "tank"), "vehicle: expected one class of car, motorcycle"),
        (("--validation", "opera"), "validation: expected one of cinema"),
        (("--used", "first EV hour=1800"), "used: expected text such as"),
        (("--used", "free lunch=2025-03-03:1800"), "used: expected one of first EV hour"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused_by_name(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    stay = ("--entry", "2025-03-03T09:00", "--exit", "2025-03-03T12:00")
    words = ["quote", "--table", _file(tmp_path, EV_HOUR), *stay, *options]
    result = CliRunner().invoke(tariff_app, words)
    assert result.exit_code == 1
    assert isinstance(result.exception, InvalidInputError)
    assert str(result.exception).startswith(message)


def test_a_price_that_changes_every_second_is_drawn_and_its_steps_are_bounded(
    tmp_path: Path,
) -> None:
    data = table({"lines": [{"kind": "per_second", "value": 600, "block": 1}]})
    words = ["quote", "--table", _file(tmp_path, data), "--entry", "2025-03-03T09:00", "--curve"]
    drawn = CliRunner().invoke(tariff_app, [*words, "--exit", "2026-03-03T09:00"])
    assert drawn.exit_code == 0
    assert "3153600.00┤" in drawn.stdout
    short = CliRunner().invoke(tariff_app, [*words, "--exit", "2025-03-03T09:00:02", "--json"])
    assert [each["total_minor"] for each in json.loads(short.stdout)["curve"]] == [0, 10, 20]
    long = CliRunner().invoke(tariff_app, [*words, "--exit", "2025-03-03T11:00", "--json"])
    assert str(long.exception) == "exit: expected a price that changes at most 2000 times"


def _changed(path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    """Return the table of day and night with one value changed."""
    data: Any = json.loads(json.dumps(DAY_AND_NIGHT))
    part = data
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value
    return data


@pytest.mark.parametrize("command", ["lint", "explain"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (" " * 10_000_000, f"table: expected a file of at most {FILE_BYTES_MAX} bytes"),
        ("[" * 1_000_000, "table: expected JSON"),
        (
            _changed(("collections", 0, "lines", 0, "value"), -1),
            "rate_table.collections.0.lines.0.value: expected greater than or equal to 0",
        ),
        (
            _changed(("collections", 0, "lines", 0, "value"), 1.5),
            "rate_table.collections.0.lines.0.value: expected a valid integer",
        ),
        (
            _changed(("collections", 0, "lines"), [increment(1, 60), increment(1, 60, 30)]),
            "rate_table.collections.0.lines.1.from: expected a range that does not overlap",
        ),
        (_changed(("timezone",), "Mars/Base"), "rate_table.timezone: expected a time zone"),
        (
            _changed(("caps",), [{"per": "session", "amount": 1, "collection": 7}]),
            "rate_table.caps.0.collection: expected the index of a collection",
        ),
        (_changed(("collections", 1, "$ref"), "#"), "rate_table.collections.1.$ref: expected no"),
        (_changed(("collections", 1), "collections.1"), "rate_table.collections.1: expected"),
    ],
)
def test_a_bad_table_is_refused_with_its_path(
    tmp_path: Path, command: str, content: object, message: str
) -> None:
    words = [command, "--table", _file(tmp_path, content), "--json"]
    result = CliRunner().invoke(tariff_app, words)
    assert (result.exit_code, result.stdout) == (1, "")
    assert isinstance(result.exception, InvalidInputError)
    assert str(result.exception).startswith(message)


def test_a_bad_table_in_a_list_is_refused_with_its_place_in_it(tmp_path: Path) -> None:
    content = [{"id": "a", "rate_table": HOURLY}, {"id": "b", "rate_table": HOURLY | {"grace": -1}}]
    result = _lint(tmp_path, content)
    assert str(result.exception).startswith("1.rate_table.grace: expected greater than or equal")
    result = _lint(tmp_path, [HOURLY | {"tick": "hour"}])
    assert str(result.exception).startswith("0.tick: expected 'second' or 'minute'")
    for empty in ([], [HOURLY] * 501):
        message = str(_lint(tmp_path, empty).exception)
        assert message == "table: expected a list of 1 to 500 rate tables"
