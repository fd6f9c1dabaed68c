"""When campaigns run, on a wall whose clock is moved."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from parking.campaigns import triggers
from parking.campaigns.triggers import Trigger, next_run_at

_ADAPTER: TypeAdapter[Trigger] = TypeAdapter(Trigger)


def trigger(**given: Any) -> Trigger:  # noqa: ANN401 - JSON
    return _ADAPTER.validate_python(given)


def first_run_at(found: Trigger, now: datetime) -> datetime:
    first = triggers.first_run_at(found, now)
    assert first is not None
    return first


def following(found: Trigger, last: datetime) -> datetime:
    due = next_run_at(found, last, last)
    assert due is not None
    return due


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


DAILY = trigger(kind="schedule", at="2026-03-27T09:00", timezone="Europe/Berlin", repeats="daily")


def test_one_moment_runs_once_and_at_once_where_it_has_passed() -> None:
    once = trigger(kind="schedule", at="2026-03-27T09:00", timezone="Europe/Berlin")
    assert first_run_at(once, at("2026-03-01T00:00")) == at("2026-03-27T08:00")
    assert first_run_at(once, at("2026-04-01T00:00")) == at("2026-04-01T00:00")
    assert next_run_at(once, at("2026-03-27T08:00"), at("2026-03-27T08:00")) is None


def test_the_walls_clock_counts_over_a_change_of_the_hour() -> None:
    first = first_run_at(DAILY, at("2026-03-01T00:00"))
    assert first == at("2026-03-27T08:00")
    second = following(DAILY, first)
    assert second == at("2026-03-28T08:00")
    # Summer time begins on the 29th.
    assert following(DAILY, second) == at("2026-03-29T07:00")


def test_what_was_missed_is_left_out() -> None:
    missed = next_run_at(DAILY, at("2026-03-27T08:00"), at("2026-04-10T12:00"))
    assert missed == at("2026-04-11T07:00")
    assert first_run_at(DAILY, at("2026-04-10T12:00")) == at("2026-04-11T07:00")


def test_an_hour_more_on_the_wall_leaves_no_run_out() -> None:
    # The 25th of October has 25 hours: half an hour before the next run nothing of it is missed.
    late = at("2026-10-25T07:30")
    assert next_run_at(DAILY, at("2026-10-24T07:00"), late) == at("2026-10-25T08:00")


def test_a_run_that_is_begun_hours_late_is_missed() -> None:
    due = at("2026-03-27T08:00")
    assert not triggers.is_missed(DAILY, due, at("2026-03-27T14:00"))
    assert triggers.is_missed(DAILY, due, at("2026-03-27T14:01"))
    once = trigger(kind="schedule", at="2026-03-27T09:00", timezone="Europe/Berlin")
    assert not triggers.is_missed(once, due, at("2026-04-01T00:00"))


def test_a_weekly_one_keeps_its_day_and_ends_after_its_last() -> None:
    weekly = trigger(
        kind="schedule",
        at="2026-05-01T09:00",
        timezone="Asia/Shanghai",
        repeats="weekly",
        lastDay="2026-05-08",
    )
    second = following(weekly, at("2026-05-01T01:00"))
    assert second == at("2026-05-08T01:00")
    assert next_run_at(weekly, second, second) is None


@pytest.mark.parametrize("kind", ["on_entry", "after_payment"])
def test_what_drivers_do_has_no_time(kind: str) -> None:
    assert triggers.first_run_at(trigger(kind=kind), at("2026-05-01T00:00")) is None
    assert next_run_at(trigger(kind=kind), at("2026-05-01T00:00"), at("2026-05-01T00:00")) is None


def test_lapses_are_looked_for_every_day() -> None:
    lapse = trigger(kind="lapse", days=30, at="10:00", timezone="Asia/Shanghai")
    assert first_run_at(lapse, at("2026-05-01T01:00")) == at("2026-05-01T02:00")
    assert first_run_at(lapse, at("2026-05-01T03:00")) == at("2026-05-02T02:00")
