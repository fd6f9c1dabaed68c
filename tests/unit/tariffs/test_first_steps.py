"""The beginning of a price curve is that of the whole curve, however many steps it has."""

from datetime import timedelta
from typing import Any, Final

import pytest

from parking.tariffs.first_steps import first_steps
from parking.tariffs.rules import NO_CIRCUMSTANCES, price_curve
from tests.unit.tariffs.own_tables import DAY_AND_NIGHT, HOURLY, local, parsed, table

BY_THE_SECOND: Final = table({"lines": [{"kind": "per_second", "value": 600, "block": 1}]})
EARLY_BIRD: Final = HOURLY | {
    "packages": [{"enter": ["08:00", "10:00"], "exit": ["12:00", "18:00"], "amount": 150}]
}


@pytest.mark.parametrize("data", [HOURLY, DAY_AND_NIGHT, BY_THE_SECOND, EARLY_BIRD])
def test_they_are_those_of_the_whole_curve(data: dict[str, Any]) -> None:
    rate_table, entered_at = parsed(data), local("2025-03-03T09:00")
    until = entered_at + timedelta(hours=10)
    whole = price_curve(rate_table, entered_at, until)
    for limit in (1, 5, 50):
        found = first_steps(rate_table, entered_at, until, NO_CIRCUMSTANCES, steps_max=limit)
        assert found == whole[:limit]


def test_a_stay_of_a_year_by_the_second_costs_no_more_work_than_its_steps() -> None:
    entered_at = local("2025-03-03T09:00")
    until = entered_at + timedelta(days=365)
    rate_table = parsed(BY_THE_SECOND)
    found = first_steps(rate_table, entered_at, until, NO_CIRCUMSTANCES, steps_max=100)
    assert found[-1].total_minor == 990
