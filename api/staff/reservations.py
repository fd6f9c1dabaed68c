"""Spaces that the operator promises ahead: pools, what was offered, and who reserved."""

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of
from api.config import PAGE_SIZE
from api.global_ids import decode_id, decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.staff.places import AREA_ID
from api.staff.reservation_types import (
    RightPoolTermsInput,
    StaffOfferPage,
    StaffReservation,
    StaffReservationPage,
    StaffRightPool,
    StaffSpaceOffer,
)
from api.types.page import PageInfo, require_page_size
from api.types.reservation import RIGHT_POOL_KIND
from parking.flows.offers import pools
from parking.offers import pool_file
from parking.offers.errors import RightPoolUnknownError

_OFFER_CURSOR: Final = "StaffOfferCursor"
_RESERVATION_CURSOR: Final = "StaffReservationCursor"


@strawberry.enum(description="How a file is written.")
class PoolFormat(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSON = "json"


_WRITERS: Final = {PoolFormat.CSV: pool_file.write_csv, PoolFormat.JSON: pool_file.write_json}
_READERS: Final = {PoolFormat.CSV: pool_file.read_csv, PoolFormat.JSON: pool_file.read_json}


@strawberry.type(description="The pool as it is set now.")
class RightPoolSet:
    """The pool as it is set now."""

    pool: StaffRightPool


@strawberry.type(description="The pools of the file are as it says.")
class RightPoolsImported:
    """The pools of the file are as it says."""

    pools: list[StaffRightPool]


@strawberry.input
class CreateRightPoolInput:
    """Where spaces are promised."""

    area_id: strawberry.ID
    terms: RightPoolTermsInput


@strawberry.input
class ChangeRightPoolInput:
    """Which pool gets other terms; all of them are replaced."""

    right_pool_id: strawberry.ID
    terms: RightPoolTermsInput


@strawberry.input
class ImportRightPoolsInput:
    """A file of pools."""

    content: str = strawberry.field(description="As `rightPoolFile` writes it.")
    format: PoolFormat = PoolFormat.CSV


def _own(info: Info, given: strawberry.ID, kind: str, field: str) -> tuple[UUID, UUID]:
    operator_id, key = decode_keys(given, kind=kind, count=2, field=field)
    if operator_id != info.context.staff().operator_id:
        raise RightPoolUnknownError(f"{field}: expected one of yours")
    return operator_id, key


@keyed(by_staff, at_once=True)
async def create_right_pool(
    info: Info, given: Annotated[CreateRightPoolInput, Given]
) -> RightPoolSet:
    """Let spaces be promised ahead."""
    operator_id, area_id = _own(info, given.area_id, AREA_ID, "areaId")
    row = await pools.create(info.context.parking, operator_id, area_id, given.terms.terms())
    return RightPoolSet(pool=StaffRightPool.of(row))


@keyed(by_staff, at_once=True)
async def change_right_pool(
    info: Info, given: Annotated[ChangeRightPoolInput, Given]
) -> RightPoolSet:
    """Give a pool other terms."""
    operator_id, pool_id = _own(info, given.right_pool_id, RIGHT_POOL_KIND, "rightPoolId")
    row = await pools.change(info.context.parking, operator_id, pool_id, given.terms.terms())
    return RightPoolSet(pool=StaffRightPool.of(row))


@keyed(by_staff, at_once=True)
async def import_right_pools(
    info: Info, given: Annotated[ImportRightPoolsInput, Given]
) -> RightPoolsImported:
    """Create or change every pool of a file, or none."""
    staff = info.context.staff()
    rows = await pools.store_all(
        info.context.parking, staff.operator_id, _READERS[given.format](given.content)
    )
    return RightPoolsImported(pools=[StaffRightPool.of(row) for row in rows])


@strawberry.type
class ReservationQueries:
    """The reads about promised spaces."""

    @strawberry.field(description="The pools of a place of yours, by area and name.")
    async def right_pools(self, info: Info, place_id: strawberry.ID) -> list[StaffRightPool]:
        """Return a place's pools; nothing for another operator's."""
        staff = info.context.staff()
        _, place = decode_keys(place_id, kind="Place", count=2, field="placeId")
        rows = await pools.list_pools(info.context.parking, staff.operator_id, place)
        return [StaffRightPool.of(row) for row in rows]

    @strawberry.field(description="All your pools as a file that `importRightPools` reads.")
    async def right_pool_file(
        self,
        info: Info,
        format: PoolFormat = PoolFormat.CSV,  # noqa: A002 - the schema's name
    ) -> str:
        """Return the operator's pools as a file."""
        staff = info.context.staff()
        return _WRITERS[format](await pools.list_pools(info.context.parking, staff.operator_id))

    @strawberry.field(description="What was offered of a pool, newest first.")
    async def space_offers(
        self,
        info: Info,
        right_pool_id: strawberry.ID,
        first: int = PAGE_SIZE,
        after: str | None = None,
    ) -> StaffOfferPage:
        """Return a page of offers; nothing for another operator's."""
        require_page_size(first)
        staff = info.context.staff()
        _, key = decode_keys(right_pool_id, kind=RIGHT_POOL_KIND, count=2, field="rightPoolId")
        before = None if after is None else decode_id(after, kind=_OFFER_CURSOR, field="after")
        rows = await pools.offers_of(
            info.context.parking, staff.operator_id, key, first=first + 1, before=before
        )
        cursors = [encode_id(_OFFER_CURSOR, row.id) for row in rows[:first]]
        return StaffOfferPage(
            nodes=[StaffSpaceOffer.of(row) for row in rows[:first]],
            page_info=PageInfo.of(cursors, has_more=len(rows) > first, after=after),
        )

    @strawberry.field(description="The reservations of a pool, newest first.")
    async def reservations(
        self,
        info: Info,
        right_pool_id: strawberry.ID,
        first: int = PAGE_SIZE,
        after: str | None = None,
    ) -> StaffReservationPage:
        """Return a page of reservations; nothing for another operator's."""
        require_page_size(first)
        staff = info.context.staff()
        _, key = decode_keys(right_pool_id, kind=RIGHT_POOL_KIND, count=2, field="rightPoolId")
        kind = _RESERVATION_CURSOR
        before = None if after is None else decode_id(after, kind=kind, field="after")
        rows = await pools.reservations_of(
            info.context.parking, staff.operator_id, key, first=first + 1, before=before
        )
        cursors = [encode_id(kind, row.id) for row in rows[:first]]
        return StaffReservationPage(
            nodes=[StaffReservation.of(row) for row in rows[:first]],
            page_info=PageInfo.of(cursors, has_more=len(rows) > first, after=after),
        )


@strawberry.type
class ReservationMutations:
    """The writes about promised spaces."""

    create_right_pool = strawberry.mutation(
        create_right_pool,
        graphql_type=outcome_of(RightPoolSet, "CreateRightPoolResult"),
        description="Let spaces of an area be reserved ahead. Refusals: `RIGHT_POOL_UNKNOWN`, "
        "`CONFLICT` where the area has a pool of this name.",
    )
    change_right_pool = strawberry.mutation(
        change_right_pool,
        graphql_type=outcome_of(RightPoolSet, "ChangeRightPoolResult"),
        description="Replace a pool's terms; what is promised already keeps its own.",
    )
    import_right_pools = strawberry.mutation(
        import_right_pools,
        graphql_type=outcome_of(RightPoolsImported, "ImportRightPoolsResult"),
        description="Create or change pools by area and name: every row of the file, or none.",
    )
