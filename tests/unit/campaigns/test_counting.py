"""What a count tells of one driver more or less: next to nothing."""

from collections import Counter

from parking.flows.campaigns.counting import Counted


def told(drivers: int) -> Counter[int | None]:
    return Counter(Counted(drivers, fingerprint).told for fingerprint in range(1000))


def test_nothing_is_said_of_few_and_chance_hides_where_few_ends() -> None:
    assert told(9) == {None: 1000}
    assert set(told(10)) == {None, 10}
    assert told(10)[None] > 850
    assert None not in told(19)


def test_one_driver_more_is_not_told_by_passing_a_ten() -> None:
    fewer, more = told(49), told(50)
    assert set(more) == {50}
    # Nine of ten answers are the same, with one driver and without.
    assert 850 < fewer[50] < 950


def test_the_mean_is_right() -> None:
    for drivers in (43, 47):
        mean = sum((value or 0) * times for value, times in told(drivers).items()) / 1000
        assert abs(mean - drivers) < 0.6


def test_the_same_drivers_are_always_told_alike() -> None:
    assert {Counted(47, 5).told for _ in range(10)} == {Counted(47, 5).told}
