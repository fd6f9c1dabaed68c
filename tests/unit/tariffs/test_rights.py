"""Passes, allowances, validations, variants and merged stays: worked out by hand."""

from datetime import datetime
from typing import Any, Final

import pytest

from parking.kit.errors import InvalidInputError
from parking.tariffs.rules import (
    Circumstances,
    Exemption,
    PricedStay,
    PriceReason,
    Vehicle,
    price,
    price_curve,
)
from tests.unit.tariffs.own_tables import DAY_AND_NIGHT, HOURLY, flat, increment, parsed, table
from tests.unit.tariffs.own_tables import local as at

EV: Final = Circumstances(vehicle=Vehicle(is_ev=True))
FIRST_EV_HOUR: Final[dict[str, Any]] = {
    "allowances": [{"name": "first EV hour", "minutes": 60, "eligibility": {"ev": True}}]
}


def _pass(starts: str, ends: str | None) -> Circumstances:
    exemption = Exemption(
        starts_at=at(starts), ends_at=None if ends is None else at(ends), note="monthly"
    )
    return Circumstances(has_pass=True, exemptions=(exemption,))


def _lines(priced: PricedStay) -> list[tuple[str, datetime, int, str]]:
    return [(line.reason, line.starts_at, line.amount_minor, line.note) for line in priced.lines]


def _minor(data: dict[str, Any], entry: str, exit_: str, circumstances: Circumstances) -> int:
    return price(parsed(data), at(entry), at(exit_), circumstances).total.amount_minor


def test_a_pass_at_the_start_moves_the_start_of_the_ladder_and_of_grace() -> None:
    data = table({"lines": [increment(100, 60, 0, 60), increment(300, 60, 60)]}, grace=10)
    monthly = _pass("2025-03-01T00:00", "2025-03-03T18:00")
    for exit_, minor in (("17:59", 0), ("18:10", 0), ("18:11", 100), ("19:01", 400)):
        assert _minor(data, "2025-03-03T09:00", f"2025-03-03T{exit_}", monthly) == minor
    priced = price(parsed(data), at("2025-03-03T09:00"), at("2025-03-03T18:30"), monthly)
    assert _lines(priced) == [
        (PriceReason.PASS, at("2025-03-03T09:00"), 0, "monthly"),
        (PriceReason.INCREMENT, at("2025-03-03T18:00"), 100, ""),
    ]
    assert priced.next_change_at == at("2025-03-03T19:00:01")


def test_a_pass_in_the_middle_begins_no_block_and_ends_none_that_was_paid() -> None:
    monthly = _pass("2025-03-03T10:30", "2025-03-03T12:30")
    priced = price(parsed(HOURLY), at("2025-03-03T09:00"), at("2025-03-03T13:00"), monthly)
    assert _lines(priced) == [
        (PriceReason.INCREMENT, at("2025-03-03T09:00"), 200, ""),
        (PriceReason.PASS, at("2025-03-03T10:30"), 0, "monthly"),
        (PriceReason.INCREMENT, at("2025-03-03T12:30"), 100, ""),
    ]
    short = _pass("2025-03-03T10:30", "2025-03-03T10:45")
    # The block of 10:00 was paid until 11:00.
    assert _minor(HOURLY, "2025-03-03T09:00", "2025-03-03T11:00", short) == 200


def test_a_pass_in_the_middle_stops_the_charged_clock_but_for_a_block_that_was_paid() -> None:
    data = table({"clock": "charged", "lines": [increment(100, 60, 0, 60), increment(300, 60, 60)]})
    short = _pass("2025-03-03T09:30", "2025-03-03T09:45")
    # The first hour is paid until 10:00, then the second tier begins.
    assert _minor(data, "2025-03-03T09:00", "2025-03-03T10:20", short) == 400
    long = _pass("2025-03-03T09:30", "2025-03-03T12:30")
    assert _minor(data, "2025-03-03T09:00", "2025-03-03T12:30", long) == 100
    assert _minor(data, "2025-03-03T09:00", "2025-03-03T13:30", long) == 400


def test_a_pass_without_an_end_covers_all_that_follows() -> None:
    monthly = _pass("2025-03-03T10:00", None)
    priced = price(parsed(HOURLY), at("2025-03-03T09:00"), at("2026-03-03T09:00"), monthly)
    assert (priced.total.amount_minor, priced.next_change_at) == (100, None)


def test_the_first_hour_of_each_local_day_is_free_once_over_all_stays() -> None:
    data = parsed(HOURLY | FIRST_EV_HOUR)
    morning = price(data, at("2025-03-03T08:00"), at("2025-03-03T08:40"), EV)
    assert (morning.total.amount_minor, morning.allowances_taken_s) == (
        0,
        {"first EV hour": {"2025-03-03": 2400}},
    )
    later = EV.model_copy(update={"allowances_used_s": morning.allowances_taken_s})
    overnight = price(data, at("2025-03-03T22:30"), at("2025-03-04T02:00"), later)
    assert _lines(overnight) == [
        (PriceReason.ALLOWANCE, at("2025-03-03T22:30"), 0, "first EV hour"),
        # From 22:50 on; the second block was paid until 00:50, and the new day's hour follows it.
        (PriceReason.INCREMENT, at("2025-03-03T22:50"), 200, ""),
        (PriceReason.ALLOWANCE, at("2025-03-04T00:50"), 0, "first EV hour"),
        (PriceReason.INCREMENT, at("2025-03-04T01:50"), 100, ""),
    ]
    assert overnight.allowances_taken_s == {
        "first EV hour": {"2025-03-03": 1200, "2025-03-04": 3600}
    }
    assert price(data, at("2025-03-03T08:00"), at("2025-03-03T08:40")).total.amount_minor == 100


def test_an_allowance_takes_nothing_where_nothing_is_charged() -> None:
    free_tier = parsed(
        table({"lines": [{"kind": "free", "to": 30}, increment(100, 60, 30)]}, **FIRST_EV_HOUR)
    )
    short = price(free_tier, at("2025-03-03T08:00"), at("2025-03-03T08:30"), EV)
    assert (short.total.amount_minor, short.allowances_taken_s) == (0, {})
    longer = price(free_tier, at("2025-03-03T08:00"), at("2025-03-03T09:31"), EV)
    assert (longer.total.amount_minor, longer.allowances_taken_s) == (
        100,
        {"first EV hour": {"2025-03-03": 3600}},
    )
    in_grace = parsed(HOURLY | FIRST_EV_HOUR | {"grace": 15})
    stay = at("2025-03-03T08:00"), at("2025-03-03T08:15")
    assert price(in_grace, *stay, EV).allowances_taken_s == {}


@pytest.mark.parametrize(
    ("granted", "minor"),
    [
        ((), 1000),
        (("cinema",), 800),
        (("member",), 670),
        (("shop",), 650),
        (("shop", "shop", "nobody's"), 650),
        # The share first, then the amount.
        (("shop", "member"), 320),
        (("shop", "member", "cinema"), 186),
        (("guest", "shop"), 0),
    ],
)
def test_validations_combine_in_the_drivers_favour(granted: tuple[str, ...], minor: int) -> None:
    data = HOURLY | {
        "validations": [
            {"name": "shop", "kind": "amount", "value": 350},
            {"name": "cinema", "kind": "minutes", "value": 120},
            {"name": "member", "kind": "percent", "value": 33},
            {"name": "guest", "kind": "free"},
        ]
    }
    circumstances = Circumstances(validations=granted)
    priced = price(parsed(data), at("2025-03-03T09:00"), at("2025-03-03T19:00"), circumstances)
    assert priced.total.amount_minor == minor
    assert sum(line.amount_minor for line in priced.lines) == minor


def test_a_validation_is_a_line_of_its_own_at_the_end() -> None:
    data = HOURLY | {"validations": [{"name": "third", "kind": "percent", "value": 33}]}
    data["collections"] = [{"lines": [increment(101, 60)]}]
    left_at = at("2025-03-03T09:30")
    priced = price(
        parsed(data), at("2025-03-03T09:00"), left_at, Circumstances(validations=("third",))
    )
    # 33.33 off, rounded up: the fraction is the driver's.
    assert _lines(priced) == [
        (PriceReason.INCREMENT, at("2025-03-03T09:00"), 101, ""),
        (PriceReason.VALIDATION, left_at, -34, "third"),
    ]
    assert priced.lines[-1].running_total_minor == priced.total.amount_minor == 67


def test_an_amount_off_moves_the_next_change_to_where_something_is_due() -> None:
    data = parsed(HOURLY | {"validations": [{"name": "shop", "kind": "amount", "value": 250}]})
    shop = Circumstances(validations=("shop",))
    priced = price(data, at("2025-03-03T09:00"), at("2025-03-03T09:30"), shop)
    assert priced.next_change_at == at("2025-03-03T11:00:01")
    assert price_curve(data, at("2025-03-03T09:00"), at("2025-03-03T12:30"), shop) == (
        (at("2025-03-03T09:00"), 0),
        (at("2025-03-03T11:00:01"), 50),
        (at("2025-03-03T12:00:01"), 150),
    )


VARIANTS: Final = HOURLY | {
    "reentry_merge": 20,
    "variants": [
        {
            "name": "EV",
            "eligibility": {"ev": True},
            "collections": [{"lines": [increment(50, 60)]}],
        },
        {
            "name": "two wheels",
            "eligibility": {"vehicle_classes": ["motorcycle"]},
            "priority": 5,
            "collections": [{"lines": [flat(20)]}],
        },
        {
            "name": "market",
            "eligibility": {"merchants": ["market", "bakery"], "resident": True},
            "priority": 9,
            "free_first": 60,
        },
    ],
}


@pytest.mark.parametrize(
    ("circumstances", "variant", "minor"),
    [
        (Circumstances(), "", 300),
        (EV, "EV", 150),
        (Circumstances(vehicle=Vehicle(vehicle_class="motorcycle")), "two wheels", 20),
        (Circumstances(vehicle=Vehicle(vehicle_class="motorcycle", is_ev=True)), "two wheels", 20),
        (Circumstances(merchants=("bakery",)), "", 300),
        (Circumstances(vehicle=Vehicle(is_resident=True), merchants=("bakery",)), "market", 200),
    ],
)
def test_the_fitting_variant_with_the_highest_priority_counts(
    circumstances: Circumstances, variant: str, minor: int
) -> None:
    priced = price(parsed(VARIANTS), at("2025-03-03T09:00"), at("2025-03-03T12:00"), circumstances)
    assert (priced.variant, priced.total.amount_minor) == (variant, minor)


def test_a_merged_stay_goes_on_from_its_original_entry() -> None:
    data = parsed(
        table({"lines": [increment(100, 60, 0, 60), increment(300, 60, 60)]}, reentry_merge=20)
    )
    first_entry, left_at = at("2025-03-03T09:00"), at("2025-03-03T11:00")
    merged = Circumstances(continues_from=first_entry, billed_before_minor=100)
    again = price(data, at("2025-03-03T10:10"), left_at, merged)
    assert again == price(data, first_entry, left_at)
    assert again.total.amount_minor == 400
    with pytest.raises(InvalidInputError) as caught:
        price(data, at("2025-03-03T08:59"), left_at, merged)
    assert caught.value.field == "circumstances.continues_from"


def test_a_block_that_straddles_a_window_restarts_or_continues() -> None:
    stay = at("2025-03-03T19:30"), at("2025-03-03T20:20")
    assert price(parsed(DAY_AND_NIGHT), *stay).total.amount_minor == 700
    data = parsed(DAY_AND_NIGHT | {"straddle": "continue"})
    assert price(data, *stay).total.amount_minor == 200
    later = price(data, stay[0], at("2025-03-03T20:31"))
    assert [(line.starts_at, line.amount_minor) for line in later.lines] == [
        (stay[0], 200),
        (at("2025-03-03T20:30"), 500),
    ]


def test_what_an_operator_does_not_say_is_as_before() -> None:
    data = parsed(HOURLY)
    assert (data.reentry_merge_minutes, data.grace_after_payment_minutes) == (0, 15)
    assert (data.straddle, data.variants, data.allowances, data.validations) == (
        "restart",
        (),
        (),
        (),
    )
    assert _minor(HOURLY, "2025-03-03T09:00", "2025-03-03T10:00", EV) == 100
