"""The page of faults names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "gates" / "faults.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
# Every fault that the gates promise to bear, as the page calls it.
FAULTS = (
    "frozen and thaws",
    "after the car has backed out",
    "the next car stands on the loop",
    "the same `command_id` again",
    "the answer to an order is lost",
    "two bridge processes",
    "an older epoch",
    "the certificate of gate A on the path of gate B",
    "expired, not valid yet",
    "wrong extended key usage",
    "revoked while connected",
    "ten minutes off",
    "out of its order, or twice",
    "three plates within 6 s",
    "every quirk of multipart",
    "oversized",
    "XML bombs",
    "the database is down",
    "the disk is full",
    "a relay dies in the middle of its pulse",
    "an RTSP or MJPEG stream stalls",
)


@cache
def _tests_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_every_test_on_the_page_exists() -> None:
    named = TEST.findall(PAGE.read_text(encoding="utf-8"))
    assert [
        f"{path}::{test}"
        for path, test in named
        if not (ROOT / path).exists() or test not in _tests_in(path)
    ] == []


def test_every_row_names_a_test() -> None:
    rows = [
        line
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and not line.startswith("| fault ")
    ]
    assert rows
    assert [row for row in rows if not TEST.search(row)] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_no_fault_is_left_out(fault: str) -> None:
    assert fault in PAGE.read_text(encoding="utf-8")
