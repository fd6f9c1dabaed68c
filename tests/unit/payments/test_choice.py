"""Which mandate may be charged: the driver's order, its scope, and every limit."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.kit.money import Money
from parking.payments.choice import (
    Occasion,
    Spent,
    counts_days,
    day_start,
    days_of,
    permits,
    permits_today,
    usable_mandates,
)
from parking.payments.models import Mandate, MandateState
from parking.payments.port import AccountKind, ProviderTraits

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PLATE, OTHER_PLATE = UUID(int=1), UUID(int=2)
DUE = Money(1000, "CNY")
OCCASION = Occasion(due=DUE, timezone="Asia/Shanghai", plate_index=PLATE)
PASS = Occasion(due=DUE, timezone="Asia/Shanghai")
WALLET = ProviderTraits(account=AccountKind.WALLET)


def mandate(**changes: Any) -> Mandate:  # noqa: ANN401 - any column's
    known: dict[str, Any] = {
        "driver_id": UUID(int=9),
        "id": UUID(int=10),
        "provider": "fake",
        "agreement_reference": "A1",
        "state": MandateState.ACTIVE,
        "created_at": NOW,
        "confirmed_at": NOW,
        "signed_at": NOW,
    }
    return Mandate(**(known | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"state": MandateState.PENDING},
        {"state": MandateState.REVOKED},
        {"confirmed_at": None},
        {"agreement_reference": None},
        {"currency": "EUR"},
        {"amount_minor_max": 999},
        {"day_minor_max": 999},
        {"plate_index": OTHER_PLATE},
    ],
)
def test_what_is_not_allowed_is_not_charged(changes: dict[str, Any]) -> None:
    assert permits(mandate(), OCCASION, WALLET)
    assert not permits(mandate(**changes), OCCASION, WALLET)


@pytest.mark.parametrize(
    ("traits", "occasion", "permitted"),
    [
        ({"currencies": frozenset({"CNY"})}, OCCASION, True),
        ({"currencies": frozenset({"EUR"})}, OCCASION, False),
        ({"charge_minor_max": 999}, OCCASION, False),
        ({"charge_minor_max": 1000}, OCCASION, True),
        ({"day_minor_max": 999}, OCCASION, False),
        ({"settles_at_gate": False}, OCCASION, False),
        ({"settles_at_gate": False}, replace(OCCASION, is_waited_for=False), True),
        ({"needs_antenna": True}, OCCASION, False),
        ({"needs_antenna": True}, replace(OCCASION, has_antenna=True), True),
        ({"needs_plate": True}, OCCASION, False),
        ({}, PASS, True),
    ],
)
def test_what_the_provider_cannot_do_is_not_asked_of_it(
    traits: dict[str, Any], occasion: Occasion, *, permitted: bool
) -> None:
    assert permits(mandate(), occasion, replace(WALLET, **traits)) is permitted


def test_a_plates_mandate_pays_for_that_car_alone() -> None:
    scoped, traits = mandate(plate_index=PLATE), replace(WALLET, needs_plate=True)
    for kind in (WALLET, traits):
        assert permits(scoped, OCCASION, kind)
        assert not permits(scoped, replace(OCCASION, plate_index=OTHER_PLATE), kind)
        assert not permits(scoped, PASS, kind)


def test_the_drivers_order_counts_and_missing_providers_are_passed_over() -> None:
    first, second, third = (
        mandate(id=UUID(int=number), position=position, provider=provider)
        for number, position, provider in ((3, 0, "fake"), (1, 2, "other"), (2, 1, "gone"))
    )
    traits = {"fake": WALLET, "other": WALLET}
    chosen = usable_mandates([second, third, first], OCCASION, traits)
    assert [one.id for one in chosen] == [first.id, second.id]
    assert usable_mandates([first], OCCASION, {}) == []


@pytest.mark.parametrize(
    ("limits", "traits", "driver", "provider", "permitted"),
    [
        ({"day_minor_max": 3000}, {}, Spent(2000, 2), Spent(9000, 9), True),
        ({"day_minor_max": 2999}, {}, Spent(2000, 2), Spent(), False),
        ({}, {"day_minor_max": 3000}, Spent(9000, 9), Spent(2000, 2), True),
        ({}, {"day_minor_max": 3000}, Spent(), Spent(2001, 2), False),
        ({}, {"day_charges_max": 2}, Spent(), Spent(5, 1), True),
        ({}, {"day_charges_max": 2}, Spent(), Spent(5, 2), False),
    ],
)
def test_limits_of_a_day_count_what_was_charged_before(
    limits: dict[str, int],
    traits: dict[str, int],
    driver: Spent,
    provider: Spent,
    *,
    permitted: bool,
) -> None:
    given_mandate, kind = mandate(**limits), replace(WALLET, **traits)
    assert counts_days(given_mandate, kind)
    told = permits_today(given_mandate, DUE, kind, driver=driver, provider=provider)
    assert told is permitted
    assert not counts_days(mandate(), WALLET)


def test_days_begin_at_the_places_midnight_and_at_the_providers() -> None:
    # 01:00 of the 24th in Shanghai; still the 23rd in Berlin.
    now = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
    days = days_of(now, OCCASION, replace(WALLET, timezone="Europe/Berlin"))
    assert days.driver == datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
    assert days.provider == datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
    # The day of the change to winter time has 25 hours.
    late = datetime(2026, 10, 25, 22, 30, tzinfo=UTC)
    assert day_start(late, "Europe/Berlin") == datetime(2026, 10, 24, 22, 0, tzinfo=UTC)


@given(
    limit=st.integers(1, 5000),
    charges=st.lists(st.integers(1, 2000), max_size=12),
)
def test_charges_that_are_permitted_one_by_one_never_exceed_the_day(
    limit: int, charges: list[int]
) -> None:
    limited, spent = mandate(day_minor_max=limit), Spent()
    for amount in charges:
        due = Money(amount, "CNY")
        if permits_today(limited, due, WALLET, driver=spent, provider=Spent()):
            spent = Spent(spent.amount_minor + amount, spent.charges + 1)
    assert spent.amount_minor <= limit
