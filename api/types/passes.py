"""Passes and what is sold as one, as drivers see them."""

from datetime import date, datetime
from enum import Enum
from typing import Final
from uuid import UUID

import strawberry

from api.global_ids import Node, encode_id
from api.request import Info
from api.types.issued_bill import IssuedBill
from api.types.listed_bills import bills_of_pass
from api.types.money import Money
from parking.flows.passes.pass_view import PassView
from parking.kit import money
from parking.passes import models, periods, rules

RIGHT_ID: Final = "Pass"
PRODUCT_ID: Final = "PassProduct"
MINUTES_PER_HOUR: Final = 60

strawberry.enum(
    models.PassState,
    name="PassState",
    description="PENDING: its payment is not settled, and no gate opens for it. ACTIVE: valid. "
    "GRACE: valid, but its renewal was refused and is tried again. FAILED: it was never paid. "
    "ENDED: it ran out. LAPSED: its renewal was not paid. CANCELLED: by the driver. REVOKED: by "
    "the operator. More values may come: treat an unknown one as not valid.",
)
strawberry.enum(
    periods.PeriodKind,
    name="PassPeriod",
    description="What one price pays for: a calendar month, or a number of days.",
)


@strawberry.enum(description="A day on which the hours of a pass begin.")
class Weekday(Enum):
    """A day of the week; the value is what the domain calls it."""

    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


@strawberry.type(description="A pass as an operator sells it.")
class PassProduct(Node):
    """A pass as an operator sells it."""

    row: strawberry.Private[models.RightSpecification]
    name: str
    place_ids: list[strawberry.ID] = strawberry.field(description="The places that it covers.")
    timezone: str = strawberry.field(description="IANA name: of its days and hours.")
    weekdays: list[Weekday]
    hours_from: str = strawberry.field(description="Local time, such as `07:00`.")
    hours_to: str = strawberry.field(
        description="Local time up to `24:00`; not later than `hoursFrom` is on the next day."
    )
    price: Money = strawberry.field(description="Of a whole period.")
    period: periods.PeriodKind
    period_days: int | None = strawberry.field(description="For periods of DAYS.")
    is_prorated: bool = strawberry.field(
        description="Periods are the calendar's months, and the first one costs its share."
    )
    plates_max: int = strawberry.field(description="How many plates may be on one pass.")
    spaces: int = strawberry.field(description="How many of them it covers at the same time.")
    renews_by_default: bool
    notice_days: int = strawberry.field(
        description="How many days before a renewal its holder is told the price."
    )
    retry_days: list[int] = strawberry.field(
        description="Days after a refused renewal on which it is tried again."
    )
    grace_days: int = strawberry.field(
        description="How many days a pass stays valid after a refused renewal."
    )
    is_sold_out: bool
    valid_from: date | None
    valid_until: date | None = strawberry.field(description="No period begins from this day on.")

    @classmethod
    def of(cls, row: models.RightSpecification) -> "PassProduct":
        """Return the product for a client."""
        return cls(
            id=encode_id(PRODUCT_ID, row.operator_id, row.id),
            row=row,
            name=row.name,
            place_ids=[
                encode_id("Place", row.operator_id, UUID(place_id)) for place_id in row.place_ids
            ],
            timezone=row.timezone,
            weekdays=[Weekday(day) for day in row.weekdays],
            hours_from=clock_text(row.from_minute),
            hours_to=clock_text(row.to_minute),
            price=Money.of(money.Money(row.price_minor, row.currency)),
            period=periods.PeriodKind(row.period),
            period_days=row.period_days,
            is_prorated=row.is_prorated,
            plates_max=row.plates_max,
            spaces=row.spaces,
            renews_by_default=row.renews_by_default,
            notice_days=row.notice_days,
            retry_days=list(row.retry_days),
            grace_days=row.grace_days,
            is_sold_out=row.quantity is not None and row.sold >= row.quantity,
            valid_from=row.valid_from,
            valid_until=row.valid_until,
        )

    @strawberry.field(
        description="What the first period costs if it begins on a local day: give it to "
        "`purchasePass` as `price`."
    )
    def first_price(self, starts_on: date) -> Money:
        """Return the first period's price."""
        terms = rules.terms_of(self.row)
        amount_minor = periods.first_price(terms, starts_on, self.row.price_minor)
        return Money.of(money.Money(amount_minor, self.row.currency))


@strawberry.type(description="A pass that the driver bought.")
class Pass(Node):
    """A pass that the driver bought."""

    operator_key: strawberry.Private[UUID]
    key: strawberry.Private[UUID]
    product: PassProduct
    state: models.PassState
    plates: list[str] = strawberry.field(description="The plates on it, oldest first.")
    starts_at: datetime
    paid_until: datetime
    valid_until: datetime | None = strawberry.field(
        description="Until when it opens gates as far as is known now; null if it does not."
    )
    renews: bool = strawberry.field(description="Whether the driver wants it to renew.")
    renews_at: datetime | None = strawberry.field(
        description="When the next period is charged; null where none is."
    )
    next_price: Money | None = strawberry.field(
        description="What the next period will cost; final once the notice has told it."
    )
    refundable: Money = strawberry.field(
        description="What `cancelPass` with `immediately` would pay back now."
    )
    version: int
    ended_at: datetime | None
    end_reason: str | None = strawberry.field(description="Why it ended, in English.")

    @strawberry.field(
        description="What its newest periods cost, newest first; ask for an invoice by their ids."
    )
    async def bills(self, info: Info) -> list[IssuedBill]:
        """Return the bills."""
        return await bills_of_pass(info.context, self.operator_key, self.key)

    @classmethod
    def of(cls, view: PassView) -> "Pass":
        """Return the pass for its driver."""
        return cls(
            id=encode_id(RIGHT_ID, view.id),
            operator_key=view.product.operator_id,
            key=view.id,
            product=PassProduct.of(view.product),
            state=view.state,
            plates=list(view.plates),
            starts_at=view.starts_at,
            paid_until=view.paid_until,
            valid_until=view.valid_until,
            renews=view.renews,
            renews_at=view.renews_at,
            next_price=None if view.next_price is None else Money.of(view.next_price),
            refundable=Money.of(view.refundable),
            version=view.version,
            ended_at=view.ended_at,
            end_reason=view.reason if view.ended_at is not None else None,
        )


def clock_text(minute: int) -> str:
    """Return the time of day after so many minutes, such as `07:00`."""
    hours, minutes = divmod(minute, MINUTES_PER_HOUR)
    return f"{hours:02d}:{minutes:02d}"
