"""No function and no module grows beyond what a reader takes in at once."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("api", "gate_bridge", "migrations", "notifications", "parking", "recognition")
FUNCTION_LINES_MAX: Final = 60
MODULE_LINES_MAX: Final = 400
TEST_MODULE_LINES_MAX: Final = 600
# Written once and never changed: they list a change of tables from its first row to its last.
EXEMPT: Final = ROOT / "migrations" / "versions"


def lines_max(path: Path) -> int:
    return TEST_MODULE_LINES_MAX if path.is_relative_to(ROOT / "tests") else MODULE_LINES_MAX


def modules(folder: str) -> Iterator[tuple[Path, str]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        if not path.is_relative_to(EXEMPT) and "node_modules" not in path.parts:
            yield path, path.read_text(encoding="utf-8")


def functions(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def too_long(path: Path, text: str) -> Iterator[str]:
    name = path.relative_to(ROOT)
    if len(text.splitlines()) > lines_max(path):
        yield f"{name}: more than {lines_max(path)} lines"
    for each in functions(text):
        # From `def` on: a decorator's table of cases is data.
        if (each.end_lineno or each.lineno) - each.lineno >= FUNCTION_LINES_MAX:
            yield f"{name}:{each.lineno} {each.name}: more than {FUNCTION_LINES_MAX} lines"


@pytest.mark.parametrize("folder", [*PACKAGES, "sesame", "tests"])
def test_everything_is_short_enough_to_be_read(folder: str) -> None:
    found = list(modules(folder))
    assert found
    assert [line for path, text in found for line in too_long(path, text)] == []


def test_what_is_too_long_is_found() -> None:
    of_60 = "def f():\n" + "    x = 1\n" * 59
    of_61 = "@d(\n    1,\n)\nasync def f():\n" + "    x = 1\n" * 60
    module, test = ROOT / "api" / "x.py", ROOT / "tests" / "x.py"
    assert list(too_long(module, of_60)) == []
    assert list(too_long(module, of_61)) == ["api/x.py:4 f: more than 60 lines"]
    assert list(too_long(module, "x = 1\n" * 400)) == []
    assert list(too_long(module, "x = 1\n" * 401)) == ["api/x.py: more than 400 lines"]
    assert list(too_long(test, "x = 1\n" * 600)) == []
    assert list(too_long(test, "x = 1\n" * 601)) == ["tests/x.py: more than 600 lines"]
