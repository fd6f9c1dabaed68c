"""What is said of an effect: intervals computed by hand, and by whoever first published them."""

import pytest

from parking.campaigns.statistics import Finding, Share, sample_needed, uplift, wilson
from parking.campaigns.trial import run_trial
from parking.kit.errors import InvalidInputError


@pytest.mark.parametrize(
    ("assigned", "held_out", "low", "high"),
    [
        # Newcombe 1998, table II, method 10.
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_intervals_are_the_published_ones(
    assigned: tuple[int, int], held_out: tuple[int, int], low: float, high: float
) -> None:
    found = uplift(Share(*assigned), Share(*held_out))
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_wilson_by_hand() -> None:
    # n = 10, p = 0.5, z = 1.959964: (0.5 + 0.192073 +- 1.959964 sqrt(0.025 + 0.0096036)) / 1.384146
    assert [round(each, 4) for each in wilson(Share(5, 10))] == [0.2366, 0.7634]
    assert wilson(Share(0, 0)) == (0.0, 1.0)


def test_nothing_is_said_where_zero_is_possible() -> None:
    assert uplift(Share(50, 500), Share(45, 500)).finding is Finding.INCONCLUSIVE
    assert uplift(Share(500, 5000), Share(350, 5000)).finding is Finding.MORE
    assert uplift(Share(350, 5000), Share(500, 5000)).finding is Finding.LESS
    assert uplift(Share(0, 0), Share(3, 10)).finding is Finding.INCONCLUSIVE


def test_the_sample_that_the_field_speaks_of() -> None:
    # 4 % to 5 %, a tenth held out: (1.959964 + 0.841621)^2 (0.0384 + 0.0475 / 9) / 0.0001 * 10.
    assert sample_needed(0.04, effect=0.01, held_out_share=0.1) == 34_283
    assert sample_needed(1.0, effect=0.01, held_out_share=0.1) is None
    assert sample_needed(0.1, effect=0.0, held_out_share=0.1) is None
    assert sample_needed(0.1, effect=0.01, held_out_share=0.0) is None


def test_a_share_is_of_no_more_than_there_are() -> None:
    with pytest.raises(InvalidInputError):
        Share(4, 3)


def test_campaigns_without_effect_are_seldom_said_to_have_one() -> None:
    found = run_trial(drivers=250, holdout_permille=400, base_permille=300)
    assert found.campaigns == 1000
    assert found.covered + found.more + found.less == 1000
    assert 0.93 <= found.covered_share <= 0.97
    assert found.is_right
