"""What staff see of a doubt: the read, its pictures, and whose stay it may be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.lanes import repository as lanes
from parking.lanes.repository import FrameFacts
from parking.places import repository as places
from parking.reviews import repository
from parking.reviews import service as reviews
from parking.reviews.models import MisreadReview, ReviewAction
from parking.reviews.repository import ReviewFilter
from parking.sessions import repository as session_rows
from parking.sessions import service as sessions
from parking.sessions.models import Session
from parking.sessions.rules import ReadText, distance

PICTURES_MAX: Final = 6
CANDIDATES_MAX: Final = 5
# Further away than this a plate has little in common with the read.
CANDIDATE_DISTANCE_MAX: Final = 3.0


@dataclass(frozen=True, slots=True)
class ReviewView:
    """A review in a list.

    Attributes:
        plate: What was read, in clear; None where nothing was.
        is_claimed: Whether somebody is at it now.
    """

    row: MisreadReview
    plate: str | None = field(repr=False)
    place_name: str
    lane_name: str
    is_claimed: bool


@dataclass(frozen=True, slots=True)
class StayCandidate:
    """An open stay of the place whose plate is near to what was read."""

    session: Session
    plate: str = field(repr=False)
    distance: float


@dataclass(frozen=True, slots=True)
class ReviewCase:
    """One review with all that it is decided by.

    Attributes:
        session_plate: Of the stay that the lane took the car for; None for none.
        candidates: Nearest first.
    """

    view: ReviewView
    alternatives: Sequence[tuple[str, float]] = field(repr=False)
    session: Session | None
    session_plate: str | None = field(repr=False)
    candidates: Sequence[StayCandidate]
    pictures: Sequence[FrameFacts]
    actions: Sequence[ReviewAction]


async def list_open(
    context: ParkingContext,
    operator_id: UUID,
    wanted: ReviewFilter,
    *,
    first: int,
    after: UUID | None,
) -> list[ReviewView]:
    """Return an operator's open reviews, oldest first; few statements however many."""
    async with context.database.begin() as unit:
        rows = await repository.list_open(unit, operator_id, wanted, rows=first, after=after)
        keys = {(row.operator_id, row.place_id) for row in rows}
        known = await places.find_places(unit, keys) if keys else {}
        lane_names = await places.find_lane_names(unit, operator_id, {row.lane_id for row in rows})
        return [
            _view(unit, row, known[row.operator_id, row.place_id].name, lane_names[row.lane_id])
            for row in rows
        ]


async def find_case(
    context: ParkingContext, operator_id: UUID, review_id: UUID
) -> ReviewCase | None:
    """Return one review; None for another operator's, as for none."""
    async with context.database.begin() as unit:
        row = await repository.find_review(unit, operator_id, review_id)
        return None if row is None else await case_of(unit, row)


async def case_of(unit: UnitOfWork, row: MisreadReview) -> ReviewCase:
    """Return all that a review is decided by."""
    place = await places.find_place(unit, row.operator_id, row.place_id)
    names = await places.find_lane_names(unit, row.operator_id, {row.lane_id})
    view = _view(unit, row, "" if place is None else place.name, names.get(row.lane_id, ""))
    alternatives = tuple(reviews.alternatives_of(unit, row).items())
    session = None
    if row.session_id is not None:
        session = await session_rows.find_session(unit, row.operator_id, row.session_id)
    return ReviewCase(
        view=view,
        alternatives=alternatives,
        session=session,
        session_plate=None if session is None else sessions.plate_of(unit, session),
        candidates=await _candidates(unit, row, view.plate, alternatives),
        pictures=await _pictures(unit, row),
        actions=await repository.list_actions(unit, row.operator_id, row.id),
    )


def _view(unit: UnitOfWork, row: MisreadReview, place_name: str, lane_name: str) -> ReviewView:
    is_claimed = reviews.is_claimed(row, unit.now())
    return ReviewView(row, reviews.plate_of(unit, row), place_name, lane_name, is_claimed)


async def _candidates(
    unit: UnitOfWork,
    row: MisreadReview,
    plate: str | None,
    alternatives: Sequence[tuple[str, float]],
) -> list[StayCandidate]:
    if plate is None:
        return []
    read = ReadText(plate, (), tuple(alternatives))
    found = [
        (distance(read, text), session_id, text)
        for session_id, text in await sessions.list_plates(unit, row.operator_id, row.place_id)
    ]
    near = sorted(item for item in found if item[0] <= CANDIDATE_DISTANCE_MAX)[:CANDIDATES_MAX]
    keys = [(row.operator_id, session_id) for _, session_id, _ in near]
    stays = await session_rows.find_sessions(unit, keys)
    return [
        StayCandidate(stays[row.operator_id, session_id], text, apart)
        for apart, session_id, text in near
        if (row.operator_id, session_id) in stays
    ]


async def _pictures(unit: UnitOfWork, row: MisreadReview) -> Sequence[FrameFacts]:
    if row.presentation_id is None:
        return ()
    now = unit.now()
    key = (row.operator_id, row.presentation_id)
    return await lanes.find_frames(unit, *key, until=now, rows=PICTURES_MAX)
