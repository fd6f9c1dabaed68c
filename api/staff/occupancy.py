"""How full the operator's places are, and what staff set of it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.staff.places import AREA_ID
from api.types.passes import PRODUCT_ID
from parking.flows import occupancy_desk
from parking.flows.occupancy_desk import REASON_LENGTH_MAX, AreaView, PoolView
from parking.occupancy.errors import PoolUnknownError
from parking.occupancy.models import OccupancyCount, SpacePool

POOL_KIND = "SpacePool"


@strawberry.type(description="Spaces that are counted together.")
class StaffPool:
    """Spaces that are counted together."""

    id: strawberry.ID
    kept_for: str | None = strawberry.field(
        description="The pass that they are kept for; null for the public ones."
    )
    spaces: int
    occupied: int = strawberry.field(description="As counted; may be more than `spaces`.")
    kept: int = strawberry.field(
        description="Spaces that wait for cars with a reservation; they are not free."
    )
    free: int
    sessions: int = strawberry.field(
        description="Open stays that are counted here. Where it differs, cars came or went without "
        "a stay, or the count has drifted: set it."
    )
    below_zero: int = strawberry.field(
        description="How often a car left while nobody was counted: the count was too low."
    )
    overflowed: int = strawberry.field(description="How many cars came in beyond the supply.")
    counted_at: datetime

    @classmethod
    def of(cls, view: PoolView) -> "StaffPool":
        """Return the pool for staff."""
        row = view.row
        return cls(
            id=encode_id(POOL_KIND, row.operator_id, row.id),
            kept_for=view.kept_for,
            spaces=row.spaces,
            occupied=row.occupied,
            kept=row.kept,
            free=view.free,
            sessions=view.sessions,
            below_zero=row.below_zero,
            overflowed=row.overflowed,
            counted_at=row.counted_at,
        )


@strawberry.type(description="How full a level or zone is.")
class StaffAreaOccupancy:
    """How full an area is."""

    area_id: strawberry.ID
    name: str
    supply: int
    is_full: bool = strawberry.field(description="What the sign says.")
    keeps_closed: bool = strawberry.field(
        description="Whether a full sign also keeps cars out that have no space kept."
    )
    reopen_free: int = strawberry.field(
        description="So many spaces must be free before a full sign goes out."
    )
    public: StaffPool
    reserved: list[StaffPool]

    @classmethod
    def of(cls, view: AreaView) -> "StaffAreaOccupancy":
        """Return the area for staff."""
        row = view.public.row
        return cls(
            area_id=encode_id(AREA_ID, view.area.operator_id, view.area.id),
            name=view.area.name,
            supply=view.area.supply,
            is_full=row.is_full,
            keeps_closed=row.keeps_closed,
            reopen_free=row.reopen_free,
            public=StaffPool.of(view.public),
            reserved=[StaffPool.of(one) for one in view.reserved],
        )


@strawberry.type(description="A count that somebody set.")
class OccupancyCounted:
    """A count that somebody set."""

    pool_id: strawberry.ID
    before: int
    after: int
    sessions: int
    by: str
    reason: str
    at: datetime

    @classmethod
    def of(cls, row: OccupancyCount) -> "OccupancyCounted":
        """Return the count for staff."""
        return cls(
            pool_id=encode_id(POOL_KIND, row.operator_id, row.pool_id),
            before=row.occupied_before,
            after=row.occupied_after,
            sessions=row.sessions,
            by=row.counted_by,
            reason=row.reason,
            at=row.counted_at,
        )


@strawberry.type(description="The pool as it is set now.")
class PoolSet:
    """The pool as it is set now."""

    pool_id: strawberry.ID
    spaces: int
    occupied: int
    is_full: bool
    keeps_closed: bool
    reopen_free: int

    @classmethod
    def of(cls, row: SpacePool) -> "PoolSet":
        """Return the pool for staff."""
        return cls(
            pool_id=encode_id(POOL_KIND, row.operator_id, row.id),
            spaces=row.spaces,
            occupied=row.occupied,
            is_full=row.is_full,
            keeps_closed=row.keeps_closed,
            reopen_free=row.reopen_free,
        )


@strawberry.input
class SetOccupancyInput:
    """What was counted, or that the open stays are the truth."""

    pool_id: strawberry.ID
    occupied: int | None = strawberry.field(
        default=None, description="Null for as many as there are open stays."
    )
    reason: str = strawberry.field(description=f"At most {REASON_LENGTH_MAX} characters; kept.")


@strawberry.input
class SetFullSignInput:
    """What a full area does."""

    area_id: strawberry.ID
    keeps_closed: bool
    reopen_free: int


@strawberry.input
class KeepSpacesInput:
    """Whom to keep how many spaces for."""

    area_id: strawberry.ID
    product_id: strawberry.ID
    spaces: int = strawberry.field(description="0 gives them back to everybody.")


def _own(info: Info, given: strawberry.ID, kind: str, field: str) -> tuple[UUID, UUID]:
    operator_id, key = decode_keys(given, kind=kind, count=2, field=field)
    if operator_id != info.context.staff().operator_id:
        raise PoolUnknownError(f"{field}: expected one of yours")
    return operator_id, key


@keyed(by_staff, at_once=True)
async def set_occupancy(info: Info, given: Annotated[SetOccupancyInput, Given]) -> OccupancyCounted:
    """Set a pool's count."""
    staff = info.context.staff()
    operator_id, pool_id = _own(info, given.pool_id, POOL_KIND, "poolId")
    count = await occupancy_desk.set_count(
        info.context.parking,
        operator_id,
        pool_id,
        occupied=given.occupied,
        by=staff.recorded_name,
        reason=given.reason,
    )
    return OccupancyCounted.of(count)


@keyed(by_staff, at_once=True)
async def set_full_sign(info: Info, given: Annotated[SetFullSignInput, Given]) -> PoolSet:
    """Set what a full area does."""
    info.context.staff()
    operator_id, area_id = _own(info, given.area_id, AREA_ID, "areaId")
    pool = await occupancy_desk.set_sign(
        info.context.parking,
        operator_id,
        area_id,
        keeps_closed=given.keeps_closed,
        reopen_free=given.reopen_free,
    )
    return PoolSet.of(pool)


@keyed(by_staff, at_once=True)
async def keep_spaces(info: Info, given: Annotated[KeepSpacesInput, Given]) -> PoolSet:
    """Keep spaces for the cars of a pass."""
    info.context.staff()
    operator_id, area_id = _own(info, given.area_id, AREA_ID, "areaId")
    _, product_id = _own(info, given.product_id, PRODUCT_ID, "productId")
    pool = await occupancy_desk.keep_spaces(
        info.context.parking, operator_id, area_id, product_id, spaces=given.spaces
    )
    return PoolSet.of(pool)


@strawberry.type
class OccupancyQueries:
    """The reads about occupancy."""

    @strawberry.field(description="How full a place of yours is, area by area.")
    async def occupancy(self, info: Info, place_id: strawberry.ID) -> list[StaffAreaOccupancy]:
        """Return how full a place is; nothing for another operator's."""
        staff = info.context.staff()
        _, place = decode_keys(place_id, kind="Place", count=2, field="placeId")
        views = await occupancy_desk.show(info.context.parking, staff.operator_id, place)
        return [StaffAreaOccupancy.of(view) for view in views]

    @strawberry.field(description="The newest counts that people set of a pool, newest first.")
    async def occupancy_counts(self, info: Info, pool_id: strawberry.ID) -> list[OccupancyCounted]:
        """Return a pool's newest counts; nothing for another operator's."""
        staff = info.context.staff()
        _, pool = decode_keys(pool_id, kind=POOL_KIND, count=2, field="poolId")
        counts = await occupancy_desk.list_counts(info.context.parking, staff.operator_id, pool)
        return [OccupancyCounted.of(count) for count in counts]


@strawberry.type
class OccupancyMutations:
    """The writes about occupancy."""

    set_occupancy = strawberry.mutation(
        set_occupancy,
        graphql_type=outcome_of(OccupancyCounted, "SetOccupancyResult"),
        description="Set how many cars stand in a pool. Your name and reason are kept.",
    )
    set_full_sign = strawberry.mutation(
        set_full_sign,
        graphql_type=outcome_of(PoolSet, "SetFullSignResult"),
        description="Say whether a full area also keeps cars out, and when its sign goes out.",
    )
    keep_spaces = strawberry.mutation(
        keep_spaces,
        graphql_type=outcome_of(PoolSet, "KeepSpacesResult"),
        description="Keep spaces of an area for the cars of a pass; the public has fewer then.",
    )
