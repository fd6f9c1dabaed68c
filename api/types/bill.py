"""The live bill."""

from datetime import datetime

import strawberry

from api.types.money import Money
from parking.flows import live_bill
from parking.kit import money


@strawberry.type(description="One line of a bill; the lines add up to what is due.")
class BillLine:
    """One line of a bill."""

    reason: str = strawberry.field(
        description="Stable word, such as `increment`, `grace` or `paid_before`; more may come."
    )
    amount: Money
    starts_at: datetime | None = strawberry.field(
        description="Where the line's stretch of time begins; null for a line without one."
    )
    ends_at: datetime | None
    note: str = strawberry.field(description="The cap or package that set the amount, or empty.")


@strawberry.type(description="What a stay costs at one moment.")
class Bill:
    """What a stay costs at one moment."""

    lines: list[BillLine]
    total: Money = strawberry.field(description="What the stay costs so far.")
    paid: Money = strawberry.field(description="What of it is paid.")
    due: Money = strawberry.field(description="What leaving now would cost.")
    currency: str
    as_of: datetime = strawberry.field(description="The moment that the bill is of.")
    next_change_at: datetime | None = strawberry.field(
        description="When `due` may change next by time alone; null if it will not."
    )

    @classmethod
    def of(cls, bill: live_bill.LiveBill) -> "Bill":
        """Return the bill for a client."""
        currency = bill.total.currency
        return cls(
            lines=[bill_line(line, currency) for line in bill.lines],
            total=Money.of(bill.total),
            paid=Money.of(bill.paid),
            due=Money.of(bill.due),
            currency=currency,
            as_of=bill.as_of,
            next_change_at=bill.next_change_at,
        )


def bill_line(line: live_bill.BillLine, currency: str) -> BillLine:
    """Return the line for a client."""
    return BillLine(
        reason=line.reason,
        amount=Money.of(money.Money(line.amount_minor, currency)),
        starts_at=line.starts_at,
        ends_at=line.ends_at,
        note=line.note,
    )
