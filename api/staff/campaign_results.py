"""What campaigns brought, as those who market see it."""

from datetime import datetime
from typing import Final

import strawberry

from api.global_ids import encode_id
from api.staff.campaign_types import in_tens
from parking.campaigns.models import CampaignRun, RunState
from parking.campaigns.statistics import Finding, Uplift
from parking.flows.campaigns.results import ArmResult, CampaignResults, ProgrammeResults

RUN_KIND: Final = "CampaignRun"

strawberry.enum(
    RunState,
    name="CampaignRunState",
    description="QUEUEING: looks for its drivers. QUEUED: has seen all of them. ENDED: with its "
    "campaign. More values may come.",
)
strawberry.enum(
    Finding,
    name="CampaignFinding",
    description="MORE, LESS: the campaign changed the outcome, by the interval. INCONCLUSIVE: zero "
    "is in the interval, so that nothing can be said. More values may come.",
)


@strawberry.type(description="One time that a campaign looked for its drivers; counts in tens.")
class StaffCampaignRun:
    """A run."""

    id: strawberry.ID
    occurrence: str
    state: RunState
    started_at: datetime
    looked_at: int = strawberry.field(description="Drivers so far, of the whole audience.")
    assigned: int
    held_out: int
    control: int
    queued: int
    capped: int
    unaffordable: int

    @classmethod
    def of(cls, row: CampaignRun) -> "StaffCampaignRun":
        """Return the run."""
        return cls(
            id=encode_id(RUN_KIND, row.operator_id, row.id),
            occurrence=row.occurrence,
            state=RunState(row.state),
            started_at=row.started_at,
            looked_at=in_tens(row.looked_at),
            assigned=in_tens(row.assigned),
            held_out=in_tens(row.held_out),
            control=in_tens(row.control),
            queued=in_tens(row.queued),
            capped=in_tens(row.capped),
            unaffordable=in_tens(row.unaffordable),
        )


@strawberry.type(description="Those who were assigned, or those who were held out.")
class CampaignArm:
    """One arm."""

    drivers: int = strawberry.field(description="In tens.")
    hits: int | None = strawberry.field(
        description="Who did what is measured; null where the arm has fewer than ten drivers."
    )

    @classmethod
    def of(cls, arm: ArmResult) -> "CampaignArm":
        """Return the arm."""
        return cls(drivers=in_tens(arm.drivers), hits=None if arm.share is None else arm.share.hits)


@strawberry.type(description="By how much the campaign changed the outcome, in shares from 0 to 1.")
class CampaignEffect:
    """What a campaign changed."""

    difference: float = strawberry.field(description="Of those assigned less of those held out.")
    low: float = strawberry.field(description="Where the 95 % interval begins.")
    high: float = strawberry.field(description="Where it ends.")
    finding: Finding

    @classmethod
    def of(cls, effect: Uplift | None) -> "CampaignEffect | None":
        """Return the effect; None where nothing can be told."""
        if effect is None:
            return None
        return cls(
            difference=effect.difference,
            low=effect.low,
            high=effect.high,
            finding=effect.finding,
        )


@strawberry.type(description="How often a state occurs.")
class CampaignStateCount:
    """How often a state occurs."""

    state: str
    drivers: int


@strawberry.type(description="What a campaign brought: by everybody assigned, told or not.")
class StaffCampaignResults:
    """What a campaign brought."""

    outcome: str
    within_days: int
    assigned: CampaignArm
    held_out: CampaignArm
    effect: CampaignEffect | None = strawberry.field(
        description="Null where an arm has fewer than ten drivers."
    )
    drivers_needed: int | None = strawberry.field(
        description="How many drivers in all would tell one more in a hundred, four times of five."
    )
    messages: list[CampaignStateCount] = strawberry.field(
        description="What became of those who were assigned, in tens; fewer are left out."
    )
    runs: list[StaffCampaignRun] = strawberry.field(description="The newest first.")

    @classmethod
    def of(cls, found: CampaignResults) -> "StaffCampaignResults":
        """Return the results."""
        return cls(
            outcome=found.outcome,
            within_days=found.within_days,
            assigned=CampaignArm.of(found.assigned),
            held_out=CampaignArm.of(found.held_out),
            effect=CampaignEffect.of(found.effect),
            drivers_needed=found.sample_needed,
            messages=[
                CampaignStateCount(state=state, drivers=in_tens(count))
                for state, count in sorted(found.messages.items())
                if in_tens(count)
            ],
            runs=[StaffCampaignRun.of(run) for run in found.runs],
        )


@strawberry.type(
    description="What all campaigns of the last 90 days together brought, in drivers who came "
    "again within 14 days."
)
class StaffProgrammeResults:
    """What all campaigns together brought."""

    reachable: CampaignArm = strawberry.field(description="Whoever may be written to.")
    control: CampaignArm = strawberry.field(description="Whoever no campaign writes to.")
    effect: CampaignEffect | None = strawberry.field(
        description="Null where an arm has fewer than ten drivers."
    )

    @classmethod
    def of(cls, found: ProgrammeResults) -> "StaffProgrammeResults":
        """Return the results."""
        return cls(
            reachable=CampaignArm.of(found.reachable),
            control=CampaignArm.of(found.control),
            effect=CampaignEffect.of(found.effect),
        )
