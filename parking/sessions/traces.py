"""What ended stays of a vehicle leave for its next one at the place: every query about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from parking.kit.database import UnitOfWork
from parking.sessions.models import AllowanceUse, Departure, Session

USES_READ_MAX = 100
# A period is a local date, which is never further from the date in UTC.
_ZONES_APART = timedelta(days=1)

_TRACES = text(
    """
    SELECT session_id, left_at, NULL::text AS allowance, NULL::text AS period, NULL::int AS used_s
    FROM departures
    WHERE operator_id = :operator_id AND place_id = :place_id AND plate_index = :plate_index
    AND merge_until >= :at
    UNION ALL
    (
        SELECT NULL, NULL, allowance, period, used_s FROM allowance_uses
        WHERE operator_id = :operator_id AND place_id = :place_id AND plate_index = :plate_index
        AND period >= :since
        ORDER BY period, allowance LIMIT :uses
    )
    """
)


@dataclass(frozen=True, slots=True)
class Traces:
    """What earlier stays left.

    Attributes:
        earlier_id: The stay that one which begins now continues; None for none.
        used_s: What was taken of allowances, by name and period.
    """

    earlier_id: UUID | None
    used_s: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class VehicleAtPlace:
    """Whose traces, and where."""

    operator_id: UUID
    place_id: UUID
    plate_index: UUID


def vehicle_of(session: Session) -> VehicleAtPlace:
    """Return whose stay it is, and where."""
    return VehicleAtPlace(session.operator_id, session.place_id, session.plate_index)


async def find_traces(unit: UnitOfWork, vehicle: VehicleAtPlace, at: datetime) -> Traces:
    """Return what matters to a stay that begins at `at`, in one statement over two small keys."""
    values = {
        "operator_id": vehicle.operator_id,
        "place_id": vehicle.place_id,
        "plate_index": vehicle.plate_index,
        "at": at,
        "since": (at - _ZONES_APART).date().isoformat(),
        "uses": USES_READ_MAX,
    }
    earlier_id: UUID | None = None
    used_s: dict[str, dict[str, int]] = {}
    for row in await unit.run(_TRACES, values):
        if row.session_id is not None:
            earlier_id = row.session_id
        else:
            used_s.setdefault(row.allowance, {})[row.period] = row.used_s
    return Traces(earlier_id, used_s)


async def record_departure(unit: UnitOfWork, session: Session, merge_until: datetime) -> None:
    """Let a re-entry until `merge_until` continue a stay that has ended; again changes nothing."""
    values = {
        "operator_id": session.operator_id,
        "place_id": session.place_id,
        "plate_index": session.plate_index,
    }
    traced = {
        "session_id": session.id,
        "left_at": session.left_at,
        "merge_until": merge_until,
    }
    statement = insert(Departure).values(**values, **traced)
    await unit.run(statement.on_conflict_do_update(index_elements=list(values), set_=traced))


async def record_uses(
    unit: UnitOfWork, session: Session, used_s: Mapping[str, Mapping[str, int]]
) -> None:
    """Write down what was taken of allowances up to the end of a stay.

    The sums, not what is added: a vehicle has one open stay at a place, so nobody else counts
    meanwhile, and the same stay written again changes nothing.
    """
    rows = [
        {
            "operator_id": session.operator_id,
            "place_id": session.place_id,
            "plate_index": session.plate_index,
            "allowance": allowance,
            "period": period,
            "used_s": seconds,
            "updated_at": unit.now(),
        }
        for allowance, periods in used_s.items()
        for period, seconds in periods.items()
    ]
    if not rows:
        return
    statement = insert(AllowanceUse).values(rows)
    key = [col(AllowanceUse.operator_id), col(AllowanceUse.place_id), col(AllowanceUse.plate_index)]
    await unit.run(
        statement.on_conflict_do_update(
            index_elements=[*key, col(AllowanceUse.allowance), col(AllowanceUse.period)],
            set_={
                "used_s": statement.excluded.used_s,
                "updated_at": statement.excluded.updated_at,
            },
        )
    )
