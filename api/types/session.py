"""Stays as their driver sees them."""

from datetime import datetime
from uuid import UUID

import strawberry

from api.global_ids import Node, encode_id
from api.request import Info
from api.types.bill import Bill
from api.types.issued_bill import IssuedBill
from api.types.listed_bills import bills_of_stay
from api.types.page import PageInfo
from api.types.place import Place
from api.types.refund import Refund
from api.types.told_later import told_later
from parking.flows.driver_view import SessionView
from parking.sessions import models
from parking.tariffs.circumstances import Circumstances

strawberry.enum(
    models.SessionState,
    name="SessionState",
    description="Where a stay stands. More values may come: show an unknown one as ACTIVE.",
)


@strawberry.type(description="What the place takes the car for; rates may depend on it.")
class Vehicle:
    """What the place takes the car for."""

    vehicle_class: str = strawberry.field(
        description="`car`, `motorcycle`, `van`, `truck`, `bus` or `other`; more may come."
    )
    is_ev: bool
    is_resident: bool
    has_pass: bool = strawberry.field(description="Whether a pass that had begun covers it.")

    @classmethod
    def of(cls, circumstances: Circumstances) -> "Vehicle":
        """Return what a stay's circumstances say of the vehicle."""
        vehicle = circumstances.vehicle
        return cls(
            vehicle_class=vehicle.vehicle_class,
            is_ev=vehicle.is_ev,
            is_resident=vehicle.is_resident,
            has_pass=circumstances.has_pass,
        )


@strawberry.type(description="One stay of one of the driver's cars at one place.")
class Session(Node):
    """One stay."""

    key: strawberry.Private[UUID]
    plate: str
    place: Place
    entered_at: datetime
    left_at: datetime | None
    prepaid_until: datetime | None = strawberry.field(
        description="Until when leaving is free after a payment; null without one."
    )
    state: models.SessionState
    version: int = strawberry.field(
        description="Counts the stay's changes; give the last one seen to `sessionUpdated`."
    )
    rate_table_version: int = strawberry.field(
        description="Number of the place's rate table that counts: the one of the entry."
    )
    vehicle: Vehicle = strawberry.field(description="What the price takes the car for.")
    validations: list[str] = strawberry.field(
        description="Names of the coupons that count for the stay."
    )
    bill: Bill = strawberry.field(description="As of now while the stay lasts.")
    refunds: list[Refund] = strawberry.field(
        description="What goes back to you of what you paid, oldest first."
    )

    @strawberry.field(
        description="Your issued bills of it, newest first; a corrected one stays in the list."
    )
    async def bills(self, info: Info) -> list[IssuedBill]:
        """Return the issued bills."""
        return await bills_of_stay(info.context, self.key)

    @classmethod
    def of(cls, view: SessionView) -> "Session":
        """Return the stay for its driver."""
        return _told_later(view)


_told_later = told_later(
    Session,
    {
        "id": lambda view: encode_id("Session", view.id),
        "key": "id",
        "place": lambda view: Place.of(view.place),
        "vehicle": lambda view: Vehicle.of(view.bill.circumstances),
        "validations": lambda view: list(view.bill.circumstances.validations),
        "bill": lambda view: Bill.of(view.bill),
        "refunds": lambda view: [Refund.of(refund) for refund in view.refunds],
    },
)


@strawberry.type(description="A stay in a list, with its place in it.")
class SessionEdge:
    """A stay in a list."""

    cursor: str = strawberry.field(description="Give it as `after` to go on behind this stay.")
    node: Session


@strawberry.type(description="A page of the driver's stays, newest first.")
class SessionConnection:
    """A page of stays."""

    edges: list[SessionEdge]
    page_info: PageInfo
