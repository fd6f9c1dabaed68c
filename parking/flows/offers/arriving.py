"""A reservation at the gates: its car takes the kept space, and gives it back when it leaves.

What is counted is written right before the commit, as `flows.occupancy` does; a pool's row comes
before its area's. A car without a reservation costs no statement.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from parking.flows import occupancy
from parking.flows.offers.keeping import keep
from parking.kit.database import UnitOfWork
from parking.occupancy import repository as spaces
from parking.occupancy.errors import AreaFullError
from parking.offers import counting, repository
from parking.offers.counting import Shift
from parking.offers.models import ReservationState
from parking.sessions import repository as session_rows
from parking.sessions.models import Session

_POOLS: Final = "right_pools"
_AREAS: Final = "space_pools"


@dataclass(slots=True)
class _Taken:
    """What became of a reservation in the first of two actions, for the second.

    Attributes:
        pool_id: None where it was not expected any more: a car like any other.
        kept: How many more spaces are kept: -1 for one that was this car's.
    """

    pool_id: UUID | None = None
    kept: int = 0


def enter(
    unit: UnitOfWork,
    session: Session,
    area_id: UUID,
    specification_ids: Collection[UUID],
    reservation_id: UUID | None,
    *,
    is_inside: bool = False,
) -> None:
    """Count a stay that begins, on the space that was kept for it where there is one.

    Errors as in `occupancy.enter`; a car with a kept space is let in although the sign says full.
    """
    if reservation_id is None:
        occupancy.enter(unit, session, area_id, specification_ids, is_inside=is_inside)
        return
    came_at = session.entered_at if is_inside else unit.now()
    taken = _take_at_end(unit, session, reservation_id, came_at)

    async def count() -> None:
        if taken.pool_id is None:
            occupancy.enter(unit, session, area_id, specification_ids, is_inside=is_inside)
            return
        if await occupancy.enter_reserved(unit, session, area_id, specification_ids):
            # A pass has spaces of its own: what was kept for the car is then anybody's.
            await keep(unit, session.operator_id, area_id, taken.kept)
            return
        await _enter_kept(unit, session, area_id, reservation_id, taken, is_inside=is_inside)

    unit.at_end((_AREAS, area_id), count)


def take(unit: UnitOfWork, session: Session, area_id: UUID, reservation_id: UUID) -> None:
    """Let a stay that is counted already be that of a reservation."""
    taken = _take_at_end(unit, session, reservation_id, session.entered_at)

    async def count() -> None:
        await keep(unit, session.operator_id, area_id, taken.kept)

    unit.at_end((_AREAS, area_id), count)


def leave(unit: UnitOfWork, operator_id: UUID, reservation_id: UUID, *, came: bool = True) -> None:
    """Let a reservation end with its stay; where the car never `came` in, it is expected again."""
    taken = _Taken()

    async def end() -> None:
        row = await repository.lock_reservation(unit, operator_id, reservation_id)
        if row is None or row.state not in {ReservationState.ARRIVED, ReservationState.OVERSTAYED}:
            return
        comes_again = not came and row.kept_until > unit.now()
        row.version += 1
        row.is_waiting = comes_again
        if not came:
            row.session_id = row.arrived_at = None
        row.state = ReservationState.CONFIRMED if comes_again else ReservationState.LEFT
        row.ended_at = None if comes_again else unit.now()
        row.due_at = row.kept_until if comes_again else None
        unit.session.add(row)
        change = Shift(waiting=int(comes_again), standing=-1, shown=-int(comes_again))
        taken.kept = await counting.shift(unit, operator_id, row.pool_id, change)
        area_id = row.area_id
        unit.at_end((_AREAS, area_id), lambda: keep(unit, operator_id, area_id, taken.kept))

    unit.at_end((_POOLS, reservation_id), end)


async def correct(
    unit: UnitOfWork, session: Session, area_id: UUID, reservation_id: UUID | None
) -> None:
    """Let an open stay that is another plate's be that plate's reservation's, or none's."""
    known = await session_rows.find_reservation_id(unit, session.operator_id, session.id)
    if known is not None:
        await session_rows.note_reservation(unit, session.operator_id, session.id, None)
        leave(unit, session.operator_id, known, came=False)
    if reservation_id is not None:
        take(unit, session, area_id, reservation_id)


def _take_at_end(
    unit: UnitOfWork, session: Session, reservation_id: UUID, came_at: datetime
) -> _Taken:
    taken = _Taken()

    async def arrive() -> None:
        came = await counting.arrive(unit, session.operator_id, reservation_id, session.id, came_at)
        if came is None:
            return
        change = Shift(
            waiting=-int(came.was_waiting), standing=1, shown=1, missed=-int(came.was_missed)
        )
        taken.kept = await counting.shift(unit, session.operator_id, came.pool_id, change)
        taken.pool_id = came.pool_id
        await session_rows.note_reservation(unit, session.operator_id, session.id, reservation_id)

    unit.at_end((_POOLS, reservation_id), arrive)
    return taken


async def _enter_kept(
    unit: UnitOfWork,
    session: Session,
    area_id: UUID,
    reservation_id: UUID,
    taken: _Taken,
    *,
    is_inside: bool,
) -> None:
    area = await spaces.keep(unit, session.operator_id, area_id, kept=taken.kept, came=1)
    # One that nothing was kept for takes no space that waits for somebody else.
    owed = 0 if taken.kept < 0 else area.kept
    if area.occupied + owed > area.spaces and not is_inside:
        if area.keeps_closed:
            raise AreaFullError("area: the promised space is taken", reservation_id)
        await _fail(unit, session, area_id, reservation_id, taken)
    if area.counted.has_changed:
        await occupancy.tell_sign(unit, session.operator_id, area_id)


async def _fail(
    unit: UnitOfWork, session: Session, area_id: UUID, reservation_id: UUID, taken: _Taken
) -> None:
    """Note that a car that is let in finds no space; what makes up for it follows by itself."""
    if taken.pool_id is None:
        raise AssertionError("a reservation that was taken has a pool")
    await counting.fail(unit, session.operator_id, reservation_id)
    await session_rows.note_reservation(unit, session.operator_id, session.id, None)
    kept = await counting.shift(unit, session.operator_id, taken.pool_id, Shift(standing=-1))
    await keep(unit, session.operator_id, area_id, kept)
