"""Every example of docs/passes.md is valid against the schema that serves it."""

import re
from pathlib import Path

from graphql import build_schema, parse, validate

from api.staff.schema import make_staff_schema
from parking.passes import rules, service
from parking.passes.repository import PLATES_PER_PASS_MAX
from parking.passes.spaces import SPACES_PER_PASS_MAX

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "passes.md").read_text(encoding="utf-8")
FOR_DRIVERS, FOR_OPERATORS = PAGE.split("## For operators")


def test_the_examples_are_valid() -> None:
    driver = build_schema((ROOT / "schema.graphql").read_text(encoding="utf-8"))
    staff = build_schema(make_staff_schema(development=False).as_str())
    for schema, text, count in ((driver, FOR_DRIVERS, 2), (staff, FOR_OPERATORS, 1)):
        examples = re.findall(r"```graphql\n(.*?)```", text, re.DOTALL)
        assert len(examples) == count
        for example in examples:
            assert validate(schema, parse(example)) == [], example


def test_the_limits_are_the_ones_of_the_code() -> None:
    assert f"(up to {PLATES_PER_PASS_MAX})" in PAGE
    assert f"(up to {SPACES_PER_PASS_MAX})" in PAGE
    assert f"up to {service.START_AHEAD_DAYS_MAX} days ahead" in PAGE
    assert rules.PLATE_CHANGES_PER_MONTH_MAX == 3
    assert "Three plates may be added" in PAGE
