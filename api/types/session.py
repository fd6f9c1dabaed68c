"""Stays as their driver sees them."""

from datetime import datetime

import strawberry

from api.global_ids import Node, encode_id
from api.types.bill import Bill
from api.types.place import Place
from parking.flows.driver_view import SessionView
from parking.sessions import models

strawberry.enum(
    models.SessionState,
    name="SessionState",
    description="Where a stay stands. More values may come: show an unknown one as ACTIVE.",
)


@strawberry.type(description="One stay of one of the driver's cars at one place.")
class Session(Node):
    """One stay."""

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
    bill: Bill = strawberry.field(description="As of now while the stay lasts.")

    @classmethod
    def of(cls, view: SessionView) -> "Session":
        """Return the stay for its driver."""
        return cls(
            id=encode_id("Session", view.id),
            plate=view.plate,
            place=Place.of(view.place),
            entered_at=view.entered_at,
            left_at=view.left_at,
            prepaid_until=view.prepaid_until,
            state=view.state,
            version=view.version,
            bill=Bill.of(view.bill),
        )


@strawberry.type(description="A stay in a list, with its place in it.")
class SessionEdge:
    """A stay in a list."""

    cursor: str = strawberry.field(description="Give it as `after` to go on behind this stay.")
    node: Session


@strawberry.type(description="Where a page of a list stands.")
class PageInfo:
    """Where a page stands."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="A page of the driver's stays, newest first.")
class SessionConnection:
    """A page of stays."""

    edges: list[SessionEdge]
    page_info: PageInfo
