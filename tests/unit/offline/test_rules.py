"""In whatever order the decisions of one plate arrive, the stays are those of the order of time."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.offline.rules import AGE_MAX, Waiting, believed_time, next_passage
from tests.factories.policies import ISSUED


def waiting(minute: int, *, is_entry: bool, is_overdue: bool = False) -> Waiting:
    number = minute * 2 + is_entry
    return Waiting(UUID(int=number), is_entry, ISSUED + timedelta(minutes=minute), is_overdue)


@dataclass
class Place:
    """One plate at one place: what was told, and what became of it."""

    told: list[Waiting] = field(default_factory=list[Waiting])
    entered: int | None = None
    stays: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def tell(self, item: Waiting) -> None:
        self.told.append(item)
        since = None if self.entered is None else ISSUED + timedelta(minutes=self.entered)
        while (chosen := next_passage(since, self.told)) is not None:
            self.told.remove(chosen)
            minute = (chosen.at - ISSUED) // timedelta(minutes=1)
            if chosen.is_entry:
                self.entered = minute
            elif self.entered is not None:
                self.stays.append((self.entered, minute))
                self.entered = None
            since = None if self.entered is None else ISSUED + timedelta(minutes=self.entered)


@given(visits=st.lists(st.integers(1, 60), min_size=1, max_size=6), data=st.data())
def test_one_entry_and_one_exit_lane_in_any_mixture_give_the_stays_as_they_were(
    visits: list[int], data: st.DataObject
) -> None:
    minutes = [sum(visits[: number + 1]) for number in range(len(visits))]
    expected = [(at * 2, at * 2 + 1) for at in minutes]
    entries = [waiting(begins, is_entry=True) for begins, _ in expected]
    exits = [waiting(ends, is_entry=False) for _, ends in expected]
    place = Place()
    while entries or exits:
        lane = data.draw(st.sampled_from([lane for lane in (entries, exits) if lane]))
        place.tell(lane.pop(0))
    assert sorted(place.stays) == expected
    assert (place.told, place.entered) == ([], None)


def test_an_entry_after_an_entry_waits_for_the_exit_between_until_it_is_overdue() -> None:
    assert next_passage(ISSUED, [waiting(40, is_entry=True)]) is None
    late = waiting(40, is_entry=True, is_overdue=True)
    assert next_passage(ISSUED, [late]) == late


def test_an_exit_ends_no_stay_that_began_later_or_that_another_entry_followed() -> None:
    at_ten = ISSUED + timedelta(minutes=10)
    assert next_passage(at_ten, [waiting(5, is_entry=False)]) is None
    both = [waiting(30, is_entry=True), waiting(40, is_entry=False)]
    assert next_passage(at_ten, both) is None
    leaving = waiting(20, is_entry=False)
    assert next_passage(at_ten, [*both, leaving]) == leaving


def test_an_exit_alone_waits() -> None:
    assert next_passage(None, [waiting(5, is_entry=False)]) is None


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        (timedelta(hours=-3), timedelta(hours=-3)),
        (timedelta(minutes=10), timedelta()),
        (timedelta(days=-90), -AGE_MAX),
    ],
)
def test_a_time_is_never_ahead_and_never_long_ago(said: timedelta, believed: timedelta) -> None:
    assert believed_time(ISSUED + said, ISSUED) == ISSUED + believed


def test_an_exit_in_the_moment_of_the_entry_ends_its_stay() -> None:
    leaving = waiting(7, is_entry=False)
    assert next_passage(leaving.at, [leaving]) == leaving


def test_an_entry_in_the_moment_of_the_entry_is_no_second_one() -> None:
    entry = waiting(7, is_entry=True, is_overdue=True)
    assert next_passage(entry.at, [entry]) is None


def test_no_lane_is_believed_further_back_than_a_journal_may_reach() -> None:
    said, heard_at = ISSUED - 2 * AGE_MAX, ISSUED - 3 * AGE_MAX
    assert believed_time(said, ISSUED, heard_at) == ISSUED - AGE_MAX
