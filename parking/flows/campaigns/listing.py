"""Campaigns and segments as a member sees them: those of other places are not there."""

from collections.abc import Sequence
from uuid import UUID

from parking.campaigns import repository
from parking.campaigns.models import AudienceSegment, Campaign
from parking.flows.context import ParkingContext
from parking.staff.rules import StaffIdentity


async def campaigns(
    context: ParkingContext, staff: StaffIdentity, *, first: int, before: UUID | None
) -> Sequence[Campaign]:
    """Return campaigns, the newest first."""
    async with context.database.begin() as unit:
        return await repository.page_of_campaigns(
            unit, staff.operator_id, places=staff.places, first=first, before=before
        )


async def campaign(
    context: ParkingContext, staff: StaffIdentity, campaign_id: UUID
) -> Campaign | None:
    """Return one campaign; None for one that the member does not see."""
    async with context.database.begin() as unit:
        found = await repository.find_campaign(unit, staff.operator_id, campaign_id)
    return None if found is None or not staff.sees(found.place_id) else found


async def segments(
    context: ParkingContext, staff: StaffIdentity, *, first: int, before: UUID | None
) -> Sequence[AudienceSegment]:
    """Return segments, the newest first."""
    async with context.database.begin() as unit:
        return await repository.page_of_segments(
            unit, staff.operator_id, places=staff.places, first=first, before=before
        )
