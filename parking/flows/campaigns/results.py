"""What a campaign brought: everybody who was assigned against everybody who was held out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.campaigns import repository
from parking.campaigns.document import read_document
from parking.campaigns.models import Arm, CampaignRun
from parking.campaigns.statistics import Share, Uplift, sample_needed, uplift
from parking.flows.campaigns.life import find_seen
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.ids import floor_id
from parking.staff.rules import StaffIdentity

# Of fewer drivers nothing is told: a share of three people is about people.
CELL_MIN: Final = 10
_EFFECT_ASKED: Final = 0.01
# Each driver once, from the first assignment on: whoever is assigned again has the same arm.
_DRIVERS: Final = """
    SELECT driver_id, min(assigned_at) AS since, min(arm) AS arm FROM campaign_sends
    WHERE operator_id = :operator_id AND id = ANY(CAST(:runs AS uuid[])) AND arm = ANY(:arms)
    GROUP BY driver_id
"""
# A stay that was cancelled is no visit.
_VISITS: Final = """driver_stays AS stay LEFT JOIN sessions AS session
            ON session.operator_id = stay.operator_id AND session.id = stay.session_id"""
_HITS: Final = {
    "visit": f"""EXISTS (
        SELECT FROM {_VISITS}
        WHERE stay.driver_id = drawn.driver_id AND stay.operator_id = :operator_id
            AND stay.entered_at > drawn.since AND stay.entered_at <= drawn.since + :days
            AND session.state IS DISTINCT FROM 'cancelled'
    )""",  # noqa: S608 - our own text
    "redemption": """EXISTS (
        SELECT FROM driver_coupons AS coupon
        WHERE coupon.driver_id = drawn.driver_id AND coupon.operator_id = :operator_id
            AND coupon.definition_id = CAST(:definition_id AS uuid) AND coupon.state = 'used'
            AND coupon.source_id = ANY(CAST(:runs AS uuid[]))
    )""",
    "spend": """(
        SELECT coalesce(sum(bill.total_minor), 0) FROM driver_stays AS stay
        JOIN bills AS bill ON bill.operator_id = stay.operator_id
            AND bill.session_id = stay.session_id AND bill.state = 'paid'
            AND bill.currency = :currency
        WHERE stay.driver_id = drawn.driver_id AND stay.operator_id = :operator_id
            AND stay.entered_at > drawn.since AND stay.entered_at <= drawn.since + :days
    ) >= :spend_minor_min""",
}
_STATES: Final = text("""
    SELECT state, count(*) AS rows FROM campaign_sends
    WHERE operator_id = :operator_id AND id = ANY(CAST(:runs AS uuid[])) AND arm = 'assigned'
    GROUP BY state
""")


_OF_ALL: Final = text(f"""
    SELECT drawn.is_control, count(*) AS drivers, count(*) FILTER (WHERE EXISTS (
        SELECT FROM {_VISITS}
        WHERE stay.driver_id = drawn.driver_id AND stay.operator_id = :operator_id
            AND stay.entered_at > drawn.since
            AND stay.entered_at <= drawn.since + make_interval(days => :days)
            AND session.state IS DISTINCT FROM 'cancelled'
    )) AS hits
    FROM (
        SELECT driver_id, min(assigned_at) AS since, bool_or(arm = 'control') AS is_control
        FROM campaign_sends
        WHERE operator_id = :operator_id AND id >= CAST(:runs_from AS uuid) AND arm <> 'test'
        GROUP BY driver_id
    ) AS drawn
    GROUP BY drawn.is_control
""")  # noqa: S608 - our own text
OF_ALL_DAYS: Final = 90
OF_ALL_DAYS_MEASURED: Final = 14


@dataclass(frozen=True, slots=True)
class ProgrammeResults:
    """What all campaigns together brought: visits of who may be written to, and of the control.

    Attributes:
        effect: None while an arm is too small to tell anything of it.
    """

    reachable: "ArmResult"
    control: "ArmResult"
    effect: Uplift | None


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One arm.

    Attributes:
        share: None of fewer than CELL_MIN drivers.
    """

    drivers: int
    share: Share | None


@dataclass(frozen=True, slots=True)
class CampaignResults:
    """What is known of a campaign.

    Attributes:
        effect: None while an arm is too small to tell anything of it.
        sample_needed: How many drivers would tell an effect of one in a hundred; None where that
            cannot be said.
        messages: What became of those who were assigned, by state.
    """

    outcome: str
    within_days: int
    assigned: ArmResult
    held_out: ArmResult
    effect: Uplift | None
    sample_needed: int | None
    messages: dict[str, int]
    runs: list[CampaignRun]


async def of_campaign(
    context: ParkingContext, staff: StaffIdentity, campaign_id: UUID
) -> CampaignResults:
    """Return what a campaign brought so far.

    Raises:
        CampaignUnknownError: there is none that the member sees.
    """
    async with context.database.begin() as unit:
        campaign = await find_seen(unit, staff, campaign_id)
        document = read_document(campaign.document)
        runs = list(await repository.runs_of(unit, staff.operator_id, campaign.id))
        counted = [run.id for run in runs]
        measured = document.measurement
        values = {
            "operator_id": staff.operator_id,
            "runs": counted,
            "days": measured.within_days,
            "currency": document.budget.currency,
            "spend_minor_min": measured.spend_minor_min,
            "definition_id": getattr(document.attachment, "definition_id", None),
        }
        shares = await _shares(unit, measured.outcome, values)
        states = await unit.run(_STATES, {"operator_id": staff.operator_id, "runs": counted})
        messages = {str(row.state): int(row.rows) for row in states}
    assigned, held_out = shares[Arm.ASSIGNED], shares[Arm.HELD_OUT]
    is_known = min(assigned.total, held_out.total) >= CELL_MIN
    return CampaignResults(
        outcome=measured.outcome,
        within_days=measured.within_days,
        assigned=_arm(assigned),
        held_out=_arm(held_out),
        effect=uplift(assigned, held_out) if is_known else None,
        sample_needed=sample_needed(
            held_out.value,
            effect=_EFFECT_ASKED,
            held_out_share=document.holdout_permille / 1000,
        )
        if is_known
        else None,
        messages=messages,
        runs=runs[: repository.RUNS_LISTED_MAX],
    )


async def of_all(context: ParkingContext, staff: StaffIdentity) -> ProgrammeResults:
    """Return what the campaigns of the last OF_ALL_DAYS together brought, in visits.

    Each driver counts once, from the first campaign that would have reached them: those who were
    held out of one campaign may have had others, and count as reachable.
    """
    async with context.database.begin() as unit:
        values = {
            "operator_id": staff.operator_id,
            "days": OF_ALL_DAYS_MEASURED,
            "runs_from": floor_id(unit.now() - timedelta(days=OF_ALL_DAYS)),
        }
        rows = await unit.run(_OF_ALL, values)
        found = {bool(row.is_control): Share(int(row.hits), int(row.drivers)) for row in rows}
    control, reachable = found.get(True, Share(0, 0)), found.get(False, Share(0, 0))
    is_known = min(control.total, reachable.total) >= CELL_MIN
    return ProgrammeResults(
        reachable=_arm(reachable),
        control=_arm(control),
        effect=uplift(reachable, control) if is_known else None,
    )


async def _shares(unit: UnitOfWork, outcome: str, values: Mapping[str, object]) -> dict[Arm, Share]:
    hit = _HITS[outcome].replace(":days", "make_interval(days => :days)")
    sql = (
        f"SELECT arm, count(*) AS drivers, count(*) FILTER (WHERE {hit}) AS hits"  # noqa: S608 - our own text
        f" FROM ({_DRIVERS}) AS drawn GROUP BY arm"
    )
    values = {**values, "arms": [Arm.ASSIGNED.value, Arm.HELD_OUT.value]}
    statement = text(sql)
    used = {name: values[name] for name in statement.compile().params}
    found = {
        str(row.arm): Share(int(row.hits), int(row.drivers))
        for row in await unit.run(statement, used)
    }
    return {arm: found.get(arm, Share(0, 0)) for arm in (Arm.ASSIGNED, Arm.HELD_OUT)}


def _arm(share: Share) -> ArmResult:
    return ArmResult(share.total, share if share.total >= CELL_MIN else None)
