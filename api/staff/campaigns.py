"""Campaigns: written, tried, approved by a second person, run, measured."""

from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from api.acting import Given, outcome_of
from api.config import PAGE_SIZE
from api.global_ids import decode_id, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.staff.campaign_inputs import (
    CampaignInput,
    CampaignPolicyInput,
    CampaignVersionInput,
    ChangeCampaignInput,
    CreateCampaignInput,
    RemoveTestDriverInput,
    SendBackCampaignInput,
    TestDriverInput,
    draft_of,
)
from api.staff.campaign_results import StaffCampaignResults, StaffProgrammeResults
from api.staff.campaign_types import (
    DRIVER_KIND,
    CampaignStored,
    StaffCampaign,
    StaffCampaignPage,
    StaffCampaignPolicy,
    StaffTestDriver,
    campaign_key,
)
from api.types.page import PageInfo, require_page_size
from parking.campaigns.caps import Caps
from parking.campaigns.document import document_schema
from parking.flows.campaigns import life, listing, policy, results, trying

_CURSOR = "CampaignCursor"


@strawberry.type(description="What went to the test drivers.")
class CampaignTestSent:
    """What went to the test drivers."""

    drivers: int


@strawberry.type(description="The test driver as kept.")
class TestDriverStored:
    """The test driver as kept."""

    label: str


@strawberry.type(description="Whether there was such a test driver.")
class TestDriverRemoved:
    """Whether there was such a test driver."""

    is_removed: bool


@strawberry.type(description="The policy as it stands now.")
class CampaignPolicyStored:
    """The policy as it stands now."""

    policy: StaffCampaignPolicy


@keyed(by_staff, at_once=True)
async def create_campaign(
    info: Info, given: Annotated[CreateCampaignInput, Given]
) -> CampaignStored:
    """Keep a new draft."""
    staff = info.context.staff()
    draft = draft_of(given.name, given.place_id, given.document, staff.operator_id)
    return CampaignStored.of(await life.write_draft(info.context.parking, staff, draft))


@keyed(by_staff, at_once=True)
async def change_campaign(
    info: Info, given: Annotated[ChangeCampaignInput, Given]
) -> CampaignStored:
    """Write a draft anew."""
    staff = info.context.staff()
    draft = draft_of(given.name, given.place_id, given.document, staff.operator_id)
    key = campaign_key(given.campaign_id, staff.operator_id)
    changed = await life.change_draft(info.context.parking, staff, key, given.version, draft)
    return CampaignStored.of(changed)


@keyed(by_staff, at_once=True)
async def submit_campaign(
    info: Info, given: Annotated[CampaignVersionInput, Given]
) -> CampaignStored:
    """Ask for a second person's approval."""
    staff = info.context.staff()
    key = campaign_key(given.campaign_id, staff.operator_id)
    return CampaignStored.of(await life.submit(info.context.parking, staff, key, given.version))


@keyed(by_staff, at_once=True)
async def approve_campaign(
    info: Info, given: Annotated[CampaignVersionInput, Given]
) -> CampaignStored:
    """Approve what another person wrote."""
    staff = info.context.staff()
    key = campaign_key(given.campaign_id, staff.operator_id)
    return CampaignStored.of(await life.approve(info.context.parking, staff, key, given.version))


@keyed(by_staff, at_once=True)
async def send_back_campaign(
    info: Info, given: Annotated[SendBackCampaignInput, Given]
) -> CampaignStored:
    """Refuse what was submitted."""
    staff = info.context.staff()
    key = campaign_key(given.campaign_id, staff.operator_id)
    parking = info.context.parking
    return CampaignStored.of(await life.send_back(parking, staff, key, given.version, given.note))


@keyed(by_staff, at_once=True)
async def pause_campaign(info: Info, given: Annotated[CampaignInput, Given]) -> CampaignStored:
    """Hold a campaign where it is."""
    staff = info.context.staff()
    key = campaign_key(given.campaign_id, staff.operator_id)
    return CampaignStored.of(await life.pause(info.context.parking, staff, key))


@keyed(by_staff, at_once=True)
async def resume_campaign(info: Info, given: Annotated[CampaignInput, Given]) -> CampaignStored:
    """Let a campaign go on."""
    staff = info.context.staff()
    key = campaign_key(given.campaign_id, staff.operator_id)
    return CampaignStored.of(await life.resume(info.context.parking, staff, key))


@keyed(by_staff, at_once=True)
async def end_campaign(info: Info, given: Annotated[CampaignInput, Given]) -> CampaignStored:
    """End a campaign for good."""
    staff = info.context.staff()
    key = campaign_key(given.campaign_id, staff.operator_id)
    return CampaignStored.of(await life.end(info.context.parking, staff, key))


@keyed(by_staff, at_once=True)
async def send_campaign_test(
    info: Info, given: Annotated[CampaignInput, Given]
) -> CampaignTestSent:
    """Send a campaign to the test drivers."""
    staff = info.context.staff()
    key = campaign_key(given.campaign_id, staff.operator_id)
    return CampaignTestSent(drivers=await trying.send_test(info.context.parking, staff, key))


@keyed(by_staff, at_once=True)
async def add_test_driver(info: Info, given: Annotated[TestDriverInput, Given]) -> TestDriverStored:
    """Name a test driver."""
    driver_id = _driver(given.driver_id)
    parking, staff = info.context.parking, info.context.staff()
    row = await trying.add_test_driver(parking, staff, driver_id, given.label)
    return TestDriverStored(label=row.label)


@keyed(by_staff, at_once=True)
async def remove_test_driver(
    info: Info, given: Annotated[RemoveTestDriverInput, Given]
) -> TestDriverRemoved:
    """Take a test driver off the list."""
    driver_id = _driver(given.driver_id)
    parking, staff = info.context.parking, info.context.staff()
    return TestDriverRemoved(is_removed=await trying.remove_test_driver(parking, staff, driver_id))


@keyed(by_staff, at_once=True)
async def set_campaign_policy(
    info: Info, given: Annotated[CampaignPolicyInput, Given]
) -> CampaignPolicyStored:
    """Say how often you write to one driver."""
    caps = Caps(given.day_messages_max, given.week_messages_max, given.control_permille)
    row = await policy.set_policy(info.context.parking, info.context.staff(), caps)
    return CampaignPolicyStored(policy=StaffCampaignPolicy.of(row))


def _driver(given: strawberry.ID) -> UUID:
    return decode_id(given, kind=DRIVER_KIND, field="driverId")


@strawberry.type
class CampaignQueries:
    """The reads about campaigns."""

    @strawberry.field(description="Your campaigns, the newest first.")
    async def campaigns(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> StaffCampaignPage:
        """Return a page of campaigns."""
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_CURSOR, field="after")
        rows = await listing.campaigns(
            info.context.parking, info.context.staff(), first=first + 1, before=before
        )
        shown = rows[:first]
        return StaffCampaignPage(
            nodes=[StaffCampaign.of(row) for row in shown],
            page_info=PageInfo.of(
                [encode_id(_CURSOR, row.id) for row in shown],
                has_more=len(rows) > first,
                after=after,
            ),
        )

    @strawberry.field(description="One campaign; null for another operator's, as for none.")
    async def campaign(self, info: Info, campaign_id: strawberry.ID) -> StaffCampaign | None:
        """Return one campaign."""
        staff = info.context.staff()
        key = campaign_key(campaign_id, staff.operator_id)
        row = await listing.campaign(info.context.parking, staff, key)
        return None if row is None else StaffCampaign.of(row)

    @strawberry.field(
        description="What a campaign brought so far; null for another operator's, as for none."
    )
    async def campaign_results(
        self, info: Info, campaign_id: strawberry.ID
    ) -> StaffCampaignResults | None:
        """Return what a campaign brought."""
        staff = info.context.staff()
        key = campaign_key(campaign_id, staff.operator_id)
        if await listing.campaign(info.context.parking, staff, key) is None:
            return None
        found = await results.of_campaign(info.context.parking, staff, key)
        return StaffCampaignResults.of(found)

    @strawberry.field(
        description="What all campaigns together brought: drivers who may be written to against "
        "the control group."
    )
    async def programme_results(self, info: Info) -> StaffProgrammeResults:
        """Return what all campaigns together brought."""
        found = await results.of_all(info.context.parking, info.context.staff())
        return StaffProgrammeResults.of(found)

    @strawberry.field(description="The JSON Schema of campaigns; a segment's filter is in it.")
    def campaign_forms(self) -> JSON:
        """Return the forms."""
        return JSON(document_schema())

    @strawberry.field(description="How often you write to one driver, all campaigns together.")
    async def campaign_policy(self, info: Info) -> StaffCampaignPolicy:
        """Return the policy."""
        found = await policy.find(info.context.parking, info.context.staff().operator_id)
        return StaffCampaignPolicy.of(found)

    @strawberry.field(description="Drivers who see campaigns beforehand.")
    async def test_drivers(self, info: Info) -> list[StaffTestDriver]:
        """Return the test drivers."""
        rows = await trying.list_test_drivers(info.context.parking, info.context.staff())
        return [StaffTestDriver.of(row) for row in rows]


@strawberry.type
class CampaignMutations:
    """The writes about campaigns."""

    create_campaign = strawberry.mutation(
        create_campaign,
        graphql_type=outcome_of(CampaignStored, "CreateCampaignResult"),
        description="Keep a new draft. Errors name the path in the document.",
    )
    change_campaign = strawberry.mutation(
        change_campaign,
        graphql_type=outcome_of(CampaignStored, "ChangeCampaignResult"),
        description="Write a draft anew, or what was submitted: it is a draft then, and you are "
        "one of its authors. Others' newer version refuses it with CAMPAIGN_CHANGED.",
    )
    submit_campaign = strawberry.mutation(
        submit_campaign,
        graphql_type=outcome_of(CampaignStored, "SubmitCampaignResult"),
        description="Ask for a second person's approval.",
    )
    approve_campaign = strawberry.mutation(
        approve_campaign,
        graphql_type=outcome_of(CampaignStored, "ApproveCampaignResult"),
        description="Approve what others wrote; it runs from now on. CAMPAIGN_IS_YOURS where you "
        "had a hand in it, CAMPAIGN_AUDIENCE_TOO_SMALL where its filter means fewer than ten.",
    )
    send_back_campaign = strawberry.mutation(
        send_back_campaign,
        graphql_type=outcome_of(CampaignStored, "SendBackCampaignResult"),
        description="Refuse what was submitted, and say why; it is a draft again.",
    )
    pause_campaign = strawberry.mutation(
        pause_campaign,
        graphql_type=outcome_of(CampaignStored, "PauseCampaignResult"),
        description="Hold a running campaign where it is: nothing is queued or sent.",
    )
    resume_campaign = strawberry.mutation(
        resume_campaign,
        graphql_type=outcome_of(CampaignStored, "ResumeCampaignResult"),
        description="Let a paused campaign go on from where it stood.",
    )
    end_campaign = strawberry.mutation(
        end_campaign,
        graphql_type=outcome_of(CampaignStored, "EndCampaignResult"),
        description="End a campaign for good: what is queued is not sent. A draft is discarded.",
    )
    send_campaign_test = strawberry.mutation(
        send_campaign_test,
        graphql_type=outcome_of(CampaignTestSent, "SendCampaignTestResult"),
        description="Send a campaign as it stands to the test drivers. It counts in no cap, budget "
        "or result, and gives away nothing that is attached; at most 20 tests in 24 hours.",
    )
    add_test_driver = strawberry.mutation(
        add_test_driver,
        graphql_type=outcome_of(TestDriverStored, "AddTestDriverResult"),
        description="Name a driver who is shown campaigns beforehand. The driver tells you the id, "
        "and agreed to offers.",
    )
    remove_test_driver = strawberry.mutation(
        remove_test_driver,
        graphql_type=outcome_of(TestDriverRemoved, "RemoveTestDriverResult"),
        description="Take a test driver off the list.",
    )
    set_campaign_policy = strawberry.mutation(
        set_campaign_policy,
        graphql_type=outcome_of(CampaignPolicyStored, "SetCampaignPolicyResult"),
        description="Say how often you write to one driver, all campaigns together, and how many "
        "drivers no campaign writes to. The house's caps over all operators stay above it.",
    )
