"""Every query about rate tables."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func, text, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.tariffs.models import RateTableVersion

# Versions are numbered one after the other: whoever publishes for a place waits for its turn.
_LOCK_VERSIONS = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
# Built once: every car that comes in asks.
_IN_FORCE_AT = (
    col(RateTableVersion.operator_id) == bindparam("operator_id"),
    col(RateTableVersion.place_id) == bindparam("place_id"),
    col(RateTableVersion.effective_at) <= bindparam("at"),
)
_NEWEST_FIRST = (
    col(RateTableVersion.effective_at).desc(),
    col(RateTableVersion.version).desc(),
)
_IN_FORCE = select(RateTableVersion).where(*_IN_FORCE_AT).order_by(*_NEWEST_FIRST).limit(1)
_ID_IN_FORCE = select(RateTableVersion.id).where(*_IN_FORCE_AT).order_by(*_NEWEST_FIRST).limit(1)


async def lock_versions(unit: UnitOfWork, operator_id: UUID, place_id: UUID) -> None:
    """Let nobody else publish for the place until this transaction ends."""
    await unit.run(_LOCK_VERSIONS, {"name": f"rate_tables:{operator_id}:{place_id}"})


async def find_in_force(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, at: datetime
) -> RateTableVersion | None:
    """Return the place's version in force at `at`."""
    values = {"operator_id": operator_id, "place_id": place_id, "at": at}
    return (await unit.session.exec(_IN_FORCE, params=values)).one_or_none()


async def find_all_in_force(
    unit: UnitOfWork, places: Collection[tuple[UUID, UUID]], at: datetime
) -> dict[tuple[UUID, UUID], RateTableVersion]:
    """Return the versions in force at `at` by (operator, place); one statement however many."""
    place = (col(RateTableVersion.operator_id), col(RateTableVersion.place_id))
    statement = (
        select(RateTableVersion)
        .ext(distinct_on(*place))
        .where(tuple_(*place).in_(sorted(places)))
        .where(col(RateTableVersion.effective_at) <= at)
        .order_by(*place, *_NEWEST_FIRST)
    )
    rows = await unit.session.exec(statement)
    return {(row.operator_id, row.place_id): row for row in rows}


async def find_id_in_force(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, at: datetime
) -> UUID | None:
    """Return which of the place's versions is in force at `at`; its body may be long."""
    values = {"operator_id": operator_id, "place_id": place_id, "at": at}
    return (await unit.session.exec(_ID_IN_FORCE, params=values)).one_or_none()


async def find_effective_at(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, effective_at: datetime
) -> RateTableVersion | None:
    """Return the newest of the place's versions that are in force from exactly that instant."""
    statement = (
        select(RateTableVersion)
        .where(col(RateTableVersion.operator_id) == operator_id)
        .where(col(RateTableVersion.place_id) == place_id)
        .where(col(RateTableVersion.effective_at) == effective_at)
        .order_by(col(RateTableVersion.version).desc())
        .limit(1)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def list_versions(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, *, first: int
) -> list[RateTableVersion]:
    """Return the place's newest versions, the newest first."""
    statement = (
        select(RateTableVersion)
        .where(col(RateTableVersion.operator_id) == operator_id)
        .where(col(RateTableVersion.place_id) == place_id)
        .order_by(col(RateTableVersion.version).desc())
        .limit(first)
    )
    return list(await unit.session.exec(statement))


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
