"""Offers of spaces and reservations, as their driver sees them."""

from datetime import datetime

import strawberry

from api.global_ids import Node, encode_id
from api.types.page import PageInfo
from parking.flows.offers.offer_view import OfferView, ReservationView
from parking.offers.models import OfferState, ReservationState, RightPool

OFFER_KIND = "SpaceOffer"
RESERVATION_KIND = "Reservation"
RIGHT_POOL_KIND = "RightPool"
strawberry.enum(
    OfferState, name="SpaceOfferState", description="Where an offer stands. More values may come."
)
strawberry.enum(
    ReservationState,
    name="ReservationState",
    description="Where a reservation stands. HELD belongs to an open offer; FAILED came and found "
    "no space. More values may come.",
)


@strawberry.type(
    name="SpaceOffer", description="A space that you may have, if you accept before it expires."
)
class SpaceOfferNode(Node):
    """A space that is offered."""

    place_id: strawberry.ID
    place_name: str
    timezone: str = strawberry.field(description="Of the place, an IANA name.")
    state: OfferState
    arrives_from: datetime = strawberry.field(description="You may come from then on.")
    arrives_until: datetime = strawberry.field(description="Come before then.")
    ends_at: datetime = strawberry.field(description="The space is yours until then.")
    expires_at: datetime = strawberry.field(description="Count down to it, and accept before.")
    offered_at: datetime
    version: int = strawberry.field(
        description="Counts what happens to all your offers: the greater one is newer."
    )

    @classmethod
    def of(cls, view: OfferView) -> "SpaceOfferNode":
        """Return the offer for its driver."""
        row = view.row
        return cls(
            id=encode_id(OFFER_KIND, row.operator_id, row.id),
            place_id=encode_id("Place", row.operator_id, row.place_id),
            place_name=view.place.name,
            timezone=view.place.timezone,
            state=row.state,
            arrives_from=row.arrives_from,
            arrives_until=row.arrives_until,
            ends_at=row.ends_at,
            expires_at=row.expires_at,
            offered_at=row.offered_at,
            version=row.version,
        )


@strawberry.type(
    name="Reservation",
    description="A space that is yours for a window: any of your bound plates opens the gate, also "
    "when the sign says full. The stay is priced as any other.",
)
class ReservationNode(Node):
    """A space that is promised."""

    place_id: strawberry.ID
    place_name: str
    timezone: str = strawberry.field(description="Of the place, an IANA name.")
    state: ReservationState
    starts_at: datetime
    ends_at: datetime = strawberry.field(description="Leave before then.")
    kept_from: datetime = strawberry.field(
        description="The gate lets you in from then on, once whoever had the space before has left."
    )
    kept_until: datetime = strawberry.field(
        description="If you have not come by then, the space is anybody's."
    )
    cancellable_until: datetime
    arrived_at: datetime | None
    ended_at: datetime | None
    alternative_place_id: strawberry.ID | None = strawberry.field(
        description="Where there was space when yours was taken; null unless FAILED."
    )
    alternative_place_name: str | None

    @classmethod
    def of(cls, view: ReservationView) -> "ReservationNode":
        """Return the reservation for its driver."""
        row, other = view.row, view.row.alternative_id
        return cls(
            id=encode_id(RESERVATION_KIND, row.operator_id, row.id),
            place_id=encode_id("Place", row.operator_id, row.place_id),
            place_name=view.place.name,
            timezone=view.place.timezone,
            state=row.state,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            kept_from=row.kept_from,
            kept_until=row.kept_until,
            cancellable_until=row.cancellable_until,
            arrived_at=row.arrived_at,
            ended_at=row.ended_at,
            alternative_place_id=None
            if other is None
            else encode_id("Place", row.operator_id, other),
            alternative_place_name=None if view.alternative is None else view.alternative.name,
        )


@strawberry.type(description="Spaces of a place that you may reserve.")
class ReservablePool:
    """Spaces that may be reserved."""

    id: strawberry.ID = strawberry.field(description="Give it to `reserveSpace`.")
    name: str
    area_name: str
    ahead_seconds_min: int = strawberry.field(
        description="The window begins no sooner than so long after now."
    )
    ahead_seconds_max: int = strawberry.field(description="And no later.")
    stay_seconds_max: int = strawberry.field(description="The window's longest.")
    grace_seconds: int = strawberry.field(
        description="So long after the window's start the space is kept for you."
    )
    cancellable_seconds: int = strawberry.field(
        description="You may cancel until so long before the window begins."
    )

    @classmethod
    def of(cls, row: RightPool, area_name: str) -> "ReservablePool":
        """Return the pool for drivers."""
        return cls(
            id=encode_id(RIGHT_POOL_KIND, row.operator_id, row.id),
            name=row.name,
            area_name=area_name,
            ahead_seconds_min=row.ahead_s_min,
            ahead_seconds_max=row.ahead_s_max,
            stay_seconds_max=row.stay_s_max,
            grace_seconds=row.grace_s,
            cancellable_seconds=row.cancellable_s,
        )


@strawberry.type(description="An offer in a list.")
class SpaceOfferEdge:
    """An offer in a list."""

    cursor: str = strawberry.field(description="Give it as `after` to go on behind this one.")
    node: SpaceOfferNode


@strawberry.type(description="A page of your offers, newest first.")
class SpaceOfferConnection:
    """A page of offers."""

    edges: list[SpaceOfferEdge]
    page_info: PageInfo


@strawberry.type(description="A reservation in a list.")
class ReservationEdge:
    """A reservation in a list."""

    cursor: str = strawberry.field(description="Give it as `after` to go on behind this one.")
    node: ReservationNode


@strawberry.type(description="A page of your reservations, newest first.")
class ReservationConnection:
    """A page of reservations."""

    edges: list[ReservationEdge]
    page_info: PageInfo
