"""Segments: filters with names, how many drivers they mean, and files of them and of campaigns."""

from enum import StrEnum
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

from api.acting import Given, outcome_of
from api.config import PAGE_SIZE
from api.global_ids import decode_id, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.staff.campaign_inputs import SaveSegmentInput, place_of, plain_document
from api.staff.campaign_types import (
    CAMPAIGN_KIND,
    SEGMENT_KIND,
    SegmentPreview,
    StaffSegment,
    StaffSegmentPage,
    own_key,
)
from api.types.page import PageInfo, require_page_size
from parking.flows.campaigns import exchange, listing, segments

_CURSOR = "SegmentCursor"


@strawberry.enum(description="What a file of marketing holds.")
class MarketingFileKind(StrEnum):
    """What a file holds."""

    CAMPAIGNS = "campaigns"
    SEGMENTS = "segments"


@strawberry.enum(description="How a file of marketing is written.")
class MarketingFileFormat(StrEnum):
    """How a file is written."""

    JSON = "json"
    CSV = "csv"


@strawberry.input
class ReadMarketingFileInput:
    """A file that `marketingFile` wrote, or one of its form."""

    kind: MarketingFileKind
    format: MarketingFileFormat
    data: str


@strawberry.type(description="The segment that is kept.")
class SegmentStored:
    """The segment that is kept."""

    segment_id: strawberry.ID


@strawberry.type(description="What was kept: campaigns as drafts of yours.")
class MarketingFileRead:
    """What was kept."""

    ids: list[strawberry.ID]


@keyed(by_staff, at_once=True)
async def save_segment(info: Info, given: Annotated[SaveSegmentInput, Given]) -> SegmentStored:
    """Keep a filter under a name."""
    staff = info.context.staff()
    operator_id = staff.operator_id
    row = await segments.save(
        info.context.parking,
        staff,
        plain_document(given.filter, operator_id),
        name=given.name,
        place_id=place_of(given.place_id, operator_id),
        segment_id=None
        if given.segment_id is None
        else own_key(given.segment_id, SEGMENT_KIND, "segmentId", operator_id),
    )
    return SegmentStored(segment_id=encode_id(SEGMENT_KIND, operator_id, row.id))


@keyed(by_staff)
async def read_marketing_file(
    info: Info, given: Annotated[ReadMarketingFileInput, Given]
) -> MarketingFileRead:
    """Keep what a file holds."""
    staff = info.context.staff()
    keys = await exchange.read_in(
        info.context.parking, staff, given.kind.value, given.format.value, given.data
    )
    is_campaigns = given.kind is MarketingFileKind.CAMPAIGNS
    kind = CAMPAIGN_KIND if is_campaigns else SEGMENT_KIND
    return MarketingFileRead(ids=[encode_id(kind, staff.operator_id, key) for key in keys])


@strawberry.type
class SegmentQueries:
    """The reads about segments."""

    @strawberry.field(description="Your segments, the newest first.")
    async def segments(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> StaffSegmentPage:
        """Return a page of segments."""
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_CURSOR, field="after")
        rows = await listing.segments(
            info.context.parking, info.context.staff(), first=first + 1, before=before
        )
        shown = rows[:first]
        return StaffSegmentPage(
            nodes=[StaffSegment.of(row) for row in shown],
            page_info=PageInfo.of(
                [encode_id(_CURSOR, row.id) for row in shown],
                has_more=len(rows) > first,
                after=after,
            ),
        )

    @strawberry.field(
        description="How many drivers a filter means now, in tens; never which. Errors name the "
        "path in the filter."
    )
    async def preview_segment(
        self,
        info: Info,
        filter: JSON,  # noqa: A002 - GraphQL's name
        place_id: strawberry.ID | None = None,
    ) -> SegmentPreview:
        """Return how many drivers a filter means."""
        staff = info.context.staff()
        found = await segments.preview(
            info.context.parking,
            staff,
            plain_document(filter, staff.operator_id),
            place_id=place_of(place_id, staff.operator_id),
        )
        return SegmentPreview.of(found)

    @strawberry.field(description="Your newest campaigns or segments as a file, at most 500.")
    async def marketing_file(
        self,
        info: Info,
        kind: MarketingFileKind,
        format: MarketingFileFormat,  # noqa: A002 - GraphQL's name
    ) -> str:
        """Return a file."""
        staff = info.context.staff()
        return await exchange.export(info.context.parking, staff, kind.value, format.value)


@strawberry.type
class SegmentMutations:
    """The writes about segments."""

    save_segment = strawberry.mutation(
        save_segment,
        graphql_type=outcome_of(SegmentStored, "SaveSegmentResult"),
        description="Keep a filter under a name, or write a kept one anew. Campaigns hold filters "
        "of their own and do not change with it.",
    )
    read_marketing_file = strawberry.mutation(
        read_marketing_file,
        graphql_type=outcome_of(MarketingFileRead, "ReadMarketingFileResult"),
        description="Keep what a file holds: campaigns as drafts of yours. All of it or "
        "nothing: errors name row and path, as in `data.3.document.trigger.at`.",
    )
