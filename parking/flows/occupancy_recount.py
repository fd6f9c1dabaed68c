"""Setting counts to the open stays, every night: what cars without a stay left behind ends there.

Each area is a transaction of its own, and is done once a day however often it is asked for.
"""

from typing import Final
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.occupancy_desk import show_anew
from parking.kit.database import UnitOfWork
from parking.kit.errors import ParkingError
from parking.kit.ids import new_id
from parking.occupancy import repository
from parking.occupancy.models import OccupancyCount, SpacePool
from parking.occupancy.repository import DueRecount
from parking.sessions import repository as session_rows

AREAS_PER_PAGE: Final = 200
LATE_HOURS_MAX: Final = 2
COUNTED_BY: Final = "nightly recount"
REASON: Final = "set to the open stays"
_FIRST: Final = (UUID(int=0), UUID(int=0))

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def recount_due(context: ParkingContext) -> int:
    """Recount every area whose hour it is at its place; return how many counts were wrong."""
    changed, after = 0, _FIRST
    while True:
        async with context.database.begin() as unit:
            page = await repository.list_due_recounts(
                unit, after=after, late_hours=LATE_HOURS_MAX, rows=AREAS_PER_PAGE
            )
        for due in page:
            try:
                changed += await _recount(context, due)
            except ParkingError as error:
                # Its next minute comes; the others do not wait for it.
                _log.warning("recount_failed", area_id=str(due.area_id), error=str(error))
        if len(page) < AREAS_PER_PAGE:
            return changed
        after = (page[-1].operator_id, page[-1].area_id)


async def _recount(context: ParkingContext, due: DueRecount) -> int:
    # A car that is counted meanwhile waits for the lock, or was waited for: none is lost.
    async with context.database.begin() as unit:
        pools = await repository.lock_pools(unit, due.operator_id, due.area_id)
        public = next(pool for pool in pools if pool.specification_id is None)
        if public.recount_hour is None or _is_done(public, due):
            return 0
        public.recounted_on = due.local_day
        unit.session.add(public)
        stays = await session_rows.count_open(unit, due.operator_id, public.place_id)
        wrong = [pool for pool in pools if pool.occupied != stays.get(pool.id, 0)]
        for pool in wrong:
            await _set(unit, pool, stays.get(pool.id, 0))
    return len(wrong)


def _is_done(public: SpacePool, due: DueRecount) -> bool:
    return public.recounted_on is not None and public.recounted_on >= due.local_day


async def _set(unit: UnitOfWork, pool: SpacePool, stays: int) -> None:
    unit.session.add(
        OccupancyCount(
            operator_id=pool.operator_id,
            id=new_id(unit.now()),
            pool_id=pool.id,
            place_id=pool.place_id,
            occupied_before=pool.occupied,
            occupied_after=stays,
            sessions=stays,
            reason=REASON,
            counted_by=COUNTED_BY,
            counted_at=unit.now(),
        )
    )
    pool.occupied = stays
    await show_anew(unit, pool)
