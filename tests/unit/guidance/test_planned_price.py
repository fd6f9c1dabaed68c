"""What a planned stay costs: known, or a range with its reasons; and passes that cover it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from parking.flows.guidance.planned_price import PlannedPrice, PriceFactor, planned_price
from parking.kit.money import Money
from parking.tariffs.circumstances import Circumstances
from parking.tariffs.rules import NO_CIRCUMSTANCES, read_rate_table

NOON: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)


def flat(amount_minor: int) -> list[dict[str, Any]]:
    return [{"lines": [{"kind": "flat", "value": amount_minor}]}]


def table(**more: object) -> dict[str, Any]:
    return {"timezone": "Europe/Berlin", "currency": "EUR", "collections": flat(500), **more}


HOURLY: Final = [{"lines": [{"kind": "increment", "block": 60, "value": 200}]}]
RESIDENTS: Final = {"name": "R", "eligibility": {"resident": True}, "collections": flat(100)}
HOLDERS: Final = {"name": "P", "eligibility": {"pass_holder": True}, "collections": flat(0)}
FREE_HOUR: Final = {"name": "First", "minutes": 60, "per": "calendar_day"}
EACH_STAY: Final = {"name": "Each", "minutes": 30, "per": "session"}


@pytest.mark.parametrize(
    ("body", "amounts", "factors"),
    [
        (table(), (500, 500, 500), ()),
        (table(variants=[RESIDENTS]), (500, 100, 500), (PriceFactor.RESIDENT,)),
        (
            table(variants=[RESIDENTS, HOLDERS]),
            (500, 0, 500),
            (PriceFactor.RESIDENT, PriceFactor.PASS),
        ),
        # Of three hours one is free today, unless an earlier stay used it.
        (
            table(collections=HOURLY, allowances=[FREE_HOUR]),
            (400, 400, 600),
            (PriceFactor.ALLOWANCE_USED,),
        ),
        # What each stay gets anew hangs on nothing.
        (table(collections=HOURLY, allowances=[EACH_STAY]), (600, 600, 600), ()),
    ],
)
def test_the_range_holds_every_answer_that_was_not_given(
    body: dict[str, Any], amounts: tuple[int, int, int], factors: tuple[PriceFactor, ...]
) -> None:
    found = planned_price(
        read_rate_table(body), NOON, NOON + timedelta(hours=3), NO_CIRCUMSTANCES, is_said=False
    )
    amount, low, high = (Money(amount_minor, "EUR") for amount_minor in amounts)
    assert found == PlannedPrice(amount, low, high, factors)


def test_who_says_what_the_vehicle_is_gets_one_price() -> None:
    said = Circumstances.from_json({"vehicle": {"is_resident": True}})
    rates = read_rate_table(table(variants=[RESIDENTS, HOLDERS]))
    found = planned_price(rates, NOON, NOON + timedelta(hours=3), said, is_said=True)
    one = Money(100, "EUR")
    assert found == PlannedPrice(one, one, one, ())
