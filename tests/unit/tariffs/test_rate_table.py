"""Rate tables that are refused, and by which name."""

import copy
import json
from typing import Any

import pytest

from parking.kit.errors import InvalidInputError
from parking.tariffs.rules import RateTable, read_rate_table
from tests.unit.tariffs.own_tables import HOURLY, WORKED

ABSENT = object()


def _changed(path: str, value: object) -> dict[str, Any]:
    """Return the hourly table with one place of it replaced, added or taken away."""
    data: dict[str, Any] = copy.deepcopy(HOURLY) | {"caps": [], "packages": []}
    *parents, last = path.split(".")
    place: Any = data
    for step in parents:
        place = place[int(step) if step.isdigit() else step]
    if value is ABSENT:
        del place[last]
    elif last.isdigit():
        place.insert(int(last), value)
    else:
        place[last] = value
    return data


def _line(**fields: object) -> dict[str, object]:
    return {"kind": "increment", "value": 1, "block": 60} | fields


PACKAGE = {"enter": ["06:00", "09:00"], "exit": ["15:30", "23:30"], "amount": 1}


@pytest.mark.parametrize(
    ("path", "value", "field", "expected"),
    [
        ("timezone", ABSENT, "timezone", "a value"),
        ("timezone", "Mars/Olympus", "timezone", "a time zone such as Europe/Berlin"),
        ("timezone", "Europe", "timezone", "a time zone such as Europe/Berlin"),
        ("timezone", "../../etc/passwd", "timezone", "a time zone such as Europe/Berlin"),
        ("currency", "eur", "currency", "a currency code such as EUR"),
        ("colour", "red", "colour", "no field of this name"),
        ("grace", -1, "grace", "greater than or equal to 0"),
        ("grace", 1.5, "grace", "a valid integer"),
        ("grace", "10", "grace", "a valid integer"),
        ("grace", True, "grace", "a valid integer"),
        ("free_first", 10**9, "free_first", "less than or equal to 576000"),
        ("tick", "hour", "tick", "'second' or 'minute'"),
        ("version", 0, "version", "greater than or equal to 1"),
        ("holidays", ["2025-02-29"], "holidays.0", "a date such as 2025-12-25"),
        ("holidays", ["20250228"], "holidays.0", "a date such as 2025-12-25"),
        (
            "ladder_reset",
            "rolling",
            "ladder_minutes",
            "`ladder_minutes` with ladder_reset rolling, and only with it",
        ),
        (
            "ladder_minutes",
            60,
            "ladder_minutes",
            "`ladder_minutes` with ladder_reset rolling, and only with it",
        ),
        ("collections.0.window", ["08:00", "25:00"], "collections.0.window.1", "a local time"),
        ("collections.0.window", ["8:00", "20:00"], "collections.0.window.0", "a local time"),
        ("collections.0.window", ["24:00", "08:00"], "collections.0.window", "a window that"),
        ("collections.0.days", ["monday"], "collections.0.days.0", "'mon', 'tue', 'wed'"),
        ("collections.0.days", [], "collections.0.days", "at least 1 item"),
        ("collections.0.cap", -5, "collections.0.cap", "greater than or equal to 0"),
        ("collections.0.lines.0.value", 1.0, "collections.0.lines.0.value", "a valid integer"),
        ("collections.0.lines.0.value", -1, "collections.0.lines.0.value", "greater than"),
        ("collections.0.lines.0.value", 10**12, "collections.0.lines.0.value", "less than"),
        (
            "collections.0.lines.0.value",
            ABSENT,
            "collections.0.lines.0.value",
            "`value` for",
        ),
        ("collections.0.lines.0.block", 0, "collections.0.lines.0.block", "greater than"),
        (
            "collections.0.lines.0.block",
            ABSENT,
            "collections.0.lines.0.block",
            "`block` for increment",
        ),
        (
            "collections.0.lines.0.kind",
            "flat",
            "collections.0.lines.0.block",
            "`block` for increment",
        ),
        ("collections.0.lines.0.kind", "step", "collections.0.lines.0.kind", "'free', 'flat'"),
        ("collections.0.lines.0.to", 0, "collections.0.lines.0.to", "greater than or equal to 1"),
        (
            "collections.0.lines.1",
            _line(**{"from": 60}),
            "collections.0.lines.1.from",
            "a range that does not overlap `lines.0`",
        ),
        (
            "collections.0.lines.0",
            _line(**{"from": 60, "to": 60}),
            "collections.0.lines.0.to",
            "`to` later than `from`",
        ),
        (
            "caps.0",
            {"per": "rolling", "amount": 1},
            "caps.0.minutes",
            "`minutes` for a rolling cap",
        ),
        (
            "caps.0",
            {"per": "calendar_day", "amount": 1, "minutes": 9},
            "caps.0.minutes",
            "no `minutes`",
        ),
        ("caps.0", {"per": "session", "amount": 1, "minutes": 9}, "caps.0.minutes", "no"),
        ("caps.0", {"per": "session"}, "caps.0.amount", "a value"),
        (
            "caps.0",
            {"per": "session", "amount": 1, "collection": 1},
            "caps.0.collection",
            "the index of a collection",
        ),
        ("packages.0", PACKAGE | {"amount": "1"}, "packages.0.amount", "a valid integer"),
        ("packages.0", PACKAGE | {"day_offset": 99}, "packages.0.day_offset", "less than"),
    ],
)
def test_a_bad_table_is_refused_by_the_path_of_the_field(
    path: str, value: object, field: str, expected: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_rate_table(_changed(path, value))
    assert caught.value.field == f"rate_table.{field}".removesuffix(".")
    assert caught.value.expected.startswith(expected)
    assert caught.value.code == "INVALID_INPUT"


@pytest.mark.parametrize("data", [None, [], "table", 7, {}])
def test_what_is_no_table_at_all_is_refused(data: object) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_rate_table(data)
    assert caught.value.field.startswith("rate_table")


def test_sizes_are_bounded() -> None:
    line = HOURLY["collections"][0]
    with pytest.raises(InvalidInputError) as caught:
        read_rate_table(HOURLY | {"collections": [line] * 65})
    assert caught.value.field == "rate_table.collections"


def test_a_table_comes_back_as_the_json_it_was() -> None:
    for data, _ in WORKED.values():
        dumped = RateTable.model_validate(data).model_dump(
            mode="json", by_alias=True, exclude_unset=True
        )
        assert dumped == json.loads(json.dumps(data))
        assert RateTable.model_validate(dumped) == RateTable.model_validate(data)


def test_a_table_cannot_be_changed() -> None:
    table = RateTable.model_validate(HOURLY)
    with pytest.raises(ValueError, match="frozen"):
        table.grace_minutes = 5  # pyright: ignore[reportAttributeAccessIssue] - what is tested
    assert table.grace_minutes == 0
