"""The live bill."""

from dataclasses import dataclass
from datetime import datetime

import strawberry

from api.types.money import Money
from api.types.told_later import told_later
from parking.flows.bills import live_bill
from parking.flows.bills.coupon_lines import explained
from parking.kit.errors import InvalidInputError
from parking.tariffs.coupon_choice import Decision


@strawberry.type(description="One line of a bill; the lines add up to what is due.")
class BillLine:
    """One line of a bill."""

    reason: str = strawberry.field(
        description="Stable word, such as `increment`, `grace` or `paid_before`; more may come."
    )
    amount: Money
    running_total: Money = strawberry.field(description="The amounts up to and with this line.")
    starts_at: datetime | None = strawberry.field(
        description="Where the line's stretch of time begins; null for a line without one."
    )
    ends_at: datetime | None
    window: str = strawberry.field(
        description="Name of the days and hours of the rate table that counted, or empty."
    )
    block_minutes: int | None = strawberry.field(
        description="Length of the blocks; null where nothing is charged by blocks."
    )
    block_count: int | None = strawberry.field(
        description="Blocks that have started; null where they are not counted."
    )
    block_amount: Money | None = strawberry.field(
        description="What one block costs before any cap; null without blocks."
    )
    capped_from: Money | None = strawberry.field(
        description="What the line would cost without the cap or package in `note`; null where "
        "none takes anything off."
    )
    note: str = strawberry.field(
        description="The cap, package, pass or coupon that set the amount, or empty."
    )


@strawberry.type(description="What is due from one moment on, if nothing but time happens.")
class PriceStep:
    """What is due from one moment on."""

    at: datetime
    due: Money
    total: Money


strawberry.enum(
    Decision,
    name="CouponDecision",
    description="What became of a coupon on a bill. More values may come.",
)


@strawberry.type(description="What became of one of the stay's coupons on a bill, and why.")
class CouponExplanation:
    """What became of a coupon."""

    name: str = strawberry.field(description="The coupon, as its operator calls it.")
    decision: Decision = strawberry.field(description="Whether it counts, and if not, why.")
    amount: Money = strawberry.field(description="What it takes off; nothing unless APPLIED.")
    because_of: str = strawberry.field(
        description="Names the coupon that counts in its place; empty where none does."
    )


@strawberry.type(description="What a stay costs at one moment.")
class Bill:
    """What a stay costs at one moment."""

    lines: list[BillLine]
    total: Money = strawberry.field(description="What the stay costs so far.")
    paid: Money = strawberry.field(description="What of it is paid.")
    due: Money = strawberry.field(description="What leaving now would cost.")
    currency: str
    as_of: datetime = strawberry.field(description="The moment that the bill is of.")
    priced_from: datetime = strawberry.field(
        description="The entry that the price counts from: an earlier one than the stay's where "
        "it continues stays shortly before it."
    )
    billed_before: Money = strawberry.field(
        description="What those earlier stays were billed; it is taken off here."
    )
    closed_until: datetime | None = strawberry.field(
        description="After a payment: until when leaving costs nothing more; else null."
    )
    reopened_due: Money | None = strawberry.field(
        description="What leaving right after `closedUntil` costs; null without it."
    )
    variant: str = strawberry.field(
        description="Name of the rate for this vehicle; empty for everybody's."
    )
    live: strawberry.Private[live_bill.LiveBill]

    @strawberry.field(description="When `due` changes next by time alone; null if it will not.")
    def next_change_at(self) -> datetime | None:
        """Look ahead."""
        return self.live.next_change_at

    @strawberry.field(
        description=f"What is due at `asOf` and wherever that changes until `until`, as things "
        f"stand: at most {live_bill.CURVE_DAYS_MAX} days and {live_bill.CURVE_STEPS_MAX} steps."
    )
    def price_curve(self, until: datetime) -> list[PriceStep]:
        """Return what is due over time."""
        if until.tzinfo is None:
            raise InvalidInputError("until", "a time with its offset")
        return [
            PriceStep(at=bill.as_of, due=Money.of(bill.due), total=Money.of(bill.total))
            for bill in live_bill.due_curve(self.live, until)
        ]

    @strawberry.field(description="What became of each coupon that the stay holds, and why.")
    def coupons(self) -> list[CouponExplanation]:
        """Explain the coupons."""
        return [
            CouponExplanation(
                name=each.coupon.name,
                decision=each.decision,
                amount=Money(amount_minor=each.amount_minor, currency=self.live.total.currency),
                because_of=each.because_of,
            )
            for each in explained(self.live.circumstances.coupons, self.live.lines)
        ]

    @classmethod
    def of(cls, bill: live_bill.LiveBill) -> "Bill":
        """Return the bill for a client."""
        return _bill_told_later(bill)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line, and what it is in."""

    line: live_bill.BillLine
    currency: str


def bill_line(line: live_bill.BillLine, currency: str) -> BillLine:
    """Return the line for a client."""
    return _line_told_later(_Line(line, currency))


def _amount(amount_minor: int | None, currency: str) -> Money | None:
    return None if amount_minor is None else Money(amount_minor=amount_minor, currency=currency)


# Amounts of the domain are read like those of the schema.
_bill_told_later = told_later(
    Bill,
    {
        "lines": lambda bill: [bill_line(line, bill.total.currency) for line in bill.lines],
        "currency": "total.currency",
        "billed_before": lambda bill: _amount(
            bill.circumstances.billed_before_minor, bill.total.currency
        ),
        "live": lambda bill: bill,
    },
)
_line_told_later = told_later(
    BillLine,
    {
        **{
            name: f"line.{name}"
            for name in ("reason", "starts_at", "ends_at", "block_minutes", "block_count", "note")
        },
        "amount": lambda one: Money(amount_minor=one.line.amount_minor, currency=one.currency),
        "running_total": lambda one: _amount(one.line.running_total_minor, one.currency),
        "window": "line.collection",
        "block_amount": lambda one: _amount(one.line.block_amount_minor, one.currency),
        "capped_from": lambda one: _amount(one.line.capped_from_minor, one.currency),
    },
)
