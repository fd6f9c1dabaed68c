"""Campaigns, segments and results, as those who market see them: counts, and never a driver."""

from datetime import datetime
from typing import Final
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from api.global_ids import decode_keys, encode_id
from api.types.money import MinorUnits, MoneySum
from api.types.page import PageInfo
from parking.campaigns.content import previews
from parking.campaigns.document import read_document
from parking.campaigns.models import (
    AudienceSegment,
    Campaign,
    CampaignPolicy,
    CampaignState,
    CampaignTestDriver,
)
from parking.flows.campaigns.counting import COUNTED_STEP
from parking.flows.campaigns.segments import Preview

CAMPAIGN_KIND: Final = "Campaign"
SEGMENT_KIND: Final = "Segment"
DRIVER_KIND: Final = "Viewer"
PLACE_KIND: Final = "Place"

strawberry.enum(
    CampaignState,
    name="CampaignState",
    description="DRAFT: being written. SUBMITTED: waits for a second person. RUNNING: approved. "
    "PAUSED: nothing is queued or sent. ENDED: for good. DISCARDED: never ran. "
    "More values may come.",
)


def _place(operator_id: UUID, place_id: UUID | None) -> strawberry.ID | None:
    return None if place_id is None else encode_id(PLACE_KIND, operator_id, place_id)


@strawberry.type(description="What drivers read, with sample values filled in.")
class CampaignText:
    """A message in one language."""

    language: str
    title: str
    body: str


@strawberry.type(description="A campaign.")
class StaffCampaign:
    """A campaign."""

    id: strawberry.ID
    name: str
    place_id: strawberry.ID | None = strawberry.field(
        description="Only drivers of this place, and seen by its staff; null for all places."
    )
    state: CampaignState
    version: int = strawberry.field(description="Give it with every change.")
    document: JSON = strawberry.field(
        description="Everything that is approved; its form is `campaignForms`."
    )
    previews: list[CampaignText]
    authors: list[str] = strawberry.field(
        description="Everybody who had a hand in it; none of them may approve it."
    )
    submitted_by: str | None
    approved_by: str | None
    refusal_note: str | None = strawberry.field(description="Why it was sent back.")
    next_run_at: datetime | None
    queued_messages: int = strawberry.field(description="Of the budget, in tens.")
    committed: MoneySum = strawberry.field(description="What these cost at most.")
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, row: Campaign) -> "StaffCampaign":
        """Return the campaign."""
        document = read_document(row.document)
        queued = in_tens(row.queued_messages)
        return cls(
            id=encode_id(CAMPAIGN_KIND, row.operator_id, row.id),
            name=row.name,
            place_id=_place(row.operator_id, row.place_id),
            state=CampaignState(row.state),
            version=row.version,
            document=JSON(row.document),
            previews=[
                CampaignText(language=one.language, title=one.title, body=one.body)
                for one in previews(document.content)
            ],
            authors=[_person(name) for name in row.authors],
            submitted_by=_maybe_person(row.submitted_by),
            approved_by=_maybe_person(row.approved_by),
            refusal_note=row.refusal_note,
            next_run_at=row.next_run_at,
            queued_messages=queued,
            committed=MoneySum(
                amount_minor=MinorUnits(queued * document.budget.message_minor),
                currency=document.budget.currency,
            ),
            created_at=row.created_at,
            ended_at=row.ended_at,
        )


@strawberry.type(description="A page of campaigns, the newest first.")
class StaffCampaignPage:
    """A page of campaigns."""

    nodes: list[StaffCampaign]
    page_info: PageInfo


@strawberry.type(description="A filter with a name.")
class StaffSegment:
    """A filter with a name."""

    id: strawberry.ID
    name: str
    place_id: strawberry.ID | None
    filter: JSON
    saved_by: str
    saved_at: datetime

    @classmethod
    def of(cls, row: AudienceSegment) -> "StaffSegment":
        """Return the segment."""
        return cls(
            id=encode_id(SEGMENT_KIND, row.operator_id, row.id),
            name=row.name,
            place_id=_place(row.operator_id, row.place_id),
            filter=JSON(row.filter),
            saved_by=_person(row.saved_by),
            saved_at=row.saved_at,
        )


@strawberry.type(description="A page of segments, the newest first.")
class StaffSegmentPage:
    """A page of segments."""

    nodes: list[StaffSegment]
    page_info: PageInfo


@strawberry.type(description="One clause of a filter by itself.")
class SegmentClause:
    """One clause."""

    kind: str
    drivers: int | None = strawberry.field(description="About, in tens; null for few.")


@strawberry.type(
    description="How many drivers a filter means now, about, in tens: the same drivers always "
    "have the same count, and one driver more or less is not told."
)
class SegmentPreview:
    """How many drivers a filter means."""

    audience: int | None = strawberry.field(
        description="All who agreed to offers and came once; null for few."
    )
    drivers: int | None = strawberry.field(
        description="Those whom the filter means; null for few: fewer than ten, and by chance "
        "up to 18."
    )
    clauses: list[SegmentClause] = strawberry.field(description="In the filter's order.")

    @classmethod
    def of(cls, found: Preview) -> "SegmentPreview":
        """Return the counts."""
        return cls(
            audience=found.audience,
            drivers=found.drivers,
            clauses=[SegmentClause(kind=one.kind, drivers=one.drivers) for one in found.clauses],
        )


@strawberry.type(description="A driver who is shown campaigns before anybody else.")
class StaffTestDriver:
    """A test driver."""

    driver_id: strawberry.ID
    label: str
    added_by: str

    @classmethod
    def of(cls, row: CampaignTestDriver) -> "StaffTestDriver":
        """Return the test driver."""
        return cls(
            driver_id=encode_id(DRIVER_KIND, row.driver_id),
            label=row.label,
            added_by=_person(row.added_by),
        )


@strawberry.type(description="How often you write to one driver, all campaigns together.")
class StaffCampaignPolicy:
    """What an operator allows itself."""

    day_messages_max: int = strawberry.field(description="On one of the driver's own days.")
    week_messages_max: int = strawberry.field(description="From Monday to Sunday of them.")
    control_permille: int = strawberry.field(
        description="How many of a thousand drivers no campaign writes to."
    )

    @classmethod
    def of(cls, row: CampaignPolicy) -> "StaffCampaignPolicy":
        """Return the policy."""
        return cls(
            day_messages_max=row.day_messages_max,
            week_messages_max=row.week_messages_max,
            control_permille=row.control_permille,
        )


def in_tens(count: int) -> int:
    """Return a count as far as it is told: one that moves by one tells what somebody just did."""
    return count - count % COUNTED_STEP


def _person(recorded: str) -> str:
    # Kept with the operator's id, which is the reader's own.
    return recorded.partition(":")[2] or recorded


def _maybe_person(recorded: str | None) -> str | None:
    return None if recorded is None else _person(recorded)


@strawberry.type(description="How the campaign stands now.")
class CampaignStored:
    """How a campaign stands."""

    campaign_id: strawberry.ID
    state: CampaignState
    version: int

    @classmethod
    def of(cls, row: Campaign) -> "CampaignStored":
        """Return how it stands."""
        return cls(
            campaign_id=encode_id(CAMPAIGN_KIND, row.operator_id, row.id),
            state=CampaignState(row.state),
            version=row.version,
        )


def campaign_key(row_id: strawberry.ID, operator_id: UUID) -> UUID:
    """Return a campaign's own key; another operator's answers as one that does not exist."""
    return own_key(row_id, CAMPAIGN_KIND, "campaignId", operator_id)


def own_key(given: strawberry.ID, kind: str, field: str, operator_id: UUID) -> UUID:
    """Return the own key in an id of the operator's; of another's, one of nothing."""
    owner, key = decode_keys(given, kind=kind, count=2, field=field)
    return key if owner == operator_id else owner
