from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.invoices.rules import (
    check_currency,
    format_number,
    local_year,
    tax,
    tax_credit,
    tax_each,
    vat_of,
)
from parking.kit.errors import InvalidInputError

RATES = st.sampled_from((0, 250, 300, 500, 700, 900, 1900, 2000, 2550, 2700))
GROSS = st.integers(min_value=0, max_value=10**9)


def vat_on(net_minor: int, rate: int) -> int:
    """Net times rate, rounded half up: EN 16931, BR-CO-17."""
    return (2 * net_minor * rate + 10_000) // 20_000


@pytest.mark.parametrize(
    ("gross", "rate", "net", "vat"),
    [(11_900, 1900, 10_000, 1_900), (350, 1900, 294, 56), (1250, 700, 1168, 82), (1, 1900, 1, 0)],
)
def test_takes_a_gross_amount_apart(gross: int, rate: int, net: int, vat: int) -> None:
    taxed = tax(gross, rate)
    assert (taxed.net_minor, taxed.vat_minor) == (net, vat)


@given(GROSS, RATES)
def test_parts_add_up_and_vat_is_off_by_less_than_one_unit(gross: int, rate: int) -> None:
    taxed = tax(gross, rate)
    assert taxed.net_minor + taxed.vat_minor == gross
    assert abs(10_000 * taxed.vat_minor - taxed.net_minor * rate) < 10_000


@given(st.integers(min_value=0, max_value=10**8), RATES)
def test_a_net_amount_that_fits_is_found_exactly(net: int, rate: int) -> None:
    vat = vat_on(net, rate)
    assert tax(net + vat, rate).vat_minor == vat


def test_no_net_amount_gives_three_cents_at_nineteen_percent() -> None:
    assert 3 not in {net + vat_on(net, 1900) for net in range(10)}
    assert (tax(3, 1900).net_minor, tax(3, 1900).vat_minor) == (3, 0)


@given(st.lists(GROSS, min_size=1, max_size=100), RATES)
def test_lines_add_up_to_their_sum(gross: list[int], rate: int) -> None:
    parts = tax_each(gross, rate)
    whole = tax(sum(gross), rate)
    assert [part.gross_minor for part in parts] == gross
    assert sum(part.vat_minor for part in parts) == whole.vat_minor
    assert all(part.net_minor >= 0 and part.vat_minor >= 0 for part in parts)
    assert all(part.net_minor + part.vat_minor == part.gross_minor for part in parts)


@given(st.integers(min_value=1, max_value=10**7), RATES, st.integers(), st.integers(1, 20))
def test_credits_in_any_portions_end_at_exactly_the_invoice(
    invoiced: int, rate: int, seed: int, portions: int
) -> None:
    random = Random(seed)  # noqa: S311 - no secrecy
    credited = net = vat = 0
    while credited < invoiced:
        gross = random.randint(1, max(1, (invoiced - credited) // portions))
        portions = max(1, portions - 1)
        part = tax_credit(invoiced, credited, gross, rate)
        assert min(part.net_minor, part.vat_minor) >= 0
        credited, net, vat = credited + gross, net + part.net_minor, vat + part.vat_minor
        # A credit note's own VAT is at most one minor unit off its net amount times the rate.
        assert abs(part.vat_minor - vat_on(part.net_minor, rate)) <= 1
    assert (net, vat) == (invoiced - vat_of(invoiced, rate), vat_of(invoiced, rate))


@pytest.mark.parametrize("gross", [0, 51, -1])
def test_refuses_to_credit_more_than_is_left(gross: int) -> None:
    with pytest.raises(ValueError, match="what is left"):
        tax_credit(100, 50, gross, 1900)


def test_numbers_have_six_digits_at_least() -> None:
    assert format_number("RP", 2026, 1) == "RP-2026-000001"
    assert format_number("RP-C", 2026, 1_234_567) == "RP-C-2026-1234567"


def test_the_year_is_the_seller_s() -> None:
    new_year = datetime(2026, 12, 31, 16, 30, tzinfo=UTC)
    assert local_year(new_year, "Asia/Shanghai") == 2027
    assert local_year(new_year, "Europe/Berlin") == 2026


def test_refuses_a_currency_with_three_decimals() -> None:
    check_currency("EUR")
    check_currency("JPY")
    with pytest.raises(InvalidInputError, match="two decimals"):
        check_currency("KWD")
