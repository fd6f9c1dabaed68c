"""Use cases of a review: open it once, claim it, close it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id, new_id
from parking.reviews import repository
from parking.reviews.errors import ReviewClaimedError, ReviewClosedError, ReviewUnknownError
from parking.reviews.models import (
    MisreadReview,
    ReviewAction,
    ReviewActionKind,
    ReviewKind,
    ReviewState,
)

PLATE_CONTEXT: Final = "plate"
ALTERNATIVES_CONTEXT: Final = "alternatives"
NOTE_CONTEXT: Final = "review_note"
NOTE_LENGTH_MAX: Final = 500
# Long enough to look at pictures, short enough that nothing waits for who went home.
CLAIM_FOR: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class NewReview:
    """What somebody should look at.

    Attributes:
        cause_id: UUIDv7 of the car or event; with the kind it names the review, which comes once.
        plate: What was read; None for nothing.
        detail: JSON values without plates.
    """

    operator_id: UUID
    place_id: UUID
    lane_id: UUID
    kind: ReviewKind
    cause_id: UUID
    occurred_at: datetime
    presentation_id: UUID | None = None
    session_id: UUID | None = None
    plate: str | None = field(default=None, repr=False)
    alternatives: Mapping[str, float] = field(default_factory=dict[str, float], repr=False)
    confidence: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict[str, Any])


async def add(unit: UnitOfWork, new: NewReview) -> UUID:
    """Open a review and return its id; again for the same cause and kind changes nothing."""
    review_id = review_id_of(new.cause_id, new.kind)
    sealed = None if new.plate is None else unit.vault.seal(new.plate, context=PLATE_CONTEXT)
    others = json.dumps(dict(new.alternatives), ensure_ascii=False)
    review = MisreadReview(
        operator_id=new.operator_id,
        id=review_id,
        place_id=new.place_id,
        lane_id=new.lane_id,
        presentation_id=new.presentation_id,
        session_id=new.session_id,
        kind=new.kind,
        state=ReviewState.OPEN,
        plate_sealed=sealed,
        alternatives_sealed=unit.vault.seal(others, context=ALTERNATIVES_CONTEXT),
        confidence=new.confidence,
        detail=dict(new.detail),
        occurred_at=new.occurred_at,
        opened_at=unit.now(),
    )
    await unit.insert_once(MisreadReview, review.model_dump())
    return review_id


def review_id_of(cause_id: UUID, kind: ReviewKind) -> UUID:
    """Return the id of the one review of a kind that a car or event may cause."""
    return derive_id(cause_id, f"review:{kind}")


async def claim(unit: UnitOfWork, operator_id: UUID, review_id: UUID, by: str) -> MisreadReview:
    """Take an open review for CLAIM_FOR; by the same person again takes it for longer.

    Raises:
        ReviewUnknownError: the operator has none with this id.
        ReviewClosedError: it is closed.
        ReviewClaimedError: somebody else has it.
    """
    review = await hold(unit, operator_id, review_id, by)
    _note(unit, review, ReviewActionKind.CLAIMED, by)
    return review


async def hold(unit: UnitOfWork, operator_id: UUID, review_id: UUID, by: str) -> MisreadReview:
    """Keep others from an open review while something of `by` is under way; raises as `claim`.

    It is a claim that nobody asked for, so that it does not stand among what they did.
    """
    review = await take(unit, operator_id, review_id, by)
    review.claimed_by = by
    review.claimed_until = unit.now() + CLAIM_FOR
    return review


async def take(unit: UnitOfWork, operator_id: UUID, review_id: UUID, by: str) -> MisreadReview:
    """Lock an open review that nobody else has; raises as `claim`."""
    review = await repository.lock_review(unit, operator_id, review_id)
    if review is None:
        raise ReviewUnknownError("reviewId: expected one of yours")
    if review.state != ReviewState.OPEN:
        raise ReviewClosedError("reviewId: somebody closed it before")
    if is_claimed(review, unit.now()) and review.claimed_by != by:
        raise ReviewClaimedError("reviewId: somebody else is at it")
    return review


def is_claimed(review: MisreadReview, at: datetime) -> bool:
    """Return whether somebody has the review."""
    return review.claimed_until is not None and review.claimed_until > at


def close(
    unit: UnitOfWork,
    review: MisreadReview,
    kind: ReviewActionKind,
    by: str,
    *,
    plate: str | None = None,
    note: str | None = None,
) -> None:
    """Close a locked review; who did it and why is kept.

    Raises:
        InvalidInputError: the note is too long, or missing where it is needed.
    """
    is_dismissed = kind == ReviewActionKind.DISMISSED
    if is_dismissed:
        require_reason(note)
    review.state = ReviewState.DISMISSED if is_dismissed else ReviewState.RESOLVED
    review.closed_by = by
    review.closed_at = unit.now()
    review.claimed_until = None
    unit.session.add(review)
    _note(unit, review, kind, by, plate=plate, note=note)


def require_reason(reason: str | None) -> None:
    """Refuse an empty reason, and one that is too long to be kept.

    Raises:
        InvalidInputError: it is.
    """
    if not 0 < len((reason or "").strip()) <= NOTE_LENGTH_MAX:
        raise InvalidInputError("reason", f"1 to {NOTE_LENGTH_MAX} characters")


def plate_of(unit: UnitOfWork, review: MisreadReview) -> str | None:
    """Return what was read, in clear: for staff of the operator only."""
    if review.plate_sealed is None:
        return None
    return unit.vault.open(review.plate_sealed, context=PLATE_CONTEXT)


def alternatives_of(unit: UnitOfWork, review: MisreadReview) -> dict[str, float]:
    """Return the other texts of the read with their probabilities, in clear."""
    if review.alternatives_sealed is None:
        return {}
    text = unit.vault.open(review.alternatives_sealed, context=ALTERNATIVES_CONTEXT)
    return {str(plate): float(chance) for plate, chance in json.loads(text).items()}


def _note(
    unit: UnitOfWork,
    review: MisreadReview,
    kind: ReviewActionKind,
    by: str,
    *,
    plate: str | None = None,
    note: str | None = None,
) -> None:
    words = (note or "").strip()
    if len(words) > NOTE_LENGTH_MAX:
        raise InvalidInputError("reason", f"1 to {NOTE_LENGTH_MAX} characters")
    unit.session.add(
        ReviewAction(
            operator_id=review.operator_id,
            id=new_id(unit.now()),
            review_id=review.id,
            kind=kind,
            acted_by=by,
            acted_at=unit.now(),
            plate_sealed=None if plate is None else unit.vault.seal(plate, context=PLATE_CONTEXT),
            note_sealed=unit.vault.seal(words, context=NOTE_CONTEXT) if words else None,
        )
    )
