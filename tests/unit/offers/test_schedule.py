"""Windows that overlap, and the moment at which too many do."""

from datetime import UTC, datetime, timedelta

import pytest

from parking.offers.schedule import Supply, Window, fits

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EXACT = Supply(2, 1.0, 0)


def window(starts_h: int, ends_h: int, *, is_standing: bool = False) -> Window:
    return Window(NOON + timedelta(hours=starts_h), NOON + timedelta(hours=ends_h), is_standing)


@pytest.mark.parametrize(
    ("taken", "is_room"),
    [
        ([], True),
        ([(0, 2)], True),
        ([(0, 2), (1, 3)], False),
        ([(-3, 0), (-3, 0), (2, 4), (2, 4)], True),
        ([(0, 1), (1, 2), (0, 1)], False),
        ([(0, 1), (1, 2)], True),
        ([(-5, 5), (1, 2)], False),
    ],
)
def test_a_window_fits_where_fewer_overlap_at_every_moment(
    taken: list[tuple[int, int]], *, is_room: bool
) -> None:
    assert fits([window(*each) for each in taken], window(0, 2), EXACT) is is_room


def test_who_stands_there_is_no_longer_perhaps_away() -> None:
    supply = Supply(10, 0.5, 500)
    perhaps = [window(0, 2)] * 12
    assert fits(perhaps, window(0, 2), supply)
    there = [window(0, 2, is_standing=True)] * 8 + [window(0, 2)] * 4
    assert not fits(there, window(0, 2), supply)
