"""A page of the fleet, for whoever reads it bit by bit. Pure, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from parking.flows.fleet.reading import Fleet
from parking.flows.fleet.status import LaneStatus


class CursorUnknownError(LookupError):
    """The lane that a page is to follow is not in the fleet."""


@dataclass(frozen=True, slots=True)
class FleetPage:
    """Some lanes, by the names of their places and their own.

    Attributes:
        has_more: Whether others follow.
    """

    lanes: Sequence[LaneStatus]
    has_more: bool


def page_of(fleet: Fleet, first: int, after: UUID | None, *, only_problems: bool) -> FleetPage:
    """Return the lanes that follow one.

    By name, not the worst first as in the whole list: a lane that gets worse between two pages
    would take another one's place, which nobody would see then.

    Args:
        fleet: Everything that was read.
        first: How many at most.
        after: The lane before the page, be it that nothing is wrong with it any more.
        only_problems: Whether to leave out lanes without problems.

    Raises:
        CursorUnknownError: `after` is no lane of the fleet.
    """
    lanes = sorted(fleet.lanes, key=lambda lane: (lane.place, lane.lane, lane.lane_id))
    begin = 0
    if after is not None:
        found = (number for number, lane in enumerate(lanes) if lane.lane_id == after)
        begin = next(found, -1) + 1
        if not begin:
            raise CursorUnknownError(str(after))
    rest = [lane for lane in lanes[begin:] if lane.problems or not only_problems]
    return FleetPage(rest[:first], len(rest) > first)
