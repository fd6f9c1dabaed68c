"""A run looks for its drivers, chunk by chunk, until it has seen the whole audience."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

from parking.campaigns import queueing, repository
from parking.campaigns.caps import Caps
from parking.campaigns.document import CampaignDocument, read_document
from parking.campaigns.filter_sql import Compiled
from parking.campaigns.models import Campaign, CampaignRun, CampaignState, RunState
from parking.campaigns.queueing import Queued, Range, RunPlan
from parking.campaigns.triggers import Lapse
from parking.flows.campaigns.expecting import Expected, expected_drivers
from parking.flows.context import ParkingContext
from parking.kit.database import ConflictError, UnitOfWork

CHUNKS_PER_TURN_MAX: Final = 40
CONFLICTS_MAX: Final = 5
_NOT_TOLD: Final = """NOT EXISTS (
    SELECT FROM campaign_sends AS told
    WHERE told.driver_id = member.driver_id AND told.campaign_id = :campaign_id
        AND told.arm = 'assigned' AND told.state IN ('queued', 'sent')
        AND told.assigned_at > {last_visit}
)"""


@dataclass(frozen=True, slots=True)
class RunKey:
    """One run of one operator's campaign."""

    operator_id: UUID
    campaign_id: UUID
    run_id: UUID


async def queue_run(
    context: ParkingContext,
    key: RunKey,
    *,
    chunk_rows: int = queueing.CHUNK_ROWS_MAX,
    chunks_max: int = CHUNKS_PER_TURN_MAX,
    on_chunk: Callable[[CampaignRun], None] | None = None,
) -> RunState:
    """Queue a run's drivers from where it stands; returns where it stands then.

    Any number of processes may do so at once, and any may die: each chunk is one transaction.
    """
    async with context.database.begin() as unit:
        found = await repository.find_campaign(unit, key.operator_id, key.campaign_id)
        if found is None:
            return RunState.ENDED
        audience = read_document(found.document).audience(found.place_id)
        # Once for all chunks: what runs does not change.
        expected = await expected_drivers(unit, key.operator_id, audience)
        zones = await queueing.known_zones(unit)
    conflicts = 0
    state = RunState.QUEUEING
    for _ in range(chunks_max):
        try:
            async with context.database.begin() as unit:
                run = await _queue_chunk(unit, key, chunk_rows, zones, expected)
        except ConflictError:
            conflicts += 1
            if conflicts > CONFLICTS_MAX:
                raise
            continue
        if run is None:
            return RunState.ENDED
        if on_chunk is not None:
            on_chunk(run)
        state = run.state
        if state is not RunState.QUEUEING:
            break
    return state


async def _queue_chunk(
    unit: UnitOfWork,
    key: RunKey,
    chunk_rows: int,
    zones: Sequence[str],
    expected: Expected,
) -> CampaignRun | None:
    campaign = await repository.lock_campaign(unit, key.operator_id, key.campaign_id)
    run = await repository.lock_run(unit, key.operator_id, key.run_id)
    if campaign is None or run is None or run.state is not RunState.QUEUEING:
        return run
    if campaign.state is CampaignState.PAUSED:
        return None
    if campaign.state is not CampaignState.RUNNING:
        run.state = RunState.ENDED
        return run
    drivers, seen = await queueing.next_range(unit, key.operator_id, run.position, chunk_rows)
    document = read_document(campaign.document)
    plan = await plan_of(unit, campaign, document, run.id, expected)
    await unit.run(queueing.CAPS_LOCK)
    queued = await queueing.queue(unit, plan, drivers, now=unit.now(), zones=zones)
    run.position = drivers.upto or run.position
    run.looked_at += seen
    add_counts(campaign, run, queued, cost_minor=document.budget.message_minor)
    if seen < chunk_rows:
        run.state, run.queued_at = RunState.QUEUED, unit.now()
    return run


async def queue_drivers(
    unit: UnitOfWork, campaign: Campaign, run: CampaignRun, driver_ids: Sequence[UUID]
) -> Queued:
    """Queue those of some drivers who fit, in the transaction that locked campaign and run."""
    document = read_document(campaign.document)
    audience = document.audience(campaign.place_id)
    expected = await expected_drivers(unit, campaign.operator_id, audience)
    plan = await plan_of(unit, campaign, document, run.id, expected)
    zones = await queueing.known_zones(unit)
    await unit.run(queueing.CAPS_LOCK)
    queued = await queueing.queue(
        unit, plan, Range(drivers=driver_ids), now=unit.now(), zones=zones
    )
    run.looked_at += len(driver_ids)
    add_counts(campaign, run, queued, cost_minor=document.budget.message_minor)
    return queued


async def plan_of(
    unit: UnitOfWork,
    campaign: Campaign,
    document: CampaignDocument,
    run_id: UUID,
    expected: Expected,
) -> RunPlan:
    """Return what a run of a campaign asks of each driver, at this moment."""
    policy = await repository.find_policy(unit, campaign.operator_id)
    caps = Caps(policy.day_messages_max, policy.week_messages_max, policy.control_permille)
    audience = document.audience(campaign.place_id)
    compiled = Compiled(unit.now(), expected, place_id=campaign.place_id)
    return RunPlan(
        operator_id=campaign.operator_id,
        campaign_id=campaign.id,
        run_id=run_id,
        condition=_once_for_each_lapse(document, compiled, compiled.condition(audience)),
        values=compiled.values,
        caps=caps,
        control_salt=policy.salt,
        salt=campaign.salt,
        holdout_permille=document.holdout_permille,
        affordable=document.budget.affordable(campaign.queued_messages, campaign.committed_minor),
    )


def _once_for_each_lapse(document: CampaignDocument, compiled: Compiled, condition: str) -> str:
    # It runs every day, and looks back over several.
    if not isinstance(document.trigger, Lapse):
        return condition
    return f"{condition} AND {_NOT_TOLD.format(last_visit=compiled.last_visit())}"


def add_counts(campaign: Campaign, run: CampaignRun, queued: Queued, *, cost_minor: int) -> None:
    """Count what a chunk came to, and take it from the budget."""
    for name, count in asdict(queued).items():
        setattr(run, name, getattr(run, name) + count)
    campaign.queued_messages += queued.queued
    campaign.committed_minor += queued.queued * cost_minor
