"""How much a pool may be overbooked: exactly, and as often as it happens."""

import random
from fractions import Fraction
from math import comb

import pytest

from parking.offers.risk import expected_max, show_up_limit, tail


def exact_tail(expected: int, probability: Fraction, spaces: int) -> Fraction:
    return sum(
        (
            comb(expected, some) * probability**some * (1 - probability) ** (expected - some)
            for some in range(spaces + 1, expected + 1)
        ),
        Fraction(0),
    )


@pytest.mark.parametrize(
    ("expected", "percent", "spaces"),
    [(12, 80, 10), (120, 90, 100), (3, 50, 2), (40, 95, 38), (10, 10, 0)],
)
def test_the_tail_is_the_binomial_one(expected: int, percent: int, spaces: int) -> None:
    exact = exact_tail(expected, Fraction(percent, 100), spaces)
    assert tail(expected, percent / 100, spaces) == pytest.approx(float(exact), rel=1e-9)


def test_nobody_is_turned_away_of_as_many_as_there_are_spaces() -> None:
    assert tail(10, 0.9, 10) == 0.0
    assert tail(11, 1.0, 10) == 1.0
    assert tail(11, 0.0, 10) == 0.0


def test_without_history_or_risk_a_pool_is_not_overbooked() -> None:
    assert show_up_limit(0, 0) == 1.0
    assert expected_max(50, show_up_limit(0, 0), 100) == 50
    assert expected_max(50, 0.8, 0) == 50
    assert expected_max(0, 0.8, 100) == 0


def test_what_is_taken_for_the_probability_is_above_what_was_seen() -> None:
    assert show_up_limit(80, 20) == 0.858
    assert show_up_limit(8000, 2000) == 0.807
    assert show_up_limit(3, 0) == 1.0


@pytest.mark.parametrize("spaces", [1, 10, 100])
@pytest.mark.parametrize("risk", [1, 100, 1000])
def test_one_more_would_be_beyond_the_risk(spaces: int, risk: int) -> None:
    expected = expected_max(spaces, 0.8, risk)
    share = Fraction(4, 5)
    assert exact_tail(expected, share, spaces) <= Fraction(risk, 10_000)
    assert exact_tail(expected + 1, share, spaces) > Fraction(risk, 10_000)


def test_of_simulated_evenings_no_more_fail_than_was_accepted() -> None:
    dice = random.Random(8)  # noqa: S311 - the same evenings each time
    expected = expected_max(30, 0.8, 100)
    assert expected == 32
    evenings = 20_000
    failed = sum(sum(dice.random() < 0.8 for _ in range(expected)) > 30 for _ in range(evenings))
    assert failed == 154
    assert failed / evenings <= 0.01
