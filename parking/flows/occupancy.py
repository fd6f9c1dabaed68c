"""Counting cars in and out of areas, and the sign that says whether there is room.

What a transaction counts is written right before its commit: a busy area's row is locked for
that moment only, and no car waits for another one's whole decision.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final
from uuid import UUID

from parking.events import outbox
from parking.events.envelope import Event
from parking.events.pokes import EVENT_CHANNELS_MAX, lane_channel
from parking.events.types import EventType
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.occupancy import repository
from parking.occupancy.errors import AreaFullError
from parking.occupancy.repository import Counted
from parking.places import repository as places
from parking.sessions import repository as session_rows
from parking.sessions.models import Session

_POOLS: Final = "space_pools"


def enter(
    unit: UnitOfWork,
    session: Session,
    area_id: UUID,
    specification_ids: Collection[UUID],
    *,
    is_inside: bool = False,
) -> None:
    """Count a stay that begins, in spaces kept for one of its passes or in the public ones.

    The end of the transaction raises `AreaFullError` where the area is full and keeps closed: then
    nothing of the stay has happened. A car that `is_inside` counts in any case.
    """

    async def count() -> None:
        if await enter_reserved(unit, session, area_id, specification_ids):
            return
        counted = await repository.enter_public(
            unit, session.operator_id, area_id, is_inside=is_inside
        )
        if counted is None:
            raise AreaFullError("area: no public space is free")
        await _tell_sign(unit, session.operator_id, area_id, counted)

    unit.at_end((_POOLS, area_id), count)


async def move(
    unit: UnitOfWork, session: Session, area_id: UUID, specification_ids: Collection[UUID]
) -> None:
    """Count a stay whose passes are other ones than was thought where it belongs now."""
    stands = await session_rows.find_pool_id(unit, session.operator_id, session.id)
    if stands is None and not specification_ids:
        return
    pool = None if stands is None else await repository.find_pool(unit, session.operator_id, stands)
    if pool is not None and pool.specification_id in specification_ids:
        # To leave it and come in again might cost it the space that was kept for it.
        return
    leave(unit, session.operator_id, stands or area_id)
    await session_rows.put_in_pool(unit, session.operator_id, session.id, None)
    enter(unit, session, area_id, specification_ids, is_inside=True)


async def enter_reserved(
    unit: UnitOfWork, session: Session, area_id: UUID, specification_ids: Collection[UUID]
) -> bool:
    """Count a stay in spaces kept for one of its passes; returns whether there was one."""
    if not specification_ids:
        return False
    counted = await repository.enter_reserved(unit, session.operator_id, area_id, specification_ids)
    if counted is not None:
        await session_rows.put_in_pool(unit, session.operator_id, session.id, counted.pool_id)
    return counted is not None


def leave(unit: UnitOfWork, operator_id: UUID, pool_id: UUID) -> None:
    """Count a car out of where it was counted."""

    async def count() -> None:
        counted = await repository.leave(unit, operator_id, pool_id)
        if counted is not None and counted.has_changed:
            await _tell_sign(unit, operator_id, pool_id, counted)

    unit.at_end((_POOLS, pool_id), count)


def leave_uncounted(
    unit: UnitOfWork, operator_id: UUID, area_id: UUID, if_nobody: Callable[[], Awaitable[None]]
) -> None:
    """Count a car out that has no stay yet; `if_nobody` follows where there is nobody to count."""

    async def count() -> None:
        if not await repository.lock_occupied(unit, operator_id, area_id):
            await if_nobody()

    # Of the same key, so that nobody else counts in between.
    unit.at_end((_POOLS, area_id), count)
    leave(unit, operator_id, area_id)


def enter_uncounted(unit: UnitOfWork, operator_id: UUID, area_id: UUID) -> None:
    """Count a car that came in without a stay: it stands there, whatever the sign says."""

    async def count() -> None:
        counted = await repository.enter_public(unit, operator_id, area_id, is_inside=True)
        if counted is not None:
            await _tell_sign(unit, operator_id, area_id, counted)

    unit.at_end((_POOLS, area_id), count)


async def tell_sign(unit: UnitOfWork, operator_id: UUID, area_id: UUID) -> None:
    """Let the entries of an area look at its sign again."""
    lane_ids = await places.list_entry_ids(unit, operator_id, area_id)
    _append(unit, operator_id, area_id, lane_ids)
    await unit.session.flush()


async def _tell_sign(unit: UnitOfWork, operator_id: UUID, area_id: UUID, counted: Counted) -> None:
    if counted.has_changed:
        await tell_sign(unit, operator_id, area_id)


def _append(unit: UnitOfWork, operator_id: UUID, area_id: UUID, lanes: Sequence[UUID]) -> None:
    for start in range(0, len(lanes), EVENT_CHANNELS_MAX):
        some = lanes[start : start + EVENT_CHANNELS_MAX]
        outbox.append(
            unit,
            Event(
                id=new_id(unit.now()),
                type=EventType.SIGN_CHANGED,
                owner_id=operator_id,
                subject_id=area_id,
                occurred_at=unit.now(),
                payload={"driver_id": None, "channels": [lane_channel(lane) for lane in some]},
            ),
        )
