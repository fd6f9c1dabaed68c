"""What staff see of disputes, and what they decide."""

from typing import Annotated

import strawberry

from api.acting import Given, outcome_of, refusable
from api.config import PAGE_SIZE
from api.global_ids import decode_id, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.staff.dispute_case import DisputeCase
from api.staff.dispute_types import (
    DisputeFile,
    DisputePage,
    DisputePreview,
    DisputeResolved,
    DisputeReviewed,
    DisputeSummary,
    PreviewDisputeInput,
    ResolveDisputeInput,
    ReviewDisputeInput,
    remedy_of,
)
from api.types.dispute import DISPUTE_KIND
from api.types.money import Money
from api.types.page import PageInfo, require_page_size
from parking.disputes import models
from parking.flows.disputes import dispute_decision, dispute_preview, dispute_view

_CURSOR = "DisputeCursor"


@keyed(by_staff)
async def resolve_dispute(
    info: Info, given: Annotated[ResolveDisputeInput, Given]
) -> DisputeResolved:
    """Decide a dispute."""
    staff = info.context.staff()
    dispute = await dispute_decision.resolve(
        info.context.parking,
        staff.operator_id,
        decode_id(given.dispute_id, kind=DISPUTE_KIND, field="disputeId"),
        kind=given.decision.value,
        remedy=remedy_of(given),
        words=given.words,
        staff_name=staff.recorded_name,
    )
    view = await dispute_view.view_of(info.context.parking, dispute)
    return DisputeResolved(dispute=DisputeSummary.of(view))


@refusable
async def preview_dispute(
    info: Info, given: Annotated[PreviewDisputeInput, Given]
) -> DisputePreview:
    """Say what a decision would cost."""
    staff = info.context.staff()
    preview = await dispute_preview.preview(
        info.context.parking,
        staff.operator_id,
        decode_id(given.dispute_id, kind=DISPUTE_KIND, field="disputeId"),
        kind=given.decision.value,
        remedy=remedy_of(given),
    )
    return DisputePreview(
        before=Money.of(preview.before),
        after=Money.of(preview.after),
        refund=Money.of(preview.refund),
    )


@refusable
async def review_dispute(
    info: Info, given: Annotated[ReviewDisputeInput, Given]
) -> DisputeReviewed:
    """Record that a person has looked."""
    staff = info.context.staff()
    dispute_id = decode_id(given.dispute_id, kind=DISPUTE_KIND, field="disputeId")
    view = await dispute_view.review(
        info.context.parking, staff.operator_id, dispute_id, staff_name=staff.recorded_name
    )
    return DisputeReviewed(dispute=DisputeSummary.of(view))


@strawberry.type
class DisputeQueries:
    """The reads about disputes."""

    @strawberry.field(
        description="Disputes of your operator's bills, newest first. `reviewDue: true` gives the "
        "misreads that the system found and nobody has looked at."
    )
    async def disputes(
        self,
        info: Info,
        state: models.DisputeState | None = None,
        review_due: bool | None = None,  # noqa: FBT001 - GraphQL passes it by name
        first: int = PAGE_SIZE,
        after: str | None = None,
    ) -> DisputePage:
        """Return a page of disputes."""
        staff = info.context.staff()
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_CURSOR, field="after")
        views = await dispute_view.page_of_operator(
            info.context.parking,
            staff.operator_id,
            state=state,
            is_review_due=review_due,
            first=first + 1,
            before=before,
            places=staff.places,
        )
        shown = views[:first]
        return DisputePage(
            nodes=[DisputeSummary.of(view) for view in shown],
            page_info=PageInfo.of(
                [encode_id(_CURSOR, view.row.id) for view in shown],
                has_more=len(views) > first,
                after=after,
            ),
        )

    @strawberry.field(
        description="One dispute with its bill, evidence, pictures and recomputation; null for "
        "another operator's, as for none."
    )
    async def dispute(
        self,
        info: Info,
        id: strawberry.ID,  # noqa: A002 - GraphQL's name
    ) -> DisputeFile | None:
        """Return one dispute."""
        staff = info.context.staff()
        dispute_id = decode_id(id, kind=DISPUTE_KIND, field="id")
        parking = info.context.parking
        case = await dispute_view.find_case(parking, staff.operator_id, dispute_id)
        if case is None:
            return None
        return DisputeFile(
            summary=DisputeSummary.of(case.view), case=DisputeCase.of(case, parking.public_url)
        )


@strawberry.type
class DisputeMutations:
    """The writes about disputes."""

    preview_dispute = strawberry.mutation(
        preview_dispute,
        graphql_type=outcome_of(DisputePreview, "PreviewDisputeResult"),
        description="What a decision would cost; nothing is done, and nobody is told.",
    )
    resolve_dispute = strawberry.mutation(
        resolve_dispute,
        graphql_type=outcome_of(DisputeResolved, "ResolveDisputeResult"),
        description="Decide a dispute: the stay is priced again, the difference goes back to how "
        "it was paid, and the driver is told in your words. Your name is kept. Of two people at "
        "once one decides; the other is refused with DISPUTE_DECIDED. Repeating your own decision "
        "changes nothing.",
    )
    review_dispute = strawberry.mutation(
        review_dispute,
        graphql_type=outcome_of(DisputeReviewed, "ReviewDisputeResult"),
        description="Say that you have looked at a misread that the system found. Repeating it "
        "changes nothing; the first name stays.",
    )
