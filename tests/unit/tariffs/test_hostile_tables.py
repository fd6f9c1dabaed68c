"""Rate tables that were made to break the reader: refused at once, by the path in the file."""

import copy
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parking.kit.errors import InvalidInputError
from parking.tariffs.rules import Circumstances, read_rate_table
from tests.unit.tariffs.own_tables import HOURLY, flat, increment
from tests.unit.tariffs.right_strategies import VALIDATIONS

LADDER = HOURLY["collections"][0]
ITSELF: list[Any] = []
ITSELF.append(ITSELF)
TABLE_IN_ITSELF: dict[str, Any] = dict(HOURLY)
TABLE_IN_ITSELF["collections"] = [TABLE_IN_ITSELF]


def _deep(levels: int = 100_000) -> list[Any]:
    outermost: list[Any] = []
    inner = outermost
    for _ in range(levels):
        inner.append([])
        inner = inner[0]
    return outermost


def _endless() -> Iterator[dict[str, Any]]:
    while True:
        yield LADDER


def _variant(**fields: object) -> dict[str, Any]:
    return HOURLY | {"variants": [{"name": "EV", "eligibility": {"ev": True}} | fields]}


@pytest.mark.parametrize(
    ("data", "field", "expected"),
    [
        (TABLE_IN_ITSELF, "collections.0.lines", "a value"),
        (HOURLY | {"collections": ITSELF}, "collections.0", "an object"),
        (HOURLY | {"holidays": ITSELF}, "holidays.0", "a valid string"),
        (HOURLY | {"collections": _deep()}, "collections.0", "an object"),
        (HOURLY | {"colour": _deep()}, "colour", "no field of this name"),
        (HOURLY | {"collections": _endless()}, "collections", "at most 64 items"),
        (HOURLY | {"collections": [LADDER] * 1_000_000}, "collections", "at most 64 items"),
        (HOURLY | {"collections": [7] * 1_000_000}, "collections.0", "an object"),
        (HOURLY | {"holidays": ["2025-01-01"] * 100_000}, "holidays", "at most 2000 items"),
        (HOURLY | {str(n): n for n in range(100_000)}, "", "at most 64 fields"),
        (HOURLY | {"c" * 1_000_000: 1}, "c" * 100, "no field of this name"),
        (HOURLY | {7: 1}, "", "field names that are text"),
        (HOURLY | {"\ud800": 1}, "", "field names that are text"),
        (HOURLY | {"name": "\ud800"}, "name", "text that can be written as UTF-8"),
        (HOURLY | {"name": "n" * 101}, "name", "at most 100 characters"),
        (HOURLY | {"grace": float("nan")}, "grace", "a valid integer"),
        (HOURLY | {"grace": 10**5000}, "grace", "less than or equal to 576000"),
        (HOURLY | {"timezone": "localtime"}, "timezone", "a time zone that is the same"),
        (HOURLY | {"timezone": "Europe/\0"}, "timezone", "a time zone such as"),
        (HOURLY | {"timezone": "/etc/localtime"}, "timezone", "a time zone such as"),
        (
            HOURLY | {"collections": [{"lines": [increment(1, 5, 0, 100), flat(1, 50, 60)]}]},
            "collections.0.lines.1.from",
            "a range that does not overlap `lines.0`",
        ),
        (
            HOURLY | {"collections": [{"lines": [{"kind": "flat", "value": float("inf")}]}]},
            "collections.0.lines.0.value",
            "a valid integer",
        ),
        (
            HOURLY | {"caps": [{"per": "session", "amount": 1, "collection": True}]},
            "caps.0.collection",
            "a valid integer",
        ),
    ],
)
def test_it_is_refused_by_its_path(data: object, field: str, expected: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_rate_table(data)
    assert caught.value.field == f"rate_table.{field}".removesuffix(".")
    assert caught.value.expected.startswith(expected)


@pytest.mark.parametrize(
    ("data", "field", "expected"),
    [
        (
            _variant(collections=[{"lines": [flat(1), increment(1, 5, 5)]}]),
            "variants.0.collections.0.lines.1.from",
            "a range that does not overlap `lines.0`",
        ),
        (
            _variant(collections=[{"lines": [{"kind": "flat", "value": 1.0}]}]),
            "variants.0.collections.0.lines.0.value",
            "a valid integer",
        ),
        (
            _variant(caps=[{"per": "session", "amount": 1, "collection": 1}]),
            "variants.0.caps.0.collection",
            "the index of a collection",
        ),
        (
            _variant(collections=[LADDER])
            | {"collections": [LADDER] * 2}
            | {"caps": [{"per": "session", "amount": 1, "collection": 1}]},
            "variants.0.collections",
            "every collection that the table's `caps` name",
        ),
        (
            _variant(ladder_minutes=60),
            "variants.0.ladder_minutes",
            "`ladder_minutes` with ladder_reset rolling",
        ),
        (_variant(variants=[]), "variants.0.variants", "no field of this name"),
        (_variant(eligibility=ITSELF), "variants.0.eligibility", "an object"),
        (_variant(eligibility={"ev": 1}), "variants.0.eligibility.ev", "a valid boolean"),
        (
            _variant(eligibility={"vehicle_classes": ["tank"]}),
            "variants.0.eligibility.vehicle_classes.0",
            "'car', 'motorcycle'",
        ),
        (
            HOURLY | {"variants": _variant()["variants"] * 2},
            "variants.1.name",
            "a name that no other of them has",
        ),
        (
            HOURLY | {"allowances": [{"name": "", "minutes": 60}]},
            "allowances.0.name",
            "at least 1 character",
        ),
        (
            HOURLY | {"validations": [{"name": "shop", "kind": "percent", "value": 101}]},
            "validations.0.value",
            "less than or equal to 100",
        ),
        (
            HOURLY | {"validations": [{"name": "shop", "kind": "free", "value": 1}]},
            "validations.0.value",
            "`value` for every kind but free",
        ),
        (HOURLY | {"reentry_merge": -1}, "reentry_merge", "greater than or equal to 0"),
        (HOURLY | {"grace_after_payment": 1.5}, "grace_after_payment", "a valid integer"),
        (HOURLY | {"straddle": "share"}, "straddle", "'restart' or 'continue'"),
    ],
)
def test_so_are_variants_and_rights(data: object, field: str, expected: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_rate_table(data)
    assert caught.value.field == f"rate_table.{field}"
    assert caught.value.expected.startswith(expected)


@pytest.mark.parametrize(
    ("data", "field", "expected"),
    [
        (None, "", "an object"),
        ({"colour": 1}, ".colour", "no field of this name"),
        ({"vehicle": {"is_ev": 1}}, ".vehicle.is_ev", "a valid boolean"),
        ({"vehicle": {"vehicle_class": "tank"}}, ".vehicle.vehicle_class", "'car', 'motorcycle'"),
        ({"continues_from": 5}, ".continues_from", "a time such as 2025-03-03T09:00:00+00:00"),
        ({"continues_from": "2025-03-03T09:00"}, ".continues_from", "a time with a UTC offset"),
        ({"billed_before_minor": 1.0}, ".billed_before_minor", "a valid integer"),
        (
            {"exemptions": [{"starts_at": "2025-03-03T09:00Z", "ends_at": "2025-03-02T09:00Z"}]},
            ".exemptions.0.ends_at",
            "a time not before starts_at",
        ),
        (
            {"exemptions": [{"starts_at": "2025-03-03T09:00Z", "reason": "grace"}]},
            ".exemptions.0.reason",
            "'pass'",
        ),
        (
            {"allowances_used_s": {"ev": {"2025-03-03": -1}}},
            ".allowances_used_s.ev.2025-03-03",
            "greater than or equal to 0",
        ),
        ({"validations": ITSELF}, ".validations.0", "a valid string"),
    ],
)
def test_so_are_circumstances(data: object, field: str, expected: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Circumstances.from_json(data)
    assert caught.value.field == f"circumstances{field}"
    assert caught.value.expected.startswith(expected)


# Not the very same objects: a change of one place must be a change of one place.
COPIES: list[Any] = copy.deepcopy([LADDER])
RICH: dict[str, Any] = HOURLY | {
    "caps": [{"per": "rolling", "minutes": 60, "amount": 100, "collection": 0}],
    "packages": [{"enter": ["06:00", "09:00"], "exit": ["15:30", "23:30"], "amount": 1}],
    "variants": [{"name": "EV", "eligibility": {"ev": True}, "collections": COPIES}],
    "allowances": [{"name": "first hour", "minutes": 60, "eligibility": {"resident": True}}],
    "validations": VALIDATIONS,
    "holidays": ["2025-12-25"],
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(("flat", "free", "rolling", "session", "24:00", "mon", "continue", "from")),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def _places(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 - JSON
    """Yield the path of everything that a JSON value holds."""
    parts: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        parts = list(cast("dict[str | int, Any]", value).items())
    elif isinstance(value, list):
        parts = list(enumerate(cast("list[Any]", value)))
    for key, part in parts:
        yield (*path, key)
        yield from _places(part, (*path, key))


@settings(max_examples=300, derandomize=True)
@given(st.sampled_from(list(_places(RICH, ()))), JSON)
def test_whatever_stands_anywhere_is_read_or_refused_by_its_path(
    path: tuple[str | int, ...], value: object
) -> None:
    data: Any = copy.deepcopy(RICH)
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    refused: InvalidInputError | None = None
    try:
        read_rate_table(data)
    except InvalidInputError as error:
        refused = error
    # A value that another part depends on may be refused there: always in the same branch.
    branch = f"rate_table.{path[0]}"
    assert refused is None or refused.field.startswith((branch, "rate_table.caps", "rate_table.v"))
