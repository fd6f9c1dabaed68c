"""What a provider's stand-in says it has taken and given back, in its own words and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """An order in a provider's own books."""

    number: str
    amount_minor: int
    currency: str
    status: str
    is_guaranteed: bool = False

    @property
    def is_captured(self) -> bool:
        """Whether the provider has the money."""
        return self.status == "succeeded"

    @property
    def is_live(self) -> bool:
        """Whether it may still take the money."""
        return self.status == "accepted"


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A refund in a provider's own books."""

    number: str
    charge: str
    amount_minor: int
    status: str


@dataclass(frozen=True, slots=True)
class Books:
    """One provider's books.

    Attributes:
        charged_back: By the number of the charge, what its payer's bank took back and still has.
        balances: What it holds for us, by currency.
        notices_pending: Notices that are still to be posted.
    """

    orders: Mapping[str, Order] = field(default_factory=dict[str, Order])
    refunds: Mapping[str, GivenBack] = field(default_factory=dict[str, GivenBack])
    charged_back: Mapping[str, int] = field(default_factory=dict[str, int])
    balances: Mapping[str, int] = field(default_factory=dict[str, int])
    notices_pending: int = 0


def read_books(shown: Mapping[str, Any]) -> Books:
    """Return the books that a stand-in shows at `/_books`."""
    orders = [
        Order(
            row["number"],
            row["amount_minor"] or 0,
            row["currency"] or "",
            row["status"],
            row["guaranteed"],
        )
        for row in shown["orders"]
    ]
    refunds = [
        GivenBack(row["number"], row["charge"], row["amount_minor"], row["status"])
        for row in shown["refunds"]
    ]
    return Books(
        orders={order.number: order for order in orders},
        refunds={refund.number: refund for refund in refunds},
        charged_back={
            row["number"]: row["amount_minor"]
            for row in shown["chargebacks"]
            if row["status"] != "won"
        },
        balances={currency: sums["balance_minor"] for currency, sums in shown["sums"].items()},
        notices_pending=shown["notices"]["pending"],
    )
