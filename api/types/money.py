"""Money as clients see it."""

from typing import Final, NewType

import strawberry

from parking.kit import money
from parking.kit.errors import InvalidInputError


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


MinorUnits = NewType("MinorUnits", int)
MINOR_UNITS: Final = strawberry.scalar(
    name="MinorUnits",
    description="A whole number of a currency's smallest unit, written like an `Int` of up to 64 "
    "bits: what many amounts come to may be more than an `Int` holds.",
    serialize=int,
    parse_value=int,
)


@strawberry.type(description="What many amounts come to.")
class MoneySum:
    """What many amounts come to."""

    amount_minor: MinorUnits
    currency: str

    @classmethod
    def of(cls, amount: money.Money) -> "MoneySum":
        """Return the sum for a client."""
        return cls(amount_minor=MinorUnits(amount.amount_minor), currency=amount.currency)


@strawberry.input(description="An amount that a client sends.")
class MoneyInput:
    """An amount that a client sends."""

    amount_minor: int
    currency: str


def checked_money(given: MoneyInput | None, *, field: str) -> money.Money | None:
    """Return what a client sent; None for nothing; raises as `required_money`."""
    return None if given is None else required_money(given, field=field)


def required_money(given: MoneyInput, *, field: str) -> money.Money:
    """Return what a client sent.

    Raises:
        InvalidInputError: the currency is no code.
    """
    try:
        return money.Money(given.amount_minor, given.currency)
    except ValueError as error:
        raise InvalidInputError(f"{field}.currency", "an ISO 4217 code such as CNY") from error
