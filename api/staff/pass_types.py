"""Pass products and held passes as staff see them."""

from datetime import datetime

import strawberry

from api.global_ids import encode_id
from api.types.money import Money
from api.types.page import PageInfo
from api.types.passes import PassProduct
from parking.flows.passes.pass_view import PassView
from parking.passes import models

HELD_ID = "HeldPass"


@strawberry.type(description="A product of yours, with what only you see of it.")
class StaffPassProduct:
    """A product of the operator."""

    id: strawberry.ID
    product: PassProduct
    is_on_sale: bool
    quantity: int | None = strawberry.field(
        description="How many may be held at once; null for any number."
    )
    held: int = strawberry.field(description="How many are held now, unpaid purchases included.")
    created_at: datetime
    created_by: str

    @classmethod
    def of(cls, row: models.RightSpecification) -> "StaffPassProduct":
        """Return the product for its operator's staff."""
        product = PassProduct.of(row)
        return cls(
            id=product.id,
            product=product,
            is_on_sale=row.is_on_sale,
            quantity=row.quantity,
            held=row.sold,
            created_at=row.created_at,
            created_by=row.created_by,
        )


@strawberry.type(description="A pass that somebody holds; it does not say who.")
class HeldPass:
    """A pass that somebody holds."""

    id: strawberry.ID
    product: PassProduct
    state: models.PassState
    plates: list[str]
    starts_at: datetime
    paid_until: datetime
    valid_until: datetime | None
    renews: bool
    next_price: Money | None
    is_granted: bool = strawberry.field(description="True for one that staff gave away.")
    decided_by: str | None = strawberry.field(description="Who granted or revoked it.")
    reason: str | None = strawberry.field(description="Why it was granted, or why it ended.")
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, view: PassView) -> "HeldPass":
        """Return the pass for its operator's staff."""
        return cls(
            id=encode_id(HELD_ID, view.id),
            product=PassProduct.of(view.product),
            state=view.state,
            plates=list(view.plates),
            starts_at=view.starts_at,
            paid_until=view.paid_until,
            valid_until=view.valid_until,
            renews=view.renews,
            next_price=None if view.next_price is None else Money.of(view.next_price),
            is_granted=view.driver_id is None,
            decided_by=view.decided_by,
            reason=view.reason,
            created_at=view.created_at,
            ended_at=view.ended_at,
        )


@strawberry.type(description="A page of held passes, newest first.")
class HeldPassPage:
    """A page of held passes."""

    nodes: list[HeldPass]
    page_info: PageInfo
