"""A device's clock is believed as far as its messages bear it out."""

from datetime import UTC, datetime, timedelta

import pytest

from gate_bridge.agent.site.device_clock import DeviceClock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize("wrong_s", [-600.0, -90.0, 0.0, 90.0, 600.0, 3600.0])
def test_a_live_read_of_a_wrong_clock_is_live_and_gets_the_right_time(wrong_s: float) -> None:
    clock = DeviceClock()
    first = clock.judge(after(wrong_s), after(0.4))
    assert (first.at, first.is_late) == (after(0.4), False)
    second = clock.judge(after(60 + wrong_s), after(61))
    assert (second.at, second.is_late) == (after(60.4), False)
    assert clock.ahead_s == wrong_s - 0.4


def test_a_read_from_a_devices_memory_is_late_and_keeps_its_time() -> None:
    clock = DeviceClock()
    clock.judge(after(600), after(0))
    old = clock.judge(after(600 + 100 - 60), after(100))
    assert (old.at, old.is_late) == (after(40), True)
    fresh = clock.judge(after(600 + 101), after(101))
    assert (fresh.at, fresh.is_late) == (after(101), False)


def test_what_the_device_calls_late_measures_nothing() -> None:
    clock = DeviceClock()
    read = clock.late(after(-300), after(0))
    assert (read.at, read.is_late) == (after(-300), True)
    assert clock.ahead_s is None


@pytest.mark.parametrize("pace_s", [1, 5])
def test_a_slowly_emptied_memory_does_not_look_like_one_either(pace_s: int) -> None:
    clock = DeviceClock(ahead_s=0.0)
    for index in range(3):
        taken_s = index if pace_s == 1 else index * 60
        assert clock.judge(after(taken_s), after(700 + index * pace_s)).is_late
    assert clock.ahead_s == 0.0


def test_an_emptied_memory_does_not_look_like_a_clock_that_was_set_back() -> None:
    clock = DeviceClock(ahead_s=0.0)
    # Ten reads over ten minutes, sent within ten seconds.
    for index in range(10):
        assert clock.judge(after(index * 60), after(700 + index)).is_late
    assert clock.ahead_s == 0.0


def test_a_clock_that_was_set_back_is_believed_at_the_second_read() -> None:
    clock = DeviceClock(ahead_s=600.0)
    assert clock.judge(after(0), after(0)).is_late
    again = clock.judge(after(20), after(20))
    assert (again.at, again.is_late) == (after(20), False)
    assert clock.ahead_s == 0.0


def test_a_sign_of_life_says_what_time_the_device_has() -> None:
    clock = DeviceClock(ahead_s=600.0)
    clock.heard(after(-30), after(0))
    assert clock.ahead_s == -30.0
    assert not clock.judge(after(-20), after(10)).is_late


def test_a_clock_that_was_never_set_is_no_memory() -> None:
    clock = DeviceClock(ahead_s=0.0)
    read = clock.judge(datetime(2000, 1, 1, tzinfo=UTC), after(0))
    assert (read.at, read.is_late) == (after(0), False)


def test_no_read_is_from_the_future() -> None:
    clock = DeviceClock(ahead_s=0.0)
    assert clock.late(after(50), after(0)).at == after(0)


@pytest.mark.parametrize("ahead_s", [None, 0.0, -600.0])
@pytest.mark.parametrize("wild_s", [12.0, 3600.0, 86_400.0, 40 * 86_400.0])
def test_one_message_from_the_future_costs_no_car_after_it(
    ahead_s: float | None, wild_s: float
) -> None:
    clock = DeviceClock(ahead_s)
    right_s = ahead_s or 0.0
    assert not clock.judge(after(right_s + wild_s), after(0)).is_late
    # A burst of the same car: the same glitch, seen twice.
    assert not clock.judge(after(right_s + wild_s + 1), after(1)).is_late
    honest = clock.judge(after(right_s + 30), after(30.4))
    assert (honest.at, honest.is_late) == (after(30.4), False)
    assert clock.ahead_s == pytest.approx(right_s - 0.4)
    assert clock.judge(after(right_s + 40), after(100)).is_late


def test_a_clock_that_was_set_forward_does_not_make_its_memory_live() -> None:
    clock = DeviceClock(ahead_s=-3600.0)
    assert not clock.judge(after(0), after(0)).is_late
    assert clock.judge(after(-1200), after(2)).is_late
    assert not clock.judge(after(20), after(20)).is_late
    # Two reads bear it out: what is as it was before is from the memory, however well it fits.
    assert clock.judge(after(-3570), after(30)).is_late


@pytest.mark.parametrize("old_s", [901.0, 3 * 3600.0, 6 * 86_400.0])
def test_a_new_device_that_begins_with_its_memory_is_not_taken_for_live(old_s: float) -> None:
    clock = DeviceClock()
    first = clock.judge(after(-old_s), after(0))
    assert (first.at, first.is_late) == (after(-old_s), True)
    assert clock.judge(after(-old_s + 60), after(4)).is_late
    assert clock.ahead_s is None
    live = clock.judge(after(10), after(10))
    assert (live.at, live.is_late, clock.ahead_s) == (after(10), False, 0.0)


def test_a_new_device_whose_clock_is_hours_behind_is_believed_at_its_second_read() -> None:
    clock = DeviceClock()
    assert clock.judge(after(-28_800), after(0)).is_late
    assert not clock.judge(after(-28_790), after(10)).is_late
    assert clock.ahead_s == -28_800.0
