"""What staff see of how full a place is, and what they set: counts, kept spaces, the sign."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from parking.flows import occupancy
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id, new_id
from parking.occupancy import repository
from parking.occupancy.errors import PoolUnknownError
from parking.occupancy.models import OccupancyCount, SpacePool
from parking.offers import repository as offers
from parking.passes import repository as passes
from parking.places import repository as places
from parking.places.models import IdentifiedArea
from parking.sessions import repository as session_rows

REASON_LENGTH_MAX: Final = 200
HOUR_MAX: Final = 23
COUNT_MAX: Final = 100_000
RECOUNTS_SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class PoolView:
    """How full a pool is.

    Attributes:
        kept_for: The name of the pass that the spaces are kept for; None for the public ones.
        sessions: Open stays that are counted here: what the count should be, if no car came or
            went without one.
    """

    row: SpacePool
    kept_for: str | None
    sessions: int

    @property
    def free(self) -> int:
        """Return how many spaces are free and promised to nobody; none with too many cars."""
        return max(self.row.spaces - self.row.occupied - self.row.kept, 0)


@dataclass(frozen=True, slots=True)
class AreaView:
    """How full an area is: what anybody may take, and what is kept for passes."""

    area: IdentifiedArea
    public: PoolView
    reserved: Sequence[PoolView]


async def show(
    context: ParkingContext, operator_id: UUID, place_id: UUID, *, with_stays: bool = True
) -> list[AreaView]:
    """Return how full a place's areas are; few statements however many there are.

    Counting the open stays reads all of them: only for who compares.
    """
    async with context.database.begin() as unit:
        areas = await places.list_areas(unit, operator_id)
        pools = await repository.list_pools(unit, operator_id, [place_id])
        stays = await session_rows.count_open(unit, operator_id, place_id) if with_stays else {}
        kept = {pool.specification_id for pool in pools if pool.specification_id is not None}
        keys = [(operator_id, specification_id) for specification_id in kept]
        products = await passes.find_products(unit, keys) if keys else {}
    names = {product.id: product.name for product in products.values()}
    views = [
        PoolView(
            pool,
            None if pool.specification_id is None else names.get(pool.specification_id, ""),
            stays.get(pool.id, 0),
        )
        for pool in pools
    ]
    now = context.clock.now()
    return [_area_view(area, views, now) for area in areas if area.place_id == place_id]


async def set_count(
    context: ParkingContext,
    operator_id: UUID,
    pool_id: UUID,
    *,
    occupied: int | None,
    by: str,
    reason: str,
) -> OccupancyCount:
    """Set how many cars stand in a pool; kept with who counted and why.

    Args:
        context: The domain's surroundings.
        operator_id: Whose pool it is.
        pool_id: The pool; an area's id names its public one.
        occupied: What was counted; None for as many as there are open stays.
        by: Who says so.
        reason: Why.

    Raises:
        PoolUnknownError: the operator has none with this id.
        InvalidInputError: no count, or no reason.
    """
    words = _checked_reason(reason)
    if occupied is not None and not 0 <= occupied <= COUNT_MAX:
        raise InvalidInputError("occupied", f"0 to {COUNT_MAX} cars")
    async with context.database.begin() as unit:
        pool = await _lock_pool(unit, operator_id, pool_id)
        stays = await session_rows.count_open(unit, operator_id, pool.place_id)
        count = OccupancyCount(
            operator_id=operator_id,
            id=new_id(unit.now()),
            pool_id=pool.id,
            place_id=pool.place_id,
            occupied_before=pool.occupied,
            occupied_after=stays.get(pool.id, 0) if occupied is None else occupied,
            sessions=stays.get(pool.id, 0),
            reason=words,
            counted_by=by,
            counted_at=unit.now(),
        )
        unit.session.add(count)
        pool.occupied = count.occupied_after
        await show_anew(unit, pool)
        return count


async def set_sign(
    context: ParkingContext,
    operator_id: UUID,
    area_id: UUID,
    *,
    keeps_closed: bool,
    reopen_free: int,
) -> SpacePool:
    """Say whether a full area also keeps cars out, and when its sign goes out again.

    Raises:
        PoolUnknownError: the operator has no such area.
        InvalidInputError: the sign would never go out.
    """
    async with context.database.begin() as unit:
        pool = await _lock_pool(unit, operator_id, area_id)
        if not 0 < reopen_free <= max(pool.spaces, 1):
            raise InvalidInputError("reopenFree", f"1 to {max(pool.spaces, 1)} spaces")
        pool.keeps_closed = keeps_closed
        pool.reopen_free = reopen_free
        await show_anew(unit, pool)
        return pool


async def keep_spaces(
    context: ParkingContext,
    operator_id: UUID,
    area_id: UUID,
    specification_id: UUID,
    *,
    spaces: int,
) -> SpacePool:
    """Keep spaces of an area for the cars of a pass; the public has that many fewer.

    Cars that stand in public spaces already stay counted there. What may be reserved ahead is
    not given to a pass.

    Raises:
        PoolUnknownError: the operator has no such area or pass.
        InvalidInputError: the area has not so many spaces, or cars stand on those given up.
    """
    async with context.database.begin() as unit:
        pools = await repository.lock_pools(unit, operator_id, area_id)
        public = next((pool for pool in pools if pool.specification_id is None), None)
        if public is None:
            raise PoolUnknownError("areaId: expected an area of yours")
        if await passes.find_product(unit, operator_id, specification_id) is None:
            raise PoolUnknownError("productId: expected a pass of yours")
        known = next((one for one in pools if one.specification_id == specification_id), None)
        kept = 0 if known is None else known.spaces
        stand = 0 if known is None else known.occupied
        promised = await offers.sum_spaces(unit, operator_id, area_id)
        # With more promised than there are, no more are given up, and those that are stay.
        most = max(public.spaces + kept - promised, kept)
        if not stand <= spaces <= most:
            raise InvalidInputError("spaces", f"{stand} to {most} spaces")
        if known is None:
            known = SpacePool(
                operator_id=operator_id,
                id=derive_id(area_id, f"pool:{specification_id}"),
                place_id=public.place_id,
                area_id=area_id,
                specification_id=specification_id,
                spaces=spaces,
                counted_at=unit.now(),
            )
        public.spaces += kept - spaces
        public.reopen_free = min(public.reopen_free, max(public.spaces, 1))
        known.spaces = spaces
        known.is_full = known.occupied >= spaces
        unit.session.add(known)
        await show_anew(unit, public)
        return known


async def list_counts(
    context: ParkingContext, operator_id: UUID, pool_id: UUID
) -> Sequence[OccupancyCount]:
    """Return a pool's newest recounts, newest first."""
    async with context.database.begin() as unit:
        return await repository.list_counts(unit, operator_id, pool_id, rows=RECOUNTS_SHOWN_MAX)


async def set_recount(
    context: ParkingContext, operator_id: UUID, area_id: UUID, hour: int | None
) -> SpacePool:
    """Say at which hour of the night an area's counts are set to its open stays; None: never.

    Raises:
        PoolUnknownError: the operator has no such area.
        InvalidInputError: no hour of a day.
    """
    if hour is not None and not 0 <= hour <= HOUR_MAX:
        raise InvalidInputError("hour", f"0 to {HOUR_MAX}, as the clock at the place says")
    async with context.database.begin() as unit:
        pool = await _lock_pool(unit, operator_id, area_id)
        if pool.specification_id is not None:
            raise PoolUnknownError("areaId: expected an area of yours")
        pool.recount_hour = hour
        unit.session.add(pool)
        return pool


async def _lock_pool(unit: UnitOfWork, operator_id: UUID, pool_id: UUID) -> SpacePool:
    known = await repository.find_pool(unit, operator_id, pool_id)
    area_id = pool_id if known is None else known.area_id
    for pool in await repository.lock_pools(unit, operator_id, area_id):
        if pool.id == pool_id:
            return pool
    raise PoolUnknownError("areaId: expected an area of yours")


async def show_anew(unit: UnitOfWork, pool: SpacePool) -> None:
    """Let the sign say what the pool's numbers say now."""
    free = pool.spaces - pool.occupied - pool.kept
    is_full = free <= 0
    if pool.is_full and not is_full:
        is_full = free < pool.reopen_free
    has_changed = is_full != pool.is_full
    pool.is_full = is_full
    pool.counted_at = unit.now()
    unit.session.add(pool)
    if has_changed and pool.specification_id is None:
        await occupancy.tell_sign(unit, pool.operator_id, pool.area_id)


def _area_view(area: IdentifiedArea, views: Sequence[PoolView], now: datetime) -> AreaView:
    own = [view for view in views if view.row.area_id == area.id]
    public = next((view for view in own if view.row.id == area.id), None)
    if public is None:
        # It is made when the first car comes.
        empty = SpacePool(
            operator_id=area.operator_id,
            id=area.id,
            place_id=area.place_id,
            area_id=area.id,
            spaces=area.supply,
            counted_at=now,
        )
        public = PoolView(empty, None, 0)
    return AreaView(area, public, [view for view in own if view.row.id != area.id])


def _checked_reason(reason: str) -> str:
    if not 0 < len(reason.strip()) <= REASON_LENGTH_MAX:
        raise InvalidInputError("reason", f"1 to {REASON_LENGTH_MAX} characters")
    return reason.strip()
