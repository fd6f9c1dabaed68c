import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.kit.money import CurrencyMismatchError, Money, divide_half_up

AMOUNTS = st.integers(-(10**12), 10**12)


@given(AMOUNTS, AMOUNTS)
def test_sums_are_exact(left: int, right: int) -> None:
    total = Money(left, "CNY") + Money(right, "CNY")
    assert total == Money(left + right, "CNY")
    assert total - Money(right, "CNY") == Money(left, "CNY")


@pytest.mark.parametrize(
    ("amount_minor", "currency", "shown"),
    [
        (1250, "CNY", "12.50 CNY"),
        (5, "EUR", "0.05 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (1250, "JPY", "1250 JPY"),
        (1250, "KWD", "1.250 KWD"),
        (0, "USD", "0.00 USD"),
    ],
)
def test_format_uses_the_currencys_digits(amount_minor: int, currency: str, shown: str) -> None:
    assert Money(amount_minor, currency).format() == shown


def test_two_currencies_do_not_meet() -> None:
    for meet in (
        lambda: Money(1, "CNY") + Money(1, "EUR"),
        lambda: Money(1, "CNY") < Money(1, "EUR"),
    ):
        with pytest.raises(CurrencyMismatchError, match="currency: CNY and EUR do not add up"):
            meet()


def test_floats_bools_and_bad_codes_are_refused() -> None:
    for amount in (1.0, True):
        with pytest.raises(TypeError, match="amount_minor: expected an int"):
            Money(amount, "CNY")  # pyright: ignore[reportArgumentType] - on purpose
    for code in ("cny", "CN", "CNYX", "C人N"):
        with pytest.raises(ValueError, match="ISO 4217"):
            Money(1, code)


@pytest.mark.parametrize(
    ("amount_minor", "divisor", "expected"),
    [(0, 3, 0), (1, 3, 0), (1, 2, 1), (3, 2, 2), (5, 3, 2), (10**30 + 1, 2, 5 * 10**29 + 1)],
)
def test_half_a_unit_is_rounded_up(amount_minor: int, divisor: int, expected: int) -> None:
    assert divide_half_up(amount_minor, divisor) == expected
