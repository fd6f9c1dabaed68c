"""One chunk of a run: who of so many drivers belongs to it, in which arm, capped, and queued.

The statement is one INSERT … SELECT in the database: no driver's row comes here. A chunk is a
transaction with the run's position in it, so that whoever goes on after a crash begins where the
last commit ended, and the key (operator, run, driver) refuses a second row in any case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from parking.campaigns.caps import EVERYBODY_DAY_MAX, EVERYBODY_WEEK_MAX, Caps
from parking.campaigns.drawing import DRAW_SQL
from parking.campaigns.models import Arm, SendState
from parking.kit.database import UnitOfWork
from parking.kit.ids import floor_id

CHUNK_ROWS_MAX: Final = 20_000
# A message that was queued in a run waits for its driver's morning, not for weeks: sends of older
# runs count in no cap.
RUNS_COUNTED: Final = timedelta(days=21)
# Two campaigns that look at the same driver at the same time must each see what the other queued.
# One chunk or one batch at a time, for less than a second each.
CAPS_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtext('sesame.campaign.caps'))")
_ZONES: Final = text("SELECT name FROM pg_timezone_names")
_BOUND: Final = text("""
    SELECT count(*) AS rows, (array_agg(driver_id ORDER BY driver_id DESC))[1] AS upto FROM (
        SELECT driver_id FROM audience_members
        WHERE operator_id = :operator_id
            AND (CAST(:after AS uuid) IS NULL OR driver_id > CAST(:after AS uuid))
        ORDER BY driver_id LIMIT :rows
    ) AS window_of_keys
""")
_RANGE: Final = (
    "(CAST(:after AS uuid) IS NULL OR member.driver_id > CAST(:after AS uuid))"
    " AND member.driver_id <= CAST(:upto AS uuid)"
)
_NAMED: Final = "member.driver_id = ANY(CAST(:drivers AS uuid[]))"
# Their own clock where they told one, else that of the place where they were last. A zone that the
# database does not know must not end the whole run.
_KNOWN: Final = "IN (SELECT unnest(CAST(:zones AS text[])))"
_ZONE: Final = (
    f"CASE WHEN book.quiet_timezone {_KNOWN} THEN book.quiet_timezone"
    f" WHEN member.timezone {_KNOWN} THEN member.timezone ELSE 'UTC' END"
)
_ELIGIBLE: Final = """
    SELECT member.driver_id, {zone} AS zone, book.quiet_starts_at AS quiet_from,
        book.quiet_ends_at AS quiet_until, {control} < :control_permille AS is_control,
        {held} < :holdout_permille AS is_held
    FROM audience_members AS member
    JOIN driver_consents AS consent ON consent.driver_id = member.driver_id
        AND consent.kind = 'marketing' AND consent.withdrawn_at IS NULL
    LEFT JOIN notice_books AS book ON book.driver_id = member.driver_id
    WHERE member.operator_id = :operator_id AND {which}
        AND NOT coalesce(
            jsonb_exists_all(book.muted, ARRAY['offer:in_app', 'offer:push', 'offer:web_push']),
            false
        )
        AND {condition}
"""
_QUEUE: Final = """
    WITH eligible AS MATERIALIZED ({eligible}), timed AS MATERIALIZED (
        SELECT driver_id, zone, CASE WHEN is_control THEN 'control' WHEN is_held THEN 'held_out'
                ELSE 'assigned' END AS arm,
            CASE
                WHEN quiet_from IS NULL OR quiet_until IS NULL THEN CAST(:now AS timestamptz)
                WHEN quiet_from < quiet_until AND wall::time >= quiet_from
                    AND wall::time < quiet_until
                    THEN (wall::date + quiet_until) AT TIME ZONE zone
                WHEN quiet_from > quiet_until AND wall::time >= quiet_from
                    THEN (wall::date + 1 + quiet_until) AT TIME ZONE zone
                WHEN quiet_from > quiet_until AND wall::time < quiet_until
                    THEN (wall::date + quiet_until) AT TIME ZONE zone
                ELSE CAST(:now AS timestamptz)
            END AS not_before
        FROM (
            SELECT *, CAST(:now AS timestamptz) AT TIME ZONE zone AS wall FROM eligible
        ) AS on_the_wall
    ), dated AS MATERIALIZED (
        SELECT driver_id, arm, not_before, (not_before AT TIME ZONE zone)::date AS local_day
        FROM timed
    ), counted AS MATERIALIZED ({counted}), ranked AS (
        SELECT dated.*, coalesce(counted.everybody_day, 0) >= :everybody_day
                OR coalesce(counted.everybody_week, 0) >= :everybody_week
                OR coalesce(counted.operator_day, 0) >= :operator_day
                OR coalesce(counted.operator_week, 0) >= :operator_week AS is_capped
        FROM dated LEFT JOIN counted ON counted.driver_id = dated.driver_id
    ), stated AS (
        SELECT *, CASE
            WHEN arm <> 'assigned' THEN 'kept'
            WHEN is_capped THEN 'capped'
            WHEN row_number() OVER (
                PARTITION BY arm = 'assigned' AND NOT is_capped ORDER BY driver_id
            ) > :affordable THEN 'unaffordable'
            ELSE 'queued' END AS state
        FROM ranked
    ), added AS (
        INSERT INTO campaign_sends (operator_id, id, driver_id, campaign_id, arm, state, local_day,
            not_before, assigned_at)
        SELECT :operator_id, :run_id, driver_id, :campaign_id, arm, state, local_day, not_before,
            CAST(:now AS timestamptz)
        FROM stated ORDER BY driver_id
        ON CONFLICT DO NOTHING RETURNING arm, state
    )
    SELECT arm, state, count(*) AS rows FROM added GROUP BY arm, state
"""
_COUNTED: Final = """
    SELECT told.driver_id,
        count(*) FILTER (WHERE told.local_day = dated.local_day) AS everybody_day,
        count(*) AS everybody_week,
        count(*) FILTER (WHERE told.operator_id = :operator_id
            AND told.local_day = dated.local_day) AS operator_day,
        count(*) FILTER (WHERE told.operator_id = :operator_id) AS operator_week
    FROM dated JOIN campaign_sends AS told ON told.driver_id = dated.driver_id
        AND told.local_day >= date_trunc('week', dated.local_day)::date
        AND told.local_day < date_trunc('week', dated.local_day)::date + 7
    WHERE told.arm = 'assigned' AND told.state IN ('queued', 'sent')
        AND told.id >= CAST(:runs_from AS uuid) AND {told_which}
    GROUP BY told.driver_id
"""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a run asks of each driver.

    Attributes:
        condition: The filter, as SQL; its values are in `values`.
        affordable: How many messages the budget has left.
    """

    operator_id: UUID
    campaign_id: UUID
    run_id: UUID
    condition: str
    values: Mapping[str, object]
    caps: Caps
    control_salt: UUID
    salt: UUID
    holdout_permille: int
    affordable: int


@dataclass(frozen=True, slots=True)
class Range:
    """Drivers after one key, up to another; or those that are named."""

    after: UUID | None = None
    upto: UUID | None = None
    drivers: Sequence[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """What became of the drivers of a chunk."""

    assigned: int = 0
    held_out: int = 0
    control: int = 0
    queued: int = 0
    capped: int = 0
    unaffordable: int = 0


async def known_zones(unit: UnitOfWork) -> list[str]:
    """Return the time zones that the database can count in; slow, once for a run."""
    return [str(row.name) for row in await unit.run(_ZONES)]


async def next_range(
    unit: UnitOfWork, operator_id: UUID, after: UUID | None, rows: int
) -> tuple[Range, int]:
    """Return the next keys of an operator's audience, and how many drivers they are."""
    values = {"operator_id": operator_id, "after": after, "rows": rows}
    found = (await unit.run(_BOUND, values)).one()
    return Range(after=after, upto=found.upto), int(found.rows)


async def queue(
    unit: UnitOfWork, plan: RunPlan, drivers: Range, *, now: datetime, zones: Sequence[str]
) -> Queued:
    """Assign and queue the drivers of a range; again adds nobody.

    The caller has locked CAPS_LOCK in this transaction, in a statement before.
    """
    if drivers.drivers is None and drivers.upto is None:
        return Queued()
    which, told = _RANGE, _RANGE.replace("member.", "told.")
    values: dict[str, object] = {"after": drivers.after, "upto": drivers.upto}
    if drivers.drivers is not None:
        which, told = _NAMED, _NAMED.replace("member.", "told.")
        values = {"drivers": list(drivers.drivers)}
    eligible = _ELIGIBLE.format(
        zone=_ZONE,
        control=DRAW_SQL.format(salt="CAST(:control_salt AS uuid)", driver="member.driver_id"),
        held=DRAW_SQL.format(salt="CAST(:salt AS uuid)", driver="member.driver_id"),
        which=which,
        condition=plan.condition,
    )
    sql = _QUEUE.format(eligible=eligible, counted=_COUNTED.format(told_which=told))
    values |= _values(plan, now, zones)
    return _tally(await unit.run(text(sql), values | dict(plan.values)))


def _values(plan: RunPlan, now: datetime, zones: Sequence[str]) -> dict[str, object]:
    return {
        "operator_id": plan.operator_id,
        "campaign_id": plan.campaign_id,
        "run_id": plan.run_id,
        "control_salt": plan.control_salt,
        "control_permille": plan.caps.control_permille,
        "salt": plan.salt,
        "holdout_permille": plan.holdout_permille,
        "affordable": plan.affordable,
        "now": now,
        "zones": list(zones),
        "runs_from": floor_id(now - RUNS_COUNTED),
        "everybody_day": EVERYBODY_DAY_MAX,
        "everybody_week": EVERYBODY_WEEK_MAX,
        "operator_day": plan.caps.day,
        "operator_week": plan.caps.week,
    }


def _tally(rows: Any) -> Queued:  # noqa: ANN401 - a result
    counts = {(str(row.arm), str(row.state)): int(row.rows) for row in rows}

    def of_arm(arm: Arm) -> int:
        return sum(count for (each, _), count in counts.items() if each == arm)

    def of_state(state: SendState) -> int:
        return sum(count for (_, each), count in counts.items() if each == state)

    return Queued(
        assigned=of_arm(Arm.ASSIGNED),
        held_out=of_arm(Arm.HELD_OUT),
        control=of_arm(Arm.CONTROL),
        queued=of_state(SendState.QUEUED),
        capped=of_state(SendState.CAPPED),
        unaffordable=of_state(SendState.UNAFFORDABLE),
    )
