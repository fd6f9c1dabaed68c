"""Spaces that the operator promises ahead: pools, what was offered, and who reserved."""

from dataclasses import fields as fields_of
from datetime import datetime
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
from api.types.page import PageInfo, require_page_size
from api.types.reservation import OFFER_KIND, RESERVATION_KIND, RIGHT_POOL_KIND
from parking.flows.offers import pools
from parking.offers import pool_file
from parking.offers.errors import RightPoolUnknownError
from parking.offers.models import (
    OfferState,
    Reservation,
    ReservationState,
    RightPool,
    SpaceOffer,
)
from parking.offers.risk import show_up_limit
from parking.offers.terms import PoolTerms

_OFFER_CURSOR: Final = "StaffOfferCursor"
_RESERVATION_CURSOR: Final = "StaffReservationCursor"


@strawberry.enum(description="How a file is written.")
class PoolFormat(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSON = "json"


_WRITERS: Final = {PoolFormat.CSV: pool_file.write_csv, PoolFormat.JSON: pool_file.write_json}
_READERS: Final = {PoolFormat.CSV: pool_file.read_csv, PoolFormat.JSON: pool_file.read_json}


@strawberry.type(description="Spaces of an area that drivers may reserve, and how they stand.")
class StaffRightPool:
    """Spaces that are promised ahead."""

    id: strawberry.ID
    place_id: strawberry.ID
    area_id: strawberry.ID
    name: str
    spaces: int
    risk_basis_points: int = strawberry.field(
        description="The accepted probability, in 1/10,000, that somebody finds no space."
    )
    show_up_limit: float = strawberry.field(
        description="What is taken for the probability that a driver comes: the upper end of what "
        "past reservations allow."
    )
    ahead_s_min: int
    ahead_s_max: int
    stay_s_max: int
    kept_ahead_s: int
    grace_s: int
    cancellable_s: int
    offer_s: int
    holds_offers: bool = strawberry.field(description="Whether an open offer takes a space.")
    is_on_sale: bool
    waiting: int = strawberry.field(description="Cars that are expected now.")
    standing: int = strawberry.field(description="Cars that came with a reservation.")
    kept: int = strawberry.field(description="Public spaces that the gates keep for them now.")
    shown: int = strawberry.field(description="Reservations whose driver came, ever.")
    missed: int = strawberry.field(description="Reservations whose driver did not.")

    @classmethod
    def of(cls, row: RightPool) -> "StaffRightPool":
        """Return the pool for staff."""
        return cls(
            id=encode_id(RIGHT_POOL_KIND, row.operator_id, row.id),
            place_id=encode_id("Place", row.operator_id, row.place_id),
            area_id=encode_id(AREA_ID, row.operator_id, row.area_id),
            name=row.name,
            spaces=row.spaces,
            risk_basis_points=row.risk_basis_points,
            show_up_limit=show_up_limit(row.shown, row.missed),
            ahead_s_min=row.ahead_s_min,
            ahead_s_max=row.ahead_s_max,
            stay_s_max=row.stay_s_max,
            kept_ahead_s=row.kept_ahead_s,
            grace_s=row.grace_s,
            cancellable_s=row.cancellable_s,
            offer_s=row.offer_s,
            holds_offers=row.holds_offers,
            is_on_sale=row.is_on_sale,
            waiting=row.waiting,
            standing=row.standing,
            kept=row.kept,
            shown=row.shown,
            missed=row.missed,
        )


@strawberry.type(description="An offer of a space; to whom is not said.")
class StaffSpaceOffer:
    """An offer of a space."""

    id: strawberry.ID
    state: OfferState
    source: str = strawberry.field(description="What caused it, such as `campaign`.")
    arrives_from: datetime
    arrives_until: datetime
    expires_at: datetime
    offered_at: datetime
    decided_at: datetime | None

    @classmethod
    def of(cls, row: SpaceOffer) -> "StaffSpaceOffer":
        """Return the offer for staff."""
        return cls(
            id=encode_id(OFFER_KIND, row.operator_id, row.id),
            state=row.state,
            source=row.source,
            arrives_from=row.arrives_from,
            arrives_until=row.arrives_until,
            expires_at=row.expires_at,
            offered_at=row.offered_at,
            decided_at=row.decided_at,
        )


@strawberry.type(description="A reservation; whose is not said.")
class StaffReservation:
    """A reservation."""

    id: strawberry.ID
    state: ReservationState
    starts_at: datetime
    ends_at: datetime
    kept_until: datetime
    session_id: strawberry.ID | None = strawberry.field(description="The stay of its car.")
    arrived_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, row: Reservation) -> "StaffReservation":
        """Return the reservation for staff."""
        stay = row.session_id
        return cls(
            id=encode_id(RESERVATION_KIND, row.operator_id, row.id),
            state=row.state,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            kept_until=row.kept_until,
            session_id=None if stay is None else encode_id("Session", stay),
            arrived_at=row.arrived_at,
            ended_at=row.ended_at,
        )


@strawberry.type(description="A page of a pool's offers, newest first.")
class StaffOfferPage:
    """A page of offers."""

    offers: list[StaffSpaceOffer]
    page_info: PageInfo


@strawberry.type(description="A page of a pool's reservations, newest first.")
class StaffReservationPage:
    """A page of reservations."""

    reservations: list[StaffReservation]
    page_info: PageInfo


@strawberry.type(description="The pool as it is set now.")
class RightPoolSet:
    """The pool as it is set now."""

    pool: StaffRightPool


@strawberry.type(description="The pools of the file are as it says.")
class RightPoolsImported:
    """The pools of the file are as it says."""

    pools: list[StaffRightPool]


@strawberry.input
class RightPoolTermsInput:
    """What is promised, and how long it is kept; seconds throughout."""

    name: str
    spaces: int
    risk_basis_points: int = strawberry.field(
        default=0, description="In 1/10,000; 0 never promises more than there are; at most 1000."
    )
    ahead_s_min: int = 0
    ahead_s_max: int = 1_209_600
    stay_s_max: int = 86_400
    kept_ahead_s: int = strawberry.field(
        default=900, description="The gates keep the space so long before the window."
    )
    grace_s: int = strawberry.field(
        default=1800, description="And so long after the latest arrival."
    )
    cancellable_s: int = strawberry.field(
        default=0, description="It may be cancelled until so long before the window."
    )
    offer_s: int = strawberry.field(default=900, description="So long an offer stands.")
    holds_offers: bool = strawberry.field(
        default=True, description="False: whoever accepts first has the space."
    )
    is_on_sale: bool = True

    def terms(self) -> PoolTerms:
        """Return the terms.

        Raises:
            InvalidInputError: a value is out of its limits.
        """
        return PoolTerms(**{field.name: getattr(self, field.name) for field in fields_of(self)})  # pyright: ignore[reportArgumentType]


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
            offers=[StaffSpaceOffer.of(row) for row in rows[:first]],
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
            reservations=[StaffReservation.of(row) for row in rows[:first]],
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
