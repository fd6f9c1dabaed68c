"""What staff give and get about reviews of what a lane was not sure of."""

from datetime import datetime

import strawberry

from api.global_ids import LANE_KIND, encode_id
from api.staff.pictures import picture_url
from api.types.page import PageInfo
from parking.flows.reviews.review_decision import Verdict
from parking.flows.reviews.review_view import ReviewCase, ReviewView, StayCandidate
from parking.lanes.repository import FrameFacts
from parking.reviews import models
from parking.reviews.service import NOTE_LENGTH_MAX

REVIEW_KIND = "MisreadReview"

strawberry.enum(
    models.ReviewKind,
    name="MisreadReviewKind",
    description="CORRECTED: a camera corrected the plate of a stay by itself. CORRECTION_REFUSED: "
    "it would have, `whyNot` says why it did not. UNSURE_READ: decided on the best guess. "
    "NOT_READABLE: no reader could tell the plate. NO_SESSION: at an exit without a stay. "
    "UNDECIDED_PASSAGE: a car went through without a decision. OFFLINE: decided without network, "
    "and it does not fit what is known now.",
)
strawberry.enum(models.ReviewState, name="MisreadReviewState")
strawberry.enum(models.ReviewActionKind, name="MisreadReviewActionKind")


@strawberry.type(description="A doubt about one car, in a list.")
class StaffReview:
    """A review in a list."""

    id: strawberry.ID
    kind: models.ReviewKind
    state: models.ReviewState
    plate: str | None = strawberry.field(description="As it was read; null where nothing was.")
    confidence: float | None
    why_not: str | None = strawberry.field(
        description="Why a correction was not made: `exit`, `not_let_in`, `not_surer`, `passed`, "
        "`not_inside`, `billed`, `inside_already`, `continues_earlier_stay`, "
        "`ended_earlier_stay`. More may come."
    )
    place_id: strawberry.ID
    place_name: str
    lane_id: strawberry.ID
    lane_name: str
    occurred_at: datetime
    is_claimed: bool = strawberry.field(description="Whether somebody is at it now.")
    claimed_by: str | None
    claimed_until: datetime | None
    closed_by: str | None
    closed_at: datetime | None

    @classmethod
    def of(cls, view: ReviewView) -> "StaffReview":
        """Return the review for the staff of its operator."""
        row = view.row
        return cls(
            id=encode_id(REVIEW_KIND, row.id),
            kind=models.ReviewKind(row.kind),
            state=models.ReviewState(row.state),
            plate=view.plate,
            confidence=row.confidence,
            why_not=row.detail.get("why_not"),
            place_id=encode_id("Place", row.operator_id, row.place_id),
            place_name=view.place_name,
            lane_id=encode_id(LANE_KIND, row.operator_id, row.lane_id),
            lane_name=view.lane_name,
            occurred_at=row.occurred_at,
            is_claimed=view.is_claimed,
            claimed_by=row.claimed_by if view.is_claimed else None,
            claimed_until=row.claimed_until if view.is_claimed else None,
            closed_by=row.closed_by,
            closed_at=row.closed_at,
        )


@strawberry.type(description="A page of open reviews, oldest first.")
class StaffReviewPage:
    """A page of reviews."""

    nodes: list[StaffReview]
    page_info: PageInfo


@strawberry.type(description="Another text that the reader offered.")
class ReviewAlternative:
    """Another text."""

    text: str
    probability: float


@strawberry.type(description="A stay that the car may belong to.")
class ReviewCandidate:
    """An open stay of the place."""

    session_id: strawberry.ID
    plate: str
    distance: float = strawberry.field(
        description="0 is the plate that was read, 1 is one clear difference."
    )
    entered_at: datetime

    @classmethod
    def of(cls, one: StayCandidate) -> "ReviewCandidate":
        """Return the candidate."""
        return cls(
            session_id=encode_id("Session", one.session.id),
            plate=one.plate,
            distance=round(one.distance, 2),
            entered_at=one.session.entered_at,
        )


@strawberry.type(description="A picture of the car; fetch it with your token as Bearer.")
class ReviewPicture:
    """A picture of the car."""

    url: str
    captured_at: datetime
    size_bytes: int

    @classmethod
    def of(cls, one: FrameFacts, public_url: str) -> "ReviewPicture":
        """Return where the picture is."""
        return cls(
            url=picture_url(public_url, one.id),
            captured_at=one.captured_at,
            size_bytes=one.size_bytes,
        )


@strawberry.type(description="What somebody did about a review.")
class ReviewActionTaken:
    """What somebody did."""

    kind: models.ReviewActionKind
    by: str
    at: datetime


@strawberry.type(description="One review with all that it is decided by.")
class StaffReviewFile:
    """One review with all that it is decided by."""

    review: StaffReview
    alternatives: list[ReviewAlternative]
    session_id: strawberry.ID | None = strawberry.field(
        description="The stay that the lane took the car for."
    )
    session_plate: str | None
    candidates: list[ReviewCandidate] = strawberry.field(
        description="Open stays of the place, the one nearest to the read first; at most 5."
    )
    pictures: list[ReviewPicture] = strawberry.field(description="Newest first; at most 6.")
    actions: list[ReviewActionTaken]

    @classmethod
    def of(cls, case: ReviewCase, public_url: str) -> "StaffReviewFile":
        """Return the case for the staff of its operator."""
        session = case.session
        return cls(
            review=StaffReview.of(case.view),
            alternatives=[
                ReviewAlternative(text=text, probability=p) for text, p in case.alternatives
            ],
            session_id=None if session is None else encode_id("Session", session.id),
            session_plate=case.session_plate,
            candidates=[ReviewCandidate.of(one) for one in case.candidates],
            pictures=[ReviewPicture.of(one, public_url) for one in case.pictures],
            actions=[
                ReviewActionTaken(
                    kind=models.ReviewActionKind(one.kind), by=one.acted_by, at=one.acted_at
                )
                for one in case.actions
            ],
        )


@strawberry.type(description="The review is yours for ten minutes.")
class ReviewClaimed:
    """The review is claimed."""

    review_id: strawberry.ID
    claimed_until: datetime


@strawberry.type(description="The review is closed.")
class ReviewClosed:
    """The review is closed."""

    review_id: strawberry.ID
    state: models.ReviewState
    lane_action: str | None = strawberry.field(
        description="What the exit does now for the car that waits there: `open`, `pay`, `wait` or "
        "`refuse`; null where no car waits."
    )

    @classmethod
    def of(cls, verdict: Verdict) -> "ReviewClosed":
        """Return what came of it."""
        return cls(
            review_id=encode_id(REVIEW_KIND, verdict.review.id),
            state=models.ReviewState(verdict.review.state),
            lane_action=verdict.lane_action,
        )


@strawberry.input
class ClaimReviewInput:
    """Which review."""

    review_id: strawberry.ID


@strawberry.input
class CorrectReviewedPlateInput:
    """Which plate the car had."""

    review_id: strawberry.ID
    plate: str
    reason: str = strawberry.field(description=f"At most {NOTE_LENGTH_MAX} characters; kept.")
    waive: bool = strawberry.field(
        default=False,
        description="The stay that the lane took the car for costs nothing, and what was paid for "
        "it goes back: its own car was not there.",
    )


@strawberry.input
class ConfirmReviewInput:
    """The lane was right."""

    review_id: strawberry.ID
    note: str | None = None


@strawberry.input
class DismissReviewInput:
    """Nothing can be told."""

    review_id: strawberry.ID
    reason: str = strawberry.field(description=f"At most {NOTE_LENGTH_MAX} characters; kept.")
