"""Coupons, as their driver sees them."""

from datetime import datetime
from uuid import UUID

import strawberry

from api.global_ids import Node, encode_id
from api.types.money import Money
from api.types.page import PageInfo
from parking.coupons.models import CouponState
from parking.flows.coupons.choosing import CouponView
from parking.kit.money import Money as Amount
from parking.tariffs.coupon_terms import CouponKindName, CouponWish

COUPON_KIND = "Coupon"
strawberry.enum(
    CouponState, name="CouponState", description="Where a coupon stands. More values may come."
)
strawberry.enum(
    CouponKindName,
    name="CouponKind",
    description="What a coupon takes off. More values may come.",
)
strawberry.enum(
    CouponWish,
    name="CouponChoice",
    description="What you want of a coupon for a running stay. More values may come.",
)


@strawberry.type(name="Coupon", description="What takes something off a stay of yours, once.")
class CouponNode(Node):
    """A driver's coupon."""

    name: str
    kind: CouponKindName
    value: int | None = strawberry.field(
        description="Minor units, percent or minutes by `kind`; null for FREE."
    )
    amount_max: Money | None = strawberry.field(
        description="The most that it takes off; null for no limit."
    )
    currency: str
    state: CouponState
    choice: CouponWish
    session_id: strawberry.ID | None = strawberry.field(
        description="The stay that it is reserved for or was used for; else null."
    )
    discount: Money = strawberry.field(description="What it took off bills that count.")
    place_ids: list[strawberry.ID] | None = strawberry.field(
        description="Where it counts; null for every place of the operator."
    )
    claimed_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, view: CouponView) -> "CouponNode":
        """Return the coupon for its driver."""
        row, definition = view.row, view.definition
        most, stay_id = definition.amount_minor_max, row.session_id
        places = definition.place_ids
        return cls(
            id=encode_id(COUPON_KIND, row.operator_id, row.id),
            name=definition.name,
            kind=CouponKindName(definition.kind),
            value=definition.value,
            amount_max=None if most is None else Money.of(Amount(most, definition.currency)),
            currency=definition.currency,
            state=row.state,
            choice=CouponWish(row.choice),
            session_id=None if stay_id is None else encode_id("Session", stay_id),
            discount=Money.of(Amount(row.discount_minor, definition.currency)),
            place_ids=None
            if places is None
            else [encode_id("Place", row.operator_id, UUID(one)) for one in places],
            claimed_at=row.claimed_at,
            expires_at=row.expires_at,
        )


@strawberry.type(description="A coupon and where it stands in the list.")
class CouponEdge:
    """A coupon in a list."""

    cursor: str
    node: CouponNode


@strawberry.type(description="A page of coupons.")
class CouponConnection:
    """A page of coupons."""

    edges: list[CouponEdge]
    page_info: PageInfo
