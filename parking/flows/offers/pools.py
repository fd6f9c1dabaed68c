"""What staff set and see of the spaces that may be promised ahead."""

from collections.abc import Sequence
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.offers.keeping import keep
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.occupancy import repository as spaces
from parking.offers import repository
from parking.offers.errors import RightPoolUnknownError
from parking.offers.models import Reservation, RightPool, SpaceOffer
from parking.offers.terms import PoolTerms
from parking.places import repository as places
from parking.places.models import IdentifiedArea


async def create(
    context: ParkingContext, operator_id: UUID, area_id: UUID, terms: PoolTerms
) -> RightPool:
    """Let spaces of an area be promised ahead.

    Raises:
        RightPoolUnknownError: the operator has no such area.
        InvalidInputError: the area has not so many spaces besides those of its other pools and
            passes, or the operator has as many pools as one may have.
        ConflictError: it has a pool of this name.
    """
    async with context.database.begin() as unit:
        return await _create(unit, operator_id, area_id, terms)


async def change(
    context: ParkingContext, operator_id: UUID, pool_id: UUID, terms: PoolTerms
) -> RightPool:
    """Set a pool's terms; those of what is promised already stay. Errors as in `create`.

    With fewer spaces than are promised, whoever comes too late for one is made up to.
    """
    async with context.database.begin() as unit:
        pool = await repository.lock_pool(unit, operator_id, pool_id)
        if pool is None:
            raise RightPoolUnknownError("poolId: expected one of yours")
        await _change(unit, pool, terms)
        return pool


async def store_all(
    context: ParkingContext, operator_id: UUID, given: Sequence[tuple[UUID, PoolTerms]]
) -> list[RightPool]:
    """Create or change pools by area and name, all or none; errors as in `create`."""
    if len(given) > repository.POOLS_MAX:
        raise InvalidInputError("pools", f"at most {repository.POOLS_MAX}")
    async with context.database.begin() as unit:
        known = {
            (pool.area_id, pool.name): pool
            for pool in await repository.list_pools(unit, operator_id)
        }
        stored: list[RightPool] = []
        for area_id, terms in given:
            pool = known.get((area_id, terms.name.strip()))
            if pool is None:
                stored.append(await _create(unit, operator_id, area_id, terms))
                continue
            locked = await repository.lock_pool(unit, operator_id, pool.id)
            if locked is not None:
                await _change(unit, locked, terms)
                stored.append(locked)
    return stored


async def list_pools(
    context: ParkingContext, operator_id: UUID, place_id: UUID | None = None
) -> Sequence[RightPool]:
    """Return an operator's pools, or those of a place."""
    async with context.database.begin() as unit:
        return await repository.list_pools(unit, operator_id, place_id)


async def list_on_sale(
    context: ParkingContext, operator_id: UUID, place_id: UUID
) -> list[tuple[RightPool, str]]:
    """Return the pools of a place that a driver may reserve in, with their areas' names."""
    async with context.database.begin() as unit:
        pools = await repository.list_pools(unit, operator_id, place_id)
        names = {area.id: area.name for area in await places.list_areas(unit, operator_id)}
    return [(pool, names.get(pool.area_id, "")) for pool in pools if pool.is_on_sale]


async def offers_of(
    context: ParkingContext, operator_id: UUID, pool_id: UUID, *, first: int, before: UUID | None
) -> Sequence[SpaceOffer]:
    """Return what was offered of a pool, newest first."""
    async with context.database.begin() as unit:
        return await repository.pool_offers(unit, operator_id, pool_id, first=first, before=before)


async def reservations_of(
    context: ParkingContext, operator_id: UUID, pool_id: UUID, *, first: int, before: UUID | None
) -> Sequence[Reservation]:
    """Return a pool's reservations, newest first."""
    async with context.database.begin() as unit:
        return await repository.pool_reservations(
            unit, operator_id, pool_id, first=first, before=before
        )


async def _create(
    unit: UnitOfWork, operator_id: UUID, area_id: UUID, terms: PoolTerms
) -> RightPool:
    area = await _require_area(unit, operator_id, area_id, terms, None)
    if await repository.count_pools(unit, operator_id) >= repository.POOLS_MAX:
        raise InvalidInputError("pools", f"at most {repository.POOLS_MAX} of an operator")
    pool = RightPool(
        operator_id=operator_id,
        id=new_id(unit.now()),
        place_id=area.place_id,
        area_id=area_id,
        name=terms.name.strip(),
        spaces=terms.spaces,
        created_at=unit.now(),
    )
    terms.put_on(pool)
    unit.session.add(pool)
    await unit.session.flush()
    return pool


async def _change(unit: UnitOfWork, pool: RightPool, terms: PoolTerms) -> None:
    await _require_area(unit, pool.operator_id, pool.area_id, terms, pool.id)
    terms.put_on(pool)
    was_kept = pool.kept
    pool.kept = min(pool.waiting, max(pool.spaces - pool.standing, 0))
    unit.session.add(pool)
    await unit.session.flush()
    operator_id, area_id, kept = pool.operator_id, pool.area_id, pool.kept - was_kept
    # A file has many pools: no gate waits for all of them.
    unit.at_end(("space_pools", area_id), lambda: keep(unit, operator_id, area_id, kept))


async def _require_area(
    unit: UnitOfWork, operator_id: UUID, area_id: UUID, terms: PoolTerms, but: UUID | None
) -> IdentifiedArea:
    area = await places.find_area(unit, operator_id, area_id)
    if area is None:
        raise RightPoolUnknownError("areaId: expected an area of yours")
    await spaces.ensure_public(unit, operator_id, area_id)
    public = await spaces.find_pool(unit, operator_id, area_id)
    # What is kept for passes is promised already.
    supply = area.supply if public is None else public.spaces
    free = supply - await repository.sum_spaces(unit, operator_id, area_id, but)
    if terms.spaces > free:
        raise InvalidInputError("spaces", f"at most {max(free, 0)}: what the area has left")
    return area
