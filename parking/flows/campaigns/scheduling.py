"""Runs begin when they are due, and are queued; any worker does so, and any may die over it."""

from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.campaigns import repository
from parking.campaigns.document import CampaignDocument, read_document
from parking.campaigns.models import Campaign, CampaignRun, CampaignState, RunState
from parking.campaigns.triggers import (
    AfterPayment,
    BeforeVisit,
    Lapse,
    OnEntry,
    Schedule,
    is_missed,
    next_run_at,
)
from parking.flows.campaigns.isolating import is_done
from parking.flows.campaigns.queueing_run import RunKey, queue_run
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id

ONCE: Final = "once"
_END_DONE: Final = text("""
    UPDATE campaigns SET state = 'ended', ended_at = :now, ended_because = 'done',
        version = version + 1
    WHERE state = 'running' AND next_run_at IS NULL
        AND document->'trigger'->>'kind' IN ('schedule', 'lapse', 'before_visit')
        AND NOT EXISTS (
            SELECT FROM campaign_runs AS run
            WHERE run.operator_id = campaigns.operator_id AND run.campaign_id = campaigns.id
                AND (run.state = 'queueing' OR EXISTS (
                    SELECT FROM campaign_sends AS send
                    WHERE send.operator_id = run.operator_id AND send.id = run.id
                        AND send.state = 'queued'
                ))
        )
""")


async def sweep(context: ParkingContext) -> None:
    """Begin what is due, and queue what has begun."""
    async with context.database.begin() as unit:
        due = await repository.due_campaigns(unit, unit.now())
    for operator_id, campaign_id in due:
        await is_done(_begin_due(context, operator_id, campaign_id), "begin", campaign_id)
    async with context.database.begin() as unit:
        runs = await repository.queueing_runs(unit)
    for run in runs:
        key = RunKey(run.operator_id, run.campaign_id, run.id)
        await is_done(queue_run(context, key), "queue", run.campaign_id)


async def end_done(context: ParkingContext) -> int:
    """End campaigns that have no run to come and nothing left to send; returns how many."""
    async with context.database.begin() as unit:
        return (await unit.run(_END_DONE, {"now": unit.now()})).rowcount


async def _begin_due(context: ParkingContext, operator_id: UUID, campaign_id: UUID) -> None:
    async with context.database.begin() as unit:
        await _begin(unit, operator_id, campaign_id)


async def _begin(unit: UnitOfWork, operator_id: UUID, campaign_id: UUID) -> None:
    campaign = await repository.lock_campaign(unit, operator_id, campaign_id)
    now = unit.now()
    if campaign is None or campaign.state is not CampaignState.RUNNING:
        return
    due_at = campaign.next_run_at
    if due_at is None or due_at > now:
        return
    document = read_document(campaign.document)
    campaign.next_run_at = next_run_at(document.trigger, due_at, now)
    # What stood still all night, or was paused, does not wake drivers with yesterday's reminder.
    if not is_missed(document.trigger, due_at, now):
        run = new_run(unit, campaign, _occurrence(document, due_at.isoformat()))
        await repository.begin_run(unit, run)


def new_run(unit: UnitOfWork, campaign: Campaign, occurrence: str) -> CampaignRun:
    """Return the run of one moment of a campaign, not stored yet."""
    now = unit.now()
    return CampaignRun(
        operator_id=campaign.operator_id,
        id=new_id(now),
        campaign_id=campaign.id,
        occurrence=occurrence,
        state=RunState.QUEUEING,
        started_at=now,
    )


def _occurrence(document: CampaignDocument, due: str) -> str:
    match document.trigger:
        case Schedule(repeats="never"):
            return ONCE
        case Schedule() | Lapse() | BeforeVisit() | OnEntry() | AfterPayment():
            return due
