"""Stays worked out by hand: our own, and those of published tariffs where they are at hand."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from parking.kit.money import Money
from parking.tariffs.rules import price
from tests.unit.tariffs.city_tables import CITIES
from tests.unit.tariffs.own_tables import WORKED, WorkedStay, local, parsed

VECTORS = Path(__file__).parents[4] / "shared" / "tariffs" / "vectors.json"


def _published() -> list[Any]:
    if not VECTORS.exists():
        reason = "the published tariffs are not beside this checkout"
        return [pytest.param(None, None, id="absent", marks=pytest.mark.skip(reason=reason))]
    return [
        pytest.param(
            vector["rate_table"],
            WorkedStay(case["entry"], case["exit"], case["fee"]),
            id=f"{vector['id']}-{case['entry']}-{case['exit']}",
        )
        for vector in json.loads(VECTORS.read_bytes())
        for case in vector["cases"]
    ]


def _own() -> list[Any]:
    return [
        pytest.param(data, stay, id=f"{name}-{stay.entry}-{stay.exit}")
        for name, (data, stays) in (WORKED | CITIES).items()
        for stay in stays
    ]


@pytest.mark.parametrize(("data", "stay"), [*_own(), *_published()])
def test_a_worked_stay_costs_what_it_says(data: dict[str, Any], stay: WorkedStay) -> None:
    table = parsed(data)
    priced = price(table, local(stay.entry, table.timezone), local(stay.exit, table.timezone))
    assert priced.total == Money(stay.amount_minor, table.currency)
    assert sum(line.amount_minor for line in priced.lines) == stay.amount_minor


def test_a_fraction_of_a_second_is_dropped_at_both_ends() -> None:
    table = parsed(WORKED["grace is absorbed"][0])
    entered_at = local("2025-03-03T09:00:00.900000")
    for elapsed, amount_minor in (
        (timedelta(minutes=15), 0),
        (timedelta(minutes=15, microseconds=99_999), 0),
        (timedelta(minutes=15, microseconds=100_000), 100),
    ):
        priced = price(table, entered_at, entered_at + elapsed)
        assert priced.total.amount_minor == amount_minor
