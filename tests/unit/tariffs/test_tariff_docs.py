"""docs/tariffs.md: every example runs, every field and every code is there."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from graphql import build_schema, parse, validate
from typer.testing import CliRunner

from api.config import BODY_BYTES_MAX
from api.schema import make_schema
from api.staff.schema import make_staff_schema
from parking.flows import quotes
from parking.tariffs.document import DOCUMENT_BYTES_MAX
from parking.tariffs.model_part import Part
from parking.tariffs.rate_line import RateLine, RateLineCollection
from parking.tariffs.rate_rights import RateAllowance, RateEligibility, RateValidation
from parking.tariffs.rate_table import RateCap, RatePackage, RateTable, RateVariant
from parking.tariffs.service import BODY_BYTES_MAX as TABLE_BYTES_MAX
from sesame.commands.tariff import tariff_app

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "tariffs.md").read_text(encoding="utf-8")
FILES: Final = dict(re.findall(r"`([\w-]+\.json)`[^\n]*:.*?\n\n```json\n(.*?)```", PAGE, re.DOTALL))
STAY: Final = re.compile(r"^\| (\d{4}-\S+) \| (\S+) \| (.*) \|$", re.MULTILINE)
LINT: Final = ROOT / "parking" / "tariffs" / "lint"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _stays() -> Iterator[tuple[str, list[str], int]]:
    """Yield the file, the options and the price of each worked stay, in the page's order."""
    for section in re.split(r"(?=^`[\w-]+\.json`)", PAGE, flags=re.MULTILINE)[1:]:
        file = section.split("`")[1]
        for entry, leave, rest in STAY.findall(section):
            cells = [cell.strip() for cell in rest.split("|")]
            has_options = not cells[0].isdecimal()
            options = shlex.split(cells[0]) if has_options else []
            price = cells[1] if has_options else cells[0]
            yield file, ["--entry", entry, "--exit", leave, *options], int(price)


def test_every_worked_stay_costs_what_it_says(folder: Path) -> None:
    stays = list(_stays())
    assert [sum(file == name for file, _, _ in stays) for name in FILES] == [6, 5, 6, 0, 0]
    for file, options, price in stays:
        words = ["quote", "--table", str(folder / file), *options, "--json"]
        result = CliRunner().invoke(tariff_app, words)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["amount_minor"] == price, (file, options)


def test_every_command_prints_what_it_says(folder: Path) -> None:
    examples = re.findall(r"```console\n\$ sesame tariff (.*?)\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) == 5
    for words, expected in examples:
        result = CliRunner().invoke(tariff_app, shlex.split(words))
        printed = result.stdout if result.exit_code == 0 else f"{result.exception}\n"
        parts = re.split(r"^\.\.\.\n", expected, flags=re.MULTILINE)
        pattern = ".*".join(re.escape(part) for part in parts)
        assert re.fullmatch(pattern, printed, re.DOTALL), (words, printed)


def test_every_field_is_explained() -> None:
    parts: tuple[type[Part], ...] = (
        RateTable,
        RateVariant,
        RateLineCollection,
        RateLine,
        RateCap,
        RatePackage,
        RateEligibility,
        RateAllowance,
        RateValidation,
    )
    fields = {field.alias or name for part in parts for name, field in part.model_fields.items()}
    assert {name for name in fields if f"`{name}`" not in PAGE} == set()


def test_every_code_of_lint_is_explained_and_no_other() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(LINT.glob("*.py")))
    codes = set(re.findall(r'Severity\.\w+,\s+"(\w+)"', source))
    explained = set(re.findall(r"^\| `(\w+)` \| (?:error|warning|note)", PAGE, re.MULTILINE))
    assert len(codes) == 18
    assert explained == codes


def test_the_operations_are_valid() -> None:
    schemas: dict[str, Any] = {
        "driver": make_schema(development=False),
        "staff": make_staff_schema(development=False),
    }
    for name, schema in schemas.items():
        (document,) = re.findall(rf"```graphql-{name}\n(.*?)```", PAGE, re.DOTALL)
        assert validate(build_schema(schema.as_str()), parse(document)) == []


def test_the_limits_are_the_ones_of_the_code() -> None:
    assert f"at most {quotes.QUOTED_DAYS_MAX} days" in PAGE
    assert f"at most {quotes.CURVE_STEPS_MAX} steps" in PAGE
    assert f"limit of {BODY_BYTES_MAX // 1024} KiB" in PAGE
    assert f"at most {DOCUMENT_BYTES_MAX >> 20} MiB" in PAGE
    assert f"at most {TABLE_BYTES_MAX // 1024} KiB to be published" in PAGE
