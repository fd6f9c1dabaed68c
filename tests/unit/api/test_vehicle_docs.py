"""Every example of docs/vehicles.md is valid, and its limits are those of the code."""

import re
from pathlib import Path

from graphql import build_schema, parse, validate

from api.staff.schema import make_staff_schema
from parking.flows.continuation import CHAIN_AGE_MAX
from parking.flows.reentry import REENTRY_DOUBT
from parking.plates.vehicles import NOTE_LENGTH_MAX, VEHICLE_CLASSES
from sesame.vehicle_file import COLUMNS, FILE_BYTES_MAX, PROBLEMS_MAX, ROWS_MAX

PAGE = (Path(__file__).parents[3] / "docs" / "vehicles.md").read_text(encoding="utf-8")


def test_the_examples_are_valid() -> None:
    schema = build_schema(make_staff_schema(development=False).as_str())
    examples = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        assert validate(schema, parse(example)) == [], example


def test_the_limits_are_the_ones_of_the_code() -> None:
    assert f"at most {FILE_BYTES_MAX >> 20} MiB and {ROWS_MAX:,} vehicles" in PAGE
    assert f"up to {PROBLEMS_MAX} of them" in PAGE
    assert f"at most {NOTE_LENGTH_MAX} characters" in PAGE
    assert f"After {CHAIN_AGE_MAX.days} days" in PAGE
    assert f"within {REENTRY_DOUBT.seconds // 60} minutes for nothing" in PAGE
    for name in (*COLUMNS, *VEHICLE_CLASSES):
        assert f"`{name}`" in PAGE
