"""The driver's own list of stays, kept in the transaction of the lane's flow."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.drivers.models import DriverStay
from parking.kit.database import UnitOfWork

ACTIVE_STAYS_MAX = 50
# A page, and one row more that tells whether another page follows.
PAGE_MAX = 100
# A driver's history at an operator: older stays say little of how they pay now.
HISTORY_MAX = 100


async def begin_stay(
    unit: UnitOfWork,
    driver_id: UUID,
    *,
    operator_id: UUID,
    session_id: UUID,
    entered_at: datetime,
) -> None:
    """Add a stay to a driver's list; again changes nothing."""
    statement = insert(DriverStay).values(
        driver_id=driver_id, session_id=session_id, operator_id=operator_id, entered_at=entered_at
    )
    await unit.run(statement.on_conflict_do_nothing())


async def end_stay(unit: UnitOfWork, driver_id: UUID, session_id: UUID, left_at: datetime) -> None:
    """Move a stay from the active ones to the history."""
    statement = (
        update(DriverStay)
        .where(col(DriverStay.driver_id) == driver_id, col(DriverStay.session_id) == session_id)
        .values(left_at=left_at)
    )
    await unit.run(statement)


async def correct_stay_times(
    unit: UnitOfWork,
    driver_id: UUID,
    session_id: UUID,
    *,
    entered_at: datetime,
    left_at: datetime | None,
) -> None:
    """Let a stay in a driver's list have these times; one that they do not have stays unlisted."""
    statement = (
        update(DriverStay)
        .where(col(DriverStay.driver_id) == driver_id, col(DriverStay.session_id) == session_id)
        .values(entered_at=entered_at, left_at=left_at)
    )
    await unit.run(statement)


async def give_up_stay(unit: UnitOfWork, driver_id: UUID, session_id: UUID) -> None:
    """Take a stay off the list of a driver whose plate it is not any more."""
    statement = delete(DriverStay).where(
        col(DriverStay.driver_id) == driver_id, col(DriverStay.session_id) == session_id
    )
    await unit.run(statement)


async def find_stay(unit: UnitOfWork, driver_id: UUID, session_id: UUID) -> DriverStay | None:
    """Return the driver's stay; None where it is not theirs."""
    return await unit.session.get(DriverStay, (driver_id, session_id))


async def find_stays(
    unit: UnitOfWork, driver_id: UUID, session_ids: Collection[UUID]
) -> list[DriverStay]:
    """Return those of some stays that are the driver's."""
    statement = (
        select(DriverStay)
        .where(col(DriverStay.driver_id) == driver_id)
        .where(col(DriverStay.session_id).in_(list(session_ids)))
    )
    return list(await unit.session.exec(statement))


async def list_ended_at(unit: UnitOfWork, driver_id: UUID, operator_id: UUID) -> list[UUID]:
    """Return the driver's newest stays at an operator that have ended; at most HISTORY_MAX."""
    statement = (
        select(DriverStay.session_id)
        .where(col(DriverStay.driver_id) == driver_id, col(DriverStay.left_at).is_not(None))
        .where(col(DriverStay.operator_id) == operator_id)
        .order_by(col(DriverStay.session_id).desc())
        .limit(HISTORY_MAX)
    )
    return list(await unit.session.exec(statement))


async def list_active(unit: UnitOfWork, driver_id: UUID) -> list[DriverStay]:
    """Return the stays that have not ended, newest first."""
    statement = (
        select(DriverStay)
        .where(col(DriverStay.driver_id) == driver_id, col(DriverStay.left_at).is_(None))
        .order_by(col(DriverStay.session_id).desc())
        .limit(ACTIVE_STAYS_MAX)
    )
    return list(await unit.session.exec(statement))


async def list_page(
    unit: UnitOfWork, driver_id: UUID, *, first: int, after: UUID | None
) -> list[DriverStay]:
    """Return up to `first` stays, newest first, that began before the session `after`."""
    statement = select(DriverStay).where(col(DriverStay.driver_id) == driver_id)
    if after is not None:
        statement = statement.where(col(DriverStay.session_id) < after)
    newest = statement.order_by(col(DriverStay.session_id).desc()).limit(min(first, PAGE_MAX + 1))
    return list(await unit.session.exec(newest))
