"""Every query about notices and their books."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, update
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.locks import lock
from parking.notices.models import Notice, NoticeBook

CATCH_UP_MAX = 200


async def lock_book(unit: UnitOfWork, driver_id: UUID) -> NoticeBook:
    """Lock a driver's book, which is opened with the first use."""
    values = NoticeBook(driver_id=driver_id).model_dump()
    await unit.insert_once(NoticeBook, values)
    book = await lock(unit, NoticeBook, driver_id=driver_id)
    if book is None:
        raise RuntimeError("a book that was opened is gone")
    return book


async def find_book(unit: UnitOfWork, driver_id: UUID) -> NoticeBook:
    """Return a driver's book; before the first use, an empty one."""
    book = await unit.session.get(NoticeBook, driver_id)
    return book or NoticeBook(driver_id=driver_id)


async def find(unit: UnitOfWork, driver_id: UUID, notice_id: UUID) -> Notice | None:
    """Return one notice of a driver."""
    return await unit.session.get(Notice, (driver_id, notice_id))


async def page(
    unit: UnitOfWork,
    driver_id: UUID,
    *,
    first: int,
    before: int | None,
    unacknowledged_only: bool,
) -> Sequence[Notice]:
    """Return up to `first` notices, the newest first, whose number is below `before`."""
    statement = (
        select(Notice)
        .where(col(Notice.driver_id) == driver_id)
        .order_by(col(Notice.number).desc())
        .limit(first)
    )
    if before is not None:
        statement = statement.where(col(Notice.number) < before)
    if unacknowledged_only:
        statement = statement.where(col(Notice.acknowledged_at).is_(None))
    return (await unit.session.exec(statement)).all()


async def since_number(unit: UnitOfWork, driver_id: UUID, number: int) -> Sequence[Notice]:
    """Return a driver's notices after `number`, the oldest first, at most CATCH_UP_MAX."""
    statement = (
        select(Notice)
        .where(col(Notice.driver_id) == driver_id, col(Notice.number) > number)
        .order_by(col(Notice.number))
        .limit(CATCH_UP_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def count_unacknowledged(unit: UnitOfWork, driver_id: UUID) -> int:
    """Return how many notices the driver has not acknowledged."""
    statement = (
        select(func.count())
        .select_from(Notice)
        .where(col(Notice.driver_id) == driver_id, col(Notice.acknowledged_at).is_(None))
    )
    return (await unit.session.exec(statement)).one()


async def known_ids(
    unit: UnitOfWork, driver_id: UUID, notice_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Return which of these are notices of the driver."""
    statement = select(Notice.id).where(
        col(Notice.driver_id) == driver_id, col(Notice.id).in_(notice_ids)
    )
    return frozenset((await unit.session.exec(statement)).all())


async def acknowledge(unit: UnitOfWork, driver_id: UUID, notice_ids: Sequence[UUID]) -> int:
    """Note that the driver has seen these; returns how many had not been seen before."""
    statement = (
        update(Notice)
        .where(col(Notice.driver_id) == driver_id, col(Notice.id).in_(notice_ids))
        .where(col(Notice.acknowledged_at).is_(None))
        .values(acknowledged_at=unit.now())
    )
    return (await unit.run(statement)).rowcount
