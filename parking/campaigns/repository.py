"""Every query about campaigns, their runs and what operators allow themselves."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.campaigns.caps import Caps
from parking.campaigns.models import (
    AudienceSegment,
    Campaign,
    CampaignPolicy,
    CampaignRun,
    CampaignState,
    CampaignTestDriver,
    RunState,
)
from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id, floor_id
from parking.kit.locks import lock

RUNS_LISTED_MAX = 100
# Of a daily campaign, as long as what became of its messages is kept, and twice that.
RUNS_COUNTED_MAX = 400
# How the occurrences of tests begin: they count in nothing.
TEST_RUN = "test:"
DUE_MAX = 50
TEST_DRIVERS_MAX = 10
_TESTS_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('sesame.campaign.tests:' || :operator))")
_NOBODY = "nobody"


async def lock_campaign(unit: UnitOfWork, operator_id: UUID, campaign_id: UUID) -> Campaign | None:
    """Lock a campaign: its budget is counted one after another."""
    return await lock(unit, Campaign, operator_id=operator_id, id=campaign_id)


async def lock_run(unit: UnitOfWork, operator_id: UUID, run_id: UUID) -> CampaignRun | None:
    """Lock a run, after its campaign."""
    return await lock(unit, CampaignRun, operator_id=operator_id, id=run_id)


async def find_campaign(unit: UnitOfWork, operator_id: UUID, campaign_id: UUID) -> Campaign | None:
    """Return one campaign of an operator."""
    return await unit.session.get(Campaign, (operator_id, campaign_id))


async def page_of_campaigns(
    unit: UnitOfWork,
    operator_id: UUID,
    *,
    places: Collection[UUID] | None,
    first: int,
    before: UUID | None,
) -> Sequence[Campaign]:
    """Return campaigns, the newest first; of some places, or of all where `places` is None."""
    statement = (
        select(Campaign)
        .where(col(Campaign.operator_id) == operator_id)
        .order_by(col(Campaign.id).desc())
        .limit(first)
    )
    if places is not None:
        statement = statement.where(col(Campaign.place_id).in_(places))
    if before is not None:
        statement = statement.where(col(Campaign.id) < before)
    return (await unit.session.exec(statement)).all()


async def find_segment(
    unit: UnitOfWork, operator_id: UUID, segment_id: UUID
) -> AudienceSegment | None:
    """Return one segment of an operator."""
    return await unit.session.get(AudienceSegment, (operator_id, segment_id))


async def page_of_segments(
    unit: UnitOfWork,
    operator_id: UUID,
    *,
    places: Collection[UUID] | None,
    first: int,
    before: UUID | None,
) -> Sequence[AudienceSegment]:
    """Return segments, the newest first; of some places, or of all where `places` is None."""
    statement = (
        select(AudienceSegment)
        .where(col(AudienceSegment.operator_id) == operator_id)
        .order_by(col(AudienceSegment.id).desc())
        .limit(first)
    )
    if places is not None:
        statement = statement.where(col(AudienceSegment.place_id).in_(places))
    if before is not None:
        statement = statement.where(col(AudienceSegment.id) < before)
    return (await unit.session.exec(statement)).all()


async def find_policy(unit: UnitOfWork, operator_id: UUID) -> CampaignPolicy:
    """Return what an operator allows itself; the house's own where it never said."""
    found = await unit.session.get(CampaignPolicy, operator_id)
    if found is not None:
        return found
    usual = Caps()
    return CampaignPolicy(
        operator_id=operator_id,
        day_messages_max=usual.day,
        week_messages_max=usual.week,
        control_permille=usual.control_permille,
        salt=derive_id(operator_id, "campaign.control"),
        set_by=_NOBODY,
        set_at=unit.now(),
    )


async def runs_of(unit: UnitOfWork, operator_id: UUID, campaign_id: UUID) -> Sequence[CampaignRun]:
    """Return a campaign's runs but tests, the newest first, at most RUNS_COUNTED_MAX."""
    statement = (
        select(CampaignRun)
        .where(col(CampaignRun.operator_id) == operator_id)
        .where(col(CampaignRun.campaign_id) == campaign_id)
        .where(~col(CampaignRun.occurrence).startswith(TEST_RUN))
        .order_by(col(CampaignRun.id).desc())
        .limit(RUNS_COUNTED_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def begin_run(unit: UnitOfWork, run: CampaignRun) -> bool:
    """Add a run, unless its occurrence has one; returns whether it had none."""
    statement = insert(CampaignRun).values(run.model_dump()).on_conflict_do_nothing()
    return (await unit.run(statement)).rowcount == 1


async def find_occurrence(
    unit: UnitOfWork, operator_id: UUID, campaign_id: UUID, occurrence: str
) -> CampaignRun | None:
    """Return the run of one moment of a campaign."""
    statement = select(CampaignRun).where(
        col(CampaignRun.operator_id) == operator_id,
        col(CampaignRun.campaign_id) == campaign_id,
        col(CampaignRun.occurrence) == occurrence,
    )
    return (await unit.session.exec(statement)).one_or_none()


async def due_campaigns(unit: UnitOfWork, now: datetime) -> Sequence[tuple[UUID, UUID]]:
    """Return running campaigns whose next run is due, as operator and id."""
    statement = (
        select(Campaign.operator_id, Campaign.id)
        .where(col(Campaign.state) == CampaignState.RUNNING, col(Campaign.next_run_at) <= now)
        .order_by(col(Campaign.next_run_at))
        .limit(DUE_MAX)
    )
    return [(row[0], row[1]) for row in await unit.session.exec(statement)]


async def queueing_runs(unit: UnitOfWork) -> Sequence[CampaignRun]:
    """Return runs that still look for drivers, the oldest first; paused ones stand in no way."""
    statement = (
        select(CampaignRun)
        .join(
            Campaign,
            and_(
                col(Campaign.operator_id) == col(CampaignRun.operator_id),
                col(Campaign.id) == col(CampaignRun.campaign_id),
            ),
        )
        .where(col(CampaignRun.state) == RunState.QUEUEING)
        .where(col(Campaign.state) != CampaignState.PAUSED)
        .order_by(col(CampaignRun.id))
        .limit(DUE_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def count_tests(unit: UnitOfWork, operator_id: UUID, since: datetime) -> int:
    """Return how many tests an operator sent since a moment; locks the operator's next one out."""
    await unit.run(_TESTS_LOCK, {"operator": str(operator_id)})
    statement = (
        select(func.count())
        .select_from(CampaignRun)
        .where(col(CampaignRun.operator_id) == operator_id, col(CampaignRun.id) >= floor_id(since))
        .where(col(CampaignRun.occurrence).startswith(TEST_RUN))
    )
    return (await unit.session.exec(statement)).one()


async def test_drivers(unit: UnitOfWork, operator_id: UUID) -> Sequence[CampaignTestDriver]:
    """Return an operator's test drivers."""
    statement = (
        select(CampaignTestDriver)
        .where(col(CampaignTestDriver.operator_id) == operator_id)
        .order_by(col(CampaignTestDriver.added_at))
        .limit(TEST_DRIVERS_MAX)
    )
    return (await unit.session.exec(statement)).all()
