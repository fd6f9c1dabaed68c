"""The bridge's time from round trips."""

from datetime import UTC, datetime, timedelta

from gate_bridge.agent.server_time import SAMPLE_AGE_S_MAX, ServerTime

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Steady:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def make() -> tuple[ServerTime, Steady]:
    steady = Steady()
    return ServerTime(steady), steady


def test_without_a_sample_the_time_is_unknown() -> None:
    clock, _ = make()
    assert (clock.now(), clock.earliest(), clock.latest()) == (None, None, None)


def test_the_time_lies_within_half_a_round_trip() -> None:
    clock, steady = make()
    clock.sample(999.8, 1000.0, NOON)
    steady.now_s = 1003.0
    assert clock.earliest() == NOON + timedelta(seconds=3)
    assert clock.now() == NOON + timedelta(seconds=3.1)
    assert clock.latest() == NOON + timedelta(seconds=3.2)


def test_the_shortest_round_trip_counts() -> None:
    clock, _ = make()
    clock.sample(999.0, 1000.0, NOON + timedelta(seconds=9))
    clock.sample(1000.0, 1000.0, NOON)
    clock.sample(999.5, 1000.0, NOON + timedelta(seconds=9))
    assert clock.now() == NOON


def test_an_answer_that_took_long_says_nothing() -> None:
    clock, _ = make()
    clock.sample(997.9, 1000.0, NOON)
    assert clock.now() is None


def test_an_old_sample_says_nothing() -> None:
    clock, steady = make()
    clock.sample(1000.0, 1000.0, NOON)
    steady.now_s = 1000.0 + SAMPLE_AGE_S_MAX + 1
    assert clock.now() is None


def test_a_new_connection_measures_anew() -> None:
    clock, _ = make()
    clock.sample(1000.0, 1000.0, NOON)
    clock.forget()
    assert clock.latest() is None
