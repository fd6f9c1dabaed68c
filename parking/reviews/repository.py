"""Every query about reviews."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.locks import lock
from parking.reviews.models import MisreadReview, ReviewAction, ReviewState

PAGE_MAX: Final = 100
ACTIONS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """Which open reviews are asked for; None asks for all."""

    place_id: UUID | None = None
    lane_id: UUID | None = None
    places: Collection[UUID] | None = None


async def find_review(unit: UnitOfWork, operator_id: UUID, review_id: UUID) -> MisreadReview | None:
    """Return a review."""
    return await unit.session.get(MisreadReview, (operator_id, review_id))


async def lock_review(unit: UnitOfWork, operator_id: UUID, review_id: UUID) -> MisreadReview | None:
    """Lock a review: of two people the second sees what the first did."""
    return await lock(unit, MisreadReview, operator_id=operator_id, id=review_id)


async def list_open(
    unit: UnitOfWork, operator_id: UUID, wanted: ReviewFilter, *, rows: int, after: UUID | None
) -> Sequence[MisreadReview]:
    """Return up to PAGE_MAX + 1 open reviews, oldest first."""
    statement = (
        select(MisreadReview)
        .where(col(MisreadReview.operator_id) == operator_id)
        .where(col(MisreadReview.state) == ReviewState.OPEN)
        .order_by(col(MisreadReview.id))
        .limit(min(rows, PAGE_MAX + 1))
    )
    if wanted.place_id is not None:
        statement = statement.where(col(MisreadReview.place_id) == wanted.place_id)
    if wanted.places is not None:
        statement = statement.where(col(MisreadReview.place_id).in_(list(wanted.places)))
    if wanted.lane_id is not None:
        statement = statement.where(col(MisreadReview.lane_id) == wanted.lane_id)
    if after is not None:
        statement = statement.where(col(MisreadReview.id) > after)
    return (await unit.session.exec(statement)).all()


async def list_actions(
    unit: UnitOfWork, operator_id: UUID, review_id: UUID
) -> Sequence[ReviewAction]:
    """Return what was done about a review, oldest first."""
    statement = (
        select(ReviewAction)
        .where(col(ReviewAction.operator_id) == operator_id)
        .where(col(ReviewAction.review_id) == review_id)
        .order_by(col(ReviewAction.id))
        .limit(ACTIONS_MAX)
    )
    return (await unit.session.exec(statement)).all()
