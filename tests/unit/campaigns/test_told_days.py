"""A message that comes on another day than it was counted for counts for that one, or goes not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from parking.campaigns.caps import EVERYBODY_WEEK_MAX, Caps
from parking.campaigns.sending import DueSend, ToldDays

DRIVER, OPERATOR, OTHER = UUID(int=1), UUID(int=2), UUID(int=3)
MONDAY = date(2026, 5, 4)
AT = datetime(2026, 5, 6, tzinfo=UTC)
SEND = DueSend(
    operator_id=OPERATOR,
    run_id=UUID(int=4),
    driver_id=DRIVER,
    campaign_id=UUID(int=5),
    is_test=False,
    local_day=MONDAY - timedelta(days=1),
    today=MONDAY + timedelta(days=2),
    assigned_at=AT,
    not_before=AT,
    campaign_state="running",
    document={},
    place_id=None,
    locale="en",
    operator_name="",
    place_name="",
    visits=0,
)


def told(*days: int, by: UUID = OPERATOR) -> dict[tuple[UUID, UUID, date], int]:
    counts: dict[tuple[UUID, UUID, date], int] = {}
    for day in days:
        key = (DRIVER, by, MONDAY + timedelta(days=day))
        counts[key] = counts.get(key, 0) + 1
    return counts


@pytest.mark.parametrize(
    ("counts", "goes"),
    [
        ({}, True),
        (told(0, 1), True),
        # Three in the operator's week, one on the operator's day.
        (told(0, 1, 3), False),
        (told(2), False),
        # Another operator's count for everybody's caps only.
        (told(2, by=OTHER), True),
        (told(2, 2, by=OTHER), False),
        (told(*range(EVERYBODY_WEEK_MAX), by=OTHER), False),
        # Last week is over.
        (told(-1, -2, -3), True),
    ],
)
def test_the_caps_of_the_new_day_decide(
    counts: dict[tuple[UUID, UUID, date], int], *, goes: bool
) -> None:
    assert ToldDays(counts).move(SEND, Caps()) is goes


def test_what_has_moved_counts_for_the_next_one() -> None:
    days = ToldDays(told(-1))
    assert days.move(SEND, Caps())
    assert not days.move(SEND, Caps())
    # What it was counted for before is free again, in the same week too.
    again = ToldDays(told(0, 1, 3))
    assert again.move(replace(SEND, local_day=MONDAY), Caps())
