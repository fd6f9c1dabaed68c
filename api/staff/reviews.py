"""The reviews of what lanes were not sure of: their list, their pictures, and what staff decide."""

from typing import Annotated, Literal
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of, refusable
from api.config import PAGE_SIZE
from api.global_ids import LANE_KIND, decode_id, decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.staff.review_types import (
    REVIEW_KIND,
    ClaimReviewInput,
    ConfirmReviewInput,
    CorrectReviewedPlateInput,
    DismissReviewInput,
    ReviewClaimed,
    ReviewClosed,
    StaffReview,
    StaffReviewFile,
    StaffReviewPage,
)
from api.types.page import PageInfo, require_page_size
from parking.flows.reviews import review_decision, review_view
from parking.flows.reviews.review_decision import Verdict
from parking.kit.errors import InvalidInputError
from parking.reviews.models import ReviewActionKind
from parking.reviews.repository import ReviewFilter

_CURSOR = "MisreadReviewCursor"


def _review_id(given: strawberry.ID) -> UUID:
    return decode_id(given, kind=REVIEW_KIND, field="reviewId")


@refusable
async def claim_review(info: Info, given: Annotated[ClaimReviewInput, Given]) -> ReviewClaimed:
    """Take a review for a while."""
    staff = info.context.staff()
    review = await review_decision.claim(
        info.context.parking,
        staff.operator_id,
        _review_id(given.review_id),
        by=staff.recorded_name,
    )
    if review.claimed_until is None:
        raise InvalidInputError("reviewId", "one that can be claimed")
    return ReviewClaimed(
        review_id=encode_id(REVIEW_KIND, review.id), claimed_until=review.claimed_until
    )


@keyed(by_staff)
async def correct_reviewed_plate(
    info: Info, given: Annotated[CorrectReviewedPlateInput, Given]
) -> ReviewClosed:
    """Say which plate the car had."""
    staff = info.context.staff()
    verdict = await review_decision.correct_plate(
        info.context.parking,
        staff.operator_id,
        _review_id(given.review_id),
        plate=given.plate,
        by=staff.recorded_name,
        reason=given.reason,
        waive=given.waive,
    )
    return ReviewClosed.of(verdict)


@keyed(by_staff, at_once=True)
async def confirm_review(info: Info, given: Annotated[ConfirmReviewInput, Given]) -> ReviewClosed:
    """Say that the lane was right."""
    return await _close(info, given.review_id, ReviewActionKind.CONFIRMED, given.note)


@keyed(by_staff, at_once=True)
async def dismiss_review(info: Info, given: Annotated[DismissReviewInput, Given]) -> ReviewClosed:
    """Say that nothing can be told."""
    return await _close(info, given.review_id, ReviewActionKind.DISMISSED, given.reason)


async def _close(
    info: Info,
    review_id: strawberry.ID,
    kind: Literal[ReviewActionKind.CONFIRMED, ReviewActionKind.DISMISSED],
    note: str | None,
) -> ReviewClosed:
    staff = info.context.staff()
    review = await review_decision.close(
        info.context.parking,
        staff.operator_id,
        _review_id(review_id),
        kind,
        by=staff.recorded_name,
        note=note,
    )
    return ReviewClosed.of(Verdict(review))


@strawberry.type
class ReviewQueries:
    """The reads about reviews."""

    @strawberry.field(description="Open reviews of your lanes, oldest first.")
    async def reviews(
        self,
        info: Info,
        place_id: strawberry.ID | None = None,
        lane_id: strawberry.ID | None = None,
        first: int = PAGE_SIZE,
        after: str | None = None,
    ) -> StaffReviewPage:
        """Return a page of open reviews."""
        staff = info.context.staff()
        require_page_size(first)
        wanted = ReviewFilter(
            place_id=_of_operator(place_id, "Place", "placeId"),
            lane_id=_of_operator(lane_id, LANE_KIND, "laneId"),
            places=staff.places,
        )
        views = await review_view.list_open(
            info.context.parking,
            staff.operator_id,
            wanted,
            first=first + 1,
            after=None if after is None else decode_id(after, kind=_CURSOR, field="after"),
        )
        shown = views[:first]
        return StaffReviewPage(
            nodes=[StaffReview.of(view) for view in shown],
            page_info=PageInfo.of(
                [encode_id(_CURSOR, view.row.id) for view in shown],
                has_more=len(views) > first,
                after=after,
            ),
        )

    @strawberry.field(
        description="One review with its pictures and the stays that it may belong to; null for "
        "another operator's, as for none."
    )
    async def review(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - GraphQL's name
    ) -> StaffReviewFile | None:
        """Return one review."""
        staff = info.context.staff()
        parking = info.context.parking
        review_id = decode_id(id, kind=REVIEW_KIND, field="id")
        case = await review_view.find_case(parking, staff.operator_id, review_id)
        return None if case is None else StaffReviewFile.of(case, parking.public_url)


def _of_operator(given: strawberry.ID | None, kind: str, field: str) -> UUID | None:
    # Whose it says it is does not matter: only the asking operator's reviews are looked at.
    return None if given is None else decode_keys(given, kind=kind, count=2, field=field)[1]


@strawberry.type
class ReviewMutations:
    """The writes about reviews."""

    claim_review = strawberry.mutation(
        claim_review,
        graphql_type=outcome_of(ReviewClaimed, "ClaimReviewResult"),
        description="Take a review for ten minutes, so that nobody else decides it meanwhile; "
        "again takes it for ten more. Others are refused with REVIEW_CLAIMED.",
    )
    correct_reviewed_plate = strawberry.mutation(
        correct_reviewed_plate,
        graphql_type=outcome_of(ReviewClosed, "CorrectReviewedPlateResult"),
        description="Say which plate the car had. A stay that nothing followed from yet gets it; a "
        "car that waits at an exit is decided on anew. A stay with a bill is only waived, if you "
        "say so: else REVIEW_CORRECTION_REFUSED. Nobody is charged by this.",
    )
    confirm_review = strawberry.mutation(
        confirm_review,
        graphql_type=outcome_of(ReviewClosed, "ConfirmReviewResult"),
        description="Say that the lane was right.",
    )
    dismiss_review = strawberry.mutation(
        dismiss_review,
        graphql_type=outcome_of(ReviewClosed, "DismissReviewResult"),
        description="Say that nothing can be told, and why.",
    )
