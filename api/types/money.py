"""Money as clients see it."""

import strawberry

from parking.kit import money


@strawberry.type(description="An amount in the currency's smallest unit; never a fraction.")
class Money:
    """An amount."""

    amount_minor: int = strawberry.field(
        description="Cents, fen, yen: 1250 is 12.50 CNY, but 1250 JPY."
    )
    currency: str = strawberry.field(description="ISO 4217, such as `CNY`.")

    @classmethod
    def of(cls, amount: money.Money) -> "Money":
        """Return the amount for a client."""
        return cls(amount_minor=amount.amount_minor, currency=amount.currency)


@strawberry.input(description="An amount that a client sends.")
class MoneyInput:
    """An amount that a client sends."""

    amount_minor: int
    currency: str
