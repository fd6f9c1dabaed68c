"""What staff look at because the lane was not sure, and what they did about it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Json, Row, Timestamp, text_enum


class ReviewKind(StrEnum):
    """Why a person should look."""

    CORRECTED = "corrected"
    CORRECTION_REFUSED = "correction_refused"
    UNSURE_READ = "unsure_read"
    NOT_READABLE = "not_readable"
    NO_SESSION = "no_session"
    UNDECIDED_PASSAGE = "undecided_passage"
    OFFLINE = "offline"


class ReviewState(StrEnum):
    """Where a review stands; a claim is not a state, because it ends by itself."""

    OPEN = "open"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


class ReviewActionKind(StrEnum):
    """What a person did."""

    CLAIMED = "claimed"
    CORRECTED = "corrected"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class MisreadReview(Row, table=True):
    """One doubt about one car; its id derives from the car and the kind, so it comes once.

    Attributes:
        presentation_id: The car; None where nothing stood on a loop.
        session_id: The stay that the lane took it for; None where it found none.
        plate_sealed: What was read; None where nothing was.
        detail: Numbers and words only, never a plate.
    """

    __tablename__ = "misread_reviews"
    __table_args__ = (
        Index("ix_misread_reviews_open", "operator_id", "id", postgresql_where="state = 'open'"),
        Index("ix_misread_reviews_presentation", "operator_id", "presentation_id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    place_id: UUID
    lane_id: UUID
    presentation_id: UUID | None = None
    session_id: UUID | None = None
    kind: ReviewKind = Field(sa_type=text_enum(ReviewKind))
    state: ReviewState = Field(sa_type=text_enum(ReviewState))
    plate_sealed: bytes | None = None
    alternatives_sealed: bytes | None = None
    confidence: float | None = None
    detail: dict[str, Any] = Field(sa_type=Json)
    occurred_at: datetime = Field(sa_type=Timestamp)
    opened_at: datetime = Field(sa_type=Timestamp)
    claimed_by: str | None = None
    claimed_until: datetime | None = Field(default=None, sa_type=Timestamp)
    closed_by: str | None = None
    closed_at: datetime | None = Field(default=None, sa_type=Timestamp)


class ReviewAction(Row, table=True):
    """What a named person did about a review; never changed.

    Attributes:
        plate_sealed: The plate that they gave; None where they gave none.
        note_sealed: Why, in their words.
    """

    __tablename__ = "review_actions"
    __table_args__ = (
        Index("ix_review_actions_review", "operator_id", "review_id", "id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    review_id: UUID
    kind: ReviewActionKind = Field(sa_type=text_enum(ReviewActionKind))
    acted_by: str
    acted_at: datetime = Field(sa_type=Timestamp)
    plate_sealed: bytes | None = None
    note_sealed: bytes | None = None
