"""Promised spaces as staff see them."""

from dataclasses import fields as fields_of
from datetime import datetime

import strawberry

from api.global_ids import encode_id
from api.staff.places import AREA_ID
from api.types.page import PageInfo
from api.types.reservation import OFFER_KIND, RESERVATION_KIND, RIGHT_POOL_KIND
from parking.offers.models import (
    OfferState,
    Reservation,
    ReservationState,
    RightPool,
    SpaceOffer,
)
from parking.offers.risk import show_up_limit
from parking.offers.terms import PoolTerms


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
    ahead_s_min: int = strawberry.field(
        name="aheadSecondsMin",
        description="A window begins no sooner than so long after it is reserved.",
    )
    ahead_s_max: int = strawberry.field(name="aheadSecondsMax", description="And no later.")
    stay_s_max: int = strawberry.field(name="staySecondsMax", description="A window's longest.")
    kept_ahead_s: int = strawberry.field(
        name="keptAheadSeconds", description="The gates keep the space so long before the window."
    )
    grace_s: int = strawberry.field(
        name="graceSeconds", description="And so long after the latest arrival."
    )
    cancellable_s: int = strawberry.field(
        name="cancellableSeconds",
        description="It may be cancelled until so long before the window.",
    )
    offer_s: int = strawberry.field(name="offerSeconds", description="So long an offer stands.")
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

    nodes: list[StaffSpaceOffer]
    page_info: PageInfo


@strawberry.type(description="A page of a pool's reservations, newest first.")
class StaffReservationPage:
    """A page of reservations."""

    nodes: list[StaffReservation]
    page_info: PageInfo


@strawberry.input
class RightPoolTermsInput:
    """What is promised, and how long it is kept; seconds throughout."""

    name: str
    spaces: int
    risk_basis_points: int = strawberry.field(
        default=0, description="In 1/10,000; 0 never promises more than there are; at most 1000."
    )
    ahead_s_min: int = strawberry.field(
        name="aheadSecondsMin",
        default=0,
        description="A window begins no sooner than so long after it is reserved.",
    )
    ahead_s_max: int = strawberry.field(
        name="aheadSecondsMax", default=1_209_600, description="And no later."
    )
    stay_s_max: int = strawberry.field(
        name="staySecondsMax", default=86_400, description="A window's longest."
    )
    kept_ahead_s: int = strawberry.field(
        name="keptAheadSeconds",
        default=900,
        description="The gates keep the space so long before the window.",
    )
    grace_s: int = strawberry.field(
        name="graceSeconds", default=1800, description="And so long after the latest arrival."
    )
    cancellable_s: int = strawberry.field(
        name="cancellableSeconds",
        default=0,
        description="It may be cancelled until so long before the window.",
    )
    offer_s: int = strawberry.field(
        name="offerSeconds", default=900, description="So long an offer stands."
    )
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
