"""An audience of a size, with what a filter asks for, and a campaign that is running."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from parking.campaigns import repository
from parking.campaigns.document import read_document, write_document
from parking.campaigns.models import Campaign, CampaignRun, CampaignState, RunState
from parking.flows.campaigns.queueing_run import RunKey
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.places import service as places

ZONE: Final = "Asia/Shanghai"
HOLDOUT_PERMILLE: Final = 100
# Of a million drivers, every tenth was written to today, and every fiftieth wants quiet hours.
CAPPED_EACH: Final = 10
QUIET_EACH: Final = 50
ROWS_EACH: Final = 100_000
AUTHOR: Final = "author"
APPROVER: Final = "approver"
# UUIDv7 as those of real drivers: a time, and chance.
_DRIVER_IDS: Final = text("""
    INSERT INTO bench_drivers (n, id)
    SELECT n, CAST(lpad(to_hex(1750000000000 + n * 1000), 12, '0') || '7'
        || substr(md5(CAST(n AS text)), 1, 3) || 'a' || substr(md5(CAST(n AS text)), 4, 15) AS uuid)
    FROM generate_series(CAST(:low AS bigint), CAST(:high AS bigint)) AS n
""")
_DRIVERS: Final = text("""
    WITH made AS (
        INSERT INTO drivers (id, locale, created_at)
        SELECT id, 'zh', CAST(:now AS timestamptz) FROM bench_drivers
        WHERE n BETWEEN :low AND :high
    ), agreed AS (
        INSERT INTO driver_consents (driver_id, kind, text_version, source, given_at)
        SELECT id, 'marketing', '1', 'app', CAST(:now AS timestamptz) FROM bench_drivers
        WHERE n BETWEEN :low AND :high
    )
    SELECT 1
""")
_MEMBERS: Final = text("""
    INSERT INTO audience_members (operator_id, driver_id, timezone, visits, last_visit_at,
        vehicle_kinds, refreshed_at)
    SELECT :operator_id, id, :zone, n % 20, CAST(:now AS timestamptz) - (n % 30) * interval '1 day',
        '["car"]', CAST(:now AS timestamptz)
    FROM bench_drivers WHERE n BETWEEN :low AND :high
""")
_PLACES: Final = text("""
    INSERT INTO audience_places (operator_id, driver_id, place_id, visits, last_visit_at,
        spent_minor, currency)
    SELECT :operator_id, id, :place_id, 1 + n % 20,
        CAST(:now AS timestamptz) - (n % 30) * interval '1 day', n % 50 * 100, 'CNY'
    FROM bench_drivers WHERE n BETWEEN :low AND :high
""")
_BOOKS: Final = text("""
    INSERT INTO notice_books (driver_id, last_number, muted, quiet_starts_at, quiet_ends_at,
        quiet_timezone)
    SELECT id, 0, '[]', '00:00', '23:59', :zone
    FROM bench_drivers WHERE n BETWEEN :low AND :high AND n % :each = 0
""")
_EARLIER: Final = text("""
    INSERT INTO campaign_sends (operator_id, id, driver_id, campaign_id, arm, state, local_day,
        not_before, assigned_at, sent_at)
    SELECT :operator_id, CAST(:run_id AS uuid), id, :campaign_id, 'assigned', 'sent',
        (CAST(:now AS timestamptz) AT TIME ZONE :zone)::date, CAST(:now AS timestamptz),
        CAST(:now AS timestamptz), CAST(:now AS timestamptz)
    FROM bench_drivers WHERE n BETWEEN :low AND :high AND n % :each = 0
""")
_SHARED: Final = (
    text("""
        INSERT INTO audience_members (operator_id, driver_id, timezone, visits, last_visit_at,
            vehicle_kinds, refreshed_at)
        SELECT :operator_id, driver_id, timezone, visits, last_visit_at, vehicle_kinds, refreshed_at
        FROM audience_members WHERE operator_id = :from ORDER BY driver_id LIMIT :drivers
    """),
    text("""
        INSERT INTO audience_places (operator_id, driver_id, place_id, visits, last_visit_at,
            spent_minor, currency)
        SELECT :operator_id, driver_id, :place_id, visits, last_visit_at, spent_minor, currency
        FROM audience_places WHERE operator_id = :from ORDER BY driver_id LIMIT :drivers
    """),
)
_ANALYSE: Final = tuple(
    text(f"ANALYZE {table}")
    for table in ("audience_members", "audience_places", "driver_consents", "campaign_sends")
)


async def add_audience(
    context: ParkingContext, operator_id: UUID, place_id: UUID, drivers: int
) -> None:
    """Add so many drivers who agreed; every CAPPED_EACHth was written to today already."""
    earlier = new_id(context.clock.now())
    async with context.database.begin() as unit:
        await unit.run(text("CREATE UNLOGGED TABLE bench_drivers (n bigint, id uuid)"))
    for low in range(0, drivers, ROWS_EACH):
        high = min(low + ROWS_EACH, drivers) - 1
        now = context.clock.now()
        values: dict[str, Any] = {"low": low, "high": high, "now": now, "zone": ZONE}
        async with context.database.begin() as unit:
            await unit.run(_DRIVER_IDS, {"low": low, "high": high})
        for statement, more in (
            (_DRIVERS, {}),
            (_MEMBERS, {"operator_id": operator_id}),
            (_PLACES, {"operator_id": operator_id, "place_id": place_id}),
            (_BOOKS, {"each": QUIET_EACH}),
            (
                _EARLIER,
                {
                    "operator_id": operator_id,
                    "each": CAPPED_EACH,
                    "run_id": earlier,
                    "campaign_id": earlier,
                },
            ),
        ):
            async with context.database.begin() as unit:
                await unit.run(statement, {**_used(statement, values), **more})
    async with context.database.begin() as unit:
        await unit.run(text("DROP TABLE bench_drivers"))
        for statement in _ANALYSE:
            await unit.run(statement)


async def share_audience(
    context: ParkingContext, theirs: tuple[UUID, UUID], ours: tuple[UUID, UUID], drivers: int
) -> None:
    """Let so many drivers of one operator's place know another one's too."""
    values = {"from": theirs[0], "operator_id": ours[0], "place_id": ours[1], "drivers": drivers}
    async with context.database.begin() as unit:
        for statement in _SHARED:
            await unit.run(statement, _used(statement, values))
        for statement in _ANALYSE:
            await unit.run(statement)


async def add_ground(context: ParkingContext) -> tuple[UUID, UUID]:
    """Add an operator with a place; returns both."""
    async with context.database.begin() as unit:
        operator = places.add_operator(unit, "Bench")
        await unit.session.flush()
        place = places.add_place(unit, operator.id, name="Quay", timezone=ZONE, currency="CNY")
    return operator.id, place.id


async def start_campaign(
    context: ParkingContext, operator_id: UUID, place_id: UUID, *, name: str, messages_max: int
) -> RunKey:
    """Add a campaign that a second person approved, and begin its run."""
    async with context.database.begin() as unit:
        now = unit.now()
        campaign = _campaign(unit, operator_id, place_id, name, messages_max)
        unit.session.add(campaign)
        await unit.session.flush()
        await unit.run(
            text(
                "UPDATE campaigns SET state = 'running', approved_by = :by, approved_at = :now,"
                " approved_digest = md5(document::text)"
                " WHERE operator_id = :operator_id AND id = :id"
            ),
            {"by": APPROVER, "now": now, "operator_id": operator_id, "id": campaign.id},
        )
        run = CampaignRun(
            operator_id=operator_id,
            id=new_id(now),
            campaign_id=campaign.id,
            occurrence=f"{now:%Y-%m-%dT%H:%M}",
            state=RunState.QUEUEING,
            started_at=now,
        )
        await repository.begin_run(unit, run)
    return RunKey(operator_id, campaign.id, run.id)


def _campaign(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, name: str, messages_max: int
) -> Campaign:
    now: datetime = unit.now()
    document = read_document(
        {
            "filter": {
                "kind": "all",
                "of": [
                    {"kind": "recency", "within_days": 60},
                    {"kind": "place", "place_ids": [str(place_id)]},
                    {"kind": "not", "that": {"kind": "pass"}},
                ],
            },
            "trigger": {"kind": "schedule", "at": "2026-01-01T09:00", "timezone": ZONE},
            "content": {"en": {"title": "Come back", "body": "{place} has room for you."}},
            "holdout_permille": HOLDOUT_PERMILLE,
            "budget": {"messages_max": messages_max, "currency": "CNY", "message_minor": 5},
        }
    )
    return Campaign(
        operator_id=operator_id,
        id=new_id(now),
        name=name,
        state=CampaignState.SUBMITTED,
        document=write_document(document),
        authors=[AUTHOR],
        salt=new_id(now),
        created_at=now,
    )


def _used(statement: Any, values: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - a text clause
    names = set(statement.compile().params)
    return {name: value for name, value in values.items() if name in names}
