"""`sesame tariff quote`."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from parking.kit.errors import InvalidInputError
from sesame.commands.tariff import FILE_BYTES_MAX, tariff_app
from tests.unit.tariffs.own_tables import DAY_AND_NIGHT, HOURLY

STAY = ("--entry", "2025-03-03T18:30", "--exit", "2025-03-04T08:40")


def _file(tmp_path: Path, content: object) -> str:
    path = tmp_path / "table.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_it_prints_the_amount_and_the_lines(tmp_path: Path) -> None:
    tables: list[dict[str, Any]] = [
        {"id": "hourly", "rate_table": HOURLY},
        {"id": "day-and-night", "source": "own", "rate_table": DAY_AND_NIGHT, "cases": []},
    ]
    result = CliRunner().invoke(
        tariff_app,
        ["quote", "--table", _file(tmp_path, tables), "--id", "day-and-night", *STAY, "--json"],
    )
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert (report["amount_minor"], report["currency"]) == (1100, "EUR")
    assert report["next_change_at"] == "2025-03-04T09:00:01+01:00"
    assert [line["amount_minor"] for line in report["lines"]] == [400, 500, 200]
    assert report["lines"][0] == {
        "reason": "increment",
        "starts_at": "2025-03-03T18:30:00+01:00",
        "ends_at": "2025-03-03T20:00:00+01:00",
        "block_minutes": 60,
        "block_count": 2,
        "block_amount_minor": 200,
        "amount_minor": 400,
        "capped_from_minor": None,
        "running_total_minor": 400,
        "collection": "day",
        "note": "",
        "window": "08:00-20:00",
    }


def test_one_rate_table_needs_no_id_and_may_be_given_it(tmp_path: Path) -> None:
    named = {"id": "hourly", "rate_table": HOURLY}
    for content, options in (
        ([named], ()),
        ([HOURLY], ()),
        (named, ()),
        (named, ("--id", "hourly")),
        ({"id": "hourly"} | HOURLY, ("--id", "hourly")),
    ):
        result = CliRunner().invoke(
            tariff_app,
            ["quote", "--table", _file(tmp_path, content), *options, *STAY, "--json"],
        )
        assert result.exit_code == 0
        assert json.loads(result.stdout)["amount_minor"] == 1500


def test_it_prints_a_table_for_people(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        tariff_app, ["quote", "--table", _file(tmp_path, DAY_AND_NIGHT), *STAY]
    )
    assert result.exit_code == 0
    assert "Total 11.00 EUR" in result.stdout
    assert "Changes at 2025-03-04T09:00:01+01:00" in result.stdout


def test_a_local_time_that_comes_twice_is_the_first_and_an_offset_names_the_other(
    tmp_path: Path,
) -> None:
    table = _file(tmp_path, HOURLY)
    amounts = [
        json.loads(
            CliRunner()
            .invoke(
                tariff_app,
                [
                    "quote",
                    "--table",
                    table,
                    "--entry",
                    entry,
                    "--exit",
                    "2025-10-26T03:30",
                    "--json",
                ],
            )
            .stdout
        )["amount_minor"]
        for entry in ("2025-10-26T02:30", "2025-10-26T02:30+02:00", "2025-10-26T02:30+01:00")
    ]
    assert amounts == [200, 200, 100]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("{", STAY, "table: expected JSON (Expecting property name"),
        ('{"a": 1, "a": 2}', STAY, "a: expected one value: the name comes twice"),
        ('[{"x": [0, {"b\\n": 1, "b\\n": 2}]}]', STAY, "0.x.1.b?: expected one value"),
        (
            json.dumps(HOURLY)[:-1] + ', "grace": 1' + "0" * 5000 + "}",
            STAY,
            "rate_table.grace: expected a valid integer",
        ),
        (HOURLY | {"a\nb": 1}, STAY, "rate_table.a?b: expected no field of this name"),
        ([{"id": "a"}, {"id": "a"}], (*STAY, "--id", "a"), "id: expected an id that one table has"),
        ({"id": "a"}, (*STAY, "--id", "b"), "id: expected a or no value: the file is not a list"),
        ("[" * 100_000, STAY, "table: expected JSON"),
        (" " * (FILE_BYTES_MAX + 1), STAY, "table: expected a file of at most"),
        ([{"id": "a"}, 7], STAY, "id: expected one of a"),
        ([], STAY, "id: expected one of the ids in the file, which has none"),
        ([{"id": "a"}], (*STAY, "--id", "b"), "id: expected one of a"),
        (HOURLY, (*STAY, "--id", "b"), "id: expected no value"),
        (HOURLY | {"grace": 0.5}, STAY, "rate_table.grace: expected a valid integer"),
        (HOURLY, ("--entry", "noon", *STAY[2:]), "entry: expected an ISO 8601 time"),
        (HOURLY, ("--entry", "0001-01-01T00:00", *STAY[2:]), "entry: expected an ISO 8601 time"),
        (
            HOURLY,
            ("--entry", "2025-03-30T02:30", "--exit", "2025-03-30T04:00"),
            "entry: expected a local time that exists in Europe/Berlin",
        ),
        (
            HOURLY,
            ("--entry", "2025-03-03T09:00", "--exit", "2025-03-03T08:59"),
            "exit: expected a time not before the entry",
        ),
        (HOURLY, (*STAY[:2], "--exit", "2027-03-03T08:00"), "exit: expected a stay of at most"),
    ],
)
def test_bad_input_is_refused_by_name(
    tmp_path: Path, content: object, options: tuple[str, ...], message: str
) -> None:
    result = CliRunner().invoke(
        tariff_app, ["quote", "--table", _file(tmp_path, content), *options, "--json"]
    )
    assert result.exit_code == 1
    assert result.stdout == ""
    assert isinstance(result.exception, InvalidInputError)
    assert str(result.exception).startswith(message)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        tariff_app, ["quote", "--table", str(tmp_path / "none.json"), *STAY]
    )
    assert result.exit_code == 1
    assert isinstance(result.exception, InvalidInputError)
    assert str(result.exception).startswith("table: expected a readable file (No such file")
