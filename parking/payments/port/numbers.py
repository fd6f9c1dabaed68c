"""Our numbers, amounts and words, as every provider takes them."""

import re
from uuid import UUID

from parking.kit.errors import InvalidInputError
from parking.kit.money import Money

NUMBER_LENGTH_MAX = 32
DESCRIPTION_LENGTH_MAX = 120
DEADLINE_S_MAX = 30.0

_NUMBER = re.compile(rf"[0-9A-Za-z]{{1,{NUMBER_LENGTH_MAX}}}")


def order_number(order_id: UUID) -> str:
    """Return the number under which a provider knows the order: the id's 32 hex digits."""
    return order_id.hex


def require_number(field: str, number: str) -> None:
    """Raise InvalidInputError unless every provider takes it as a number."""
    if not _NUMBER.fullmatch(number):
        raise InvalidInputError(field, f"1 to {NUMBER_LENGTH_MAX} characters out of 0-9A-Za-z")


def require_positive(amount: Money) -> None:
    """Raise InvalidInputError unless it is more than nothing."""
    if amount.amount_minor <= 0:
        raise InvalidInputError("amount", "more than nothing")


def require_description(text: str, *, field: str = "description") -> None:
    """Raise InvalidInputError unless every provider shows it whole."""
    if not 0 < len(text) <= DESCRIPTION_LENGTH_MAX:
        raise InvalidInputError(field, f"1 to {DESCRIPTION_LENGTH_MAX} characters")
