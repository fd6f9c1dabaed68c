"""What drivers do reaches their operator's summaries and campaigns, a few seconds later.

Events are looked at again for a while, for one may be committed later than another whose id is
newer; nothing is added twice by that. What was missed while no worker ran is not made up for by a
campaign, and by the summaries within a day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from parking.campaigns import audience, repository
from parking.campaigns.document import read_document
from parking.campaigns.models import CampaignState, RunState
from parking.events.types import EventType
from parking.flows.campaigns.isolating import is_done
from parking.flows.campaigns.queueing_run import queue_drivers
from parking.flows.campaigns.scheduling import new_run
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.ids import floor_id

LOOKED_BACK: Final = timedelta(minutes=10)
OVERLAP: Final = timedelta(minutes=1)
EVENTS_MAX: Final = 2000
# More than that at once are left to the summaries of the day.
PAGES_MAX: Final = 50
STALE: Final = timedelta(hours=20)
BATCHES_MAX: Final = 4000
_TRIGGERS: Final = {
    "on_entry": EventType.SESSION_ENTERED,
    "after_payment": EventType.PAYMENT_CHARGED,
}
_TYPES: Final = [
    EventType.SESSION_ENTERED,
    EventType.SESSION_ENDED,
    EventType.SESSION_CANCELLED,
    EventType.PAYMENT_CHARGED,
    EventType.BILL_CORRECTED,
]
_OPERATORS: Final = text("SELECT id FROM operators ORDER BY id")
_EVENTS: Final = text("""
    SELECT outbox.id, outbox.type, CAST(outbox.payload->>'driver_id' AS uuid) AS driver_id,
        session.place_id
    FROM outbox JOIN driver_consents AS consent
        ON consent.driver_id = CAST(outbox.payload->>'driver_id' AS uuid)
        AND consent.kind = 'marketing' AND consent.withdrawn_at IS NULL
    LEFT JOIN sessions AS session
        ON session.operator_id = outbox.owner_id AND session.id = outbox.subject_id
    WHERE outbox.owner_id = :operator_id AND outbox.id >= CAST(:since AS uuid)
        AND outbox.type = ANY(:types)
    ORDER BY outbox.id LIMIT :rows
""")
_TRIGGERED: Final = text("""
    SELECT campaign.id, campaign.place_id, campaign.document->'trigger'->>'kind' AS kind,
        coalesce(own.timezone, (
            SELECT timezone FROM places WHERE operator_id = campaign.operator_id ORDER BY id LIMIT 1
        )) AS timezone
    FROM campaigns AS campaign LEFT JOIN places AS own
        ON own.operator_id = campaign.operator_id AND own.id = campaign.place_id
    WHERE campaign.operator_id = :operator_id AND campaign.state = 'running'
        AND campaign.document->'trigger'->>'kind' = ANY(:kinds)
    ORDER BY campaign.id LIMIT 50
""")
_STALE: Final = text("""
    SELECT consent.driver_id FROM driver_consents AS consent
    WHERE consent.kind = 'marketing' AND consent.withdrawn_at IS NULL
        AND (CAST(:after AS uuid) IS NULL OR consent.driver_id > CAST(:after AS uuid))
        AND EXISTS (SELECT FROM driver_stays AS stay WHERE stay.driver_id = consent.driver_id)
        AND NOT EXISTS (
            SELECT FROM audience_members AS member
            WHERE member.driver_id = consent.driver_id AND member.refreshed_at > :fresh_from
        )
    ORDER BY consent.driver_id LIMIT :rows
""")


class _Noticed(NamedTuple):
    id: UUID
    type: str
    driver_id: UUID
    place_id: UUID | None


@dataclass
class EventWatch:
    """Remembers up to when a process has looked.

    Attributes:
        seen_until: None before the first look.
    """

    context: ParkingContext
    seen_until: datetime | None = None

    async def sweep(self) -> None:
        """Look at what happened since the last look, at every operator's."""
        now = self.context.clock.now()
        since = max(now - LOOKED_BACK, (self.seen_until or now - LOOKED_BACK) - OVERLAP)
        async with self.context.database.begin() as unit:
            operators = [row.id for row in await unit.run(_OPERATORS)]
        # Of an operator that failed the same is looked at again, and nothing counts twice.
        done = [
            await is_done(notice(self.context, operator_id, since), "notice", operator_id)
            for operator_id in operators
        ]
        if all(done):
            self.seen_until = now


async def notice(context: ParkingContext, operator_id: UUID, since: datetime) -> None:
    """Bring an operator's summaries up to date, and trigger what events trigger."""
    after = floor_id(since)
    for _ in range(PAGES_MAX):
        events = await _page(context, operator_id, after)
        await _notice(context, operator_id, events)
        if len(events) < EVENTS_MAX:
            break
        after = events[-1].id


async def _page(context: ParkingContext, operator_id: UUID, after: UUID) -> list[_Noticed]:
    values = {
        "operator_id": operator_id,
        "since": after,
        "types": [str(each) for each in _TYPES],
        "rows": EVENTS_MAX,
    }
    async with context.database.begin() as unit:
        return [_Noticed(*row) for row in await unit.run(_EVENTS, values)]


async def _notice(context: ParkingContext, operator_id: UUID, events: list[_Noticed]) -> None:
    drivers = sorted({event.driver_id for event in events})
    for start in range(0, len(drivers), audience.REFRESHED_MAX):
        async with context.database.begin() as unit:
            await audience.refresh(unit, drivers[start : start + audience.REFRESHED_MAX])
    if not drivers:
        return
    async with context.database.begin() as unit:
        found = await unit.run(_TRIGGERED, {"operator_id": operator_id, "kinds": list(_TRIGGERS)})
        triggered = list(found)
    for row in triggered:
        # A place's campaign is about what happens there: not of those who were there once.
        wanted = {
            event.driver_id
            for event in events
            if event.type == _TRIGGERS[row.kind] and row.place_id in (None, event.place_id)
        }
        if wanted:
            timezone = str(row.timezone or "UTC")
            async with context.database.begin() as unit:
                await _trigger(unit, operator_id, row.id, sorted(wanted), timezone)


async def refresh_stale(context: ParkingContext) -> int:
    """Write down anew what was not for most of a day; returns of how many drivers."""
    after: UUID | None = None
    refreshed = 0
    for _ in range(BATCHES_MAX):
        async with context.database.begin() as unit:
            values = {
                "after": after,
                "fresh_from": unit.now() - STALE,
                "rows": audience.REFRESHED_MAX,
            }
            drivers = [row.driver_id for row in await unit.run(_STALE, values)]
            refreshed += await audience.refresh(unit, drivers)
        if len(drivers) < audience.REFRESHED_MAX:
            break
        after = drivers[-1]
    return refreshed


async def _trigger(
    unit: UnitOfWork,
    operator_id: UUID,
    campaign_id: UUID,
    drivers: Sequence[UUID],
    timezone: str,
) -> None:
    campaign = await repository.lock_campaign(unit, operator_id, campaign_id)
    if campaign is None or campaign.state is not CampaignState.RUNNING:
        return
    trigger = read_document(campaign.document).trigger
    if trigger.kind not in _TRIGGERS:
        return
    day = unit.now().astimezone(ZoneInfo(timezone)).date().isoformat()
    run = new_run(unit, campaign, day)
    # It never looks for drivers itself: they come to it, for a day.
    run.state, run.queued_at = RunState.QUEUED, unit.now()
    await repository.begin_run(unit, run)
    today = await repository.find_occurrence(unit, operator_id, campaign_id, day)
    locked = None if today is None else await repository.lock_run(unit, operator_id, today.id)
    if locked is not None:
        await queue_drivers(unit, campaign, locked, drivers)
