"""Every query about rate tables."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.tariffs.models import RateTableVersion


async def find_in_force(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, at: datetime
) -> RateTableVersion | None:
    """Return the place's version in force at `at`."""
    statement = (
        select(RateTableVersion)
        .where(col(RateTableVersion.operator_id) == operator_id)
        .where(col(RateTableVersion.place_id) == place_id)
        .where(col(RateTableVersion.effective_at) <= at)
        .order_by(col(RateTableVersion.effective_at).desc(), col(RateTableVersion.version).desc())
        .limit(1)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def find_version(
    unit: UnitOfWork, operator_id: UUID, rate_table_id: UUID
) -> RateTableVersion | None:
    """Return one version."""
    return await unit.session.get(RateTableVersion, (operator_id, rate_table_id))


async def find_versions(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], RateTableVersion]:
    """Return many versions by (operator, version); one statement however many."""
    statement = (
        select(RateTableVersion)
        .where(col(RateTableVersion.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(RateTableVersion.id).in_({version_id for _, version_id in keys}))
    )
    rows = await unit.session.exec(statement)
    return {(row.operator_id, row.id): row for row in rows}


async def last_version(unit: UnitOfWork, operator_id: UUID, place_id: UUID) -> int:
    """Return the number of the place's newest version; 0 for none."""
    statement = (
        select(func.max(RateTableVersion.version))
        .where(col(RateTableVersion.operator_id) == operator_id)
        .where(col(RateTableVersion.place_id) == place_id)
    )
    return (await unit.session.exec(statement)).one() or 0
