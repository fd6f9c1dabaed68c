"""What of a stay's price was given up, as its bills say it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from parking.flows.bill_lines import Credit
from parking.payments.models import Bill

# What a bill calls an amount that was given up for a reason that no rate table knows.
WAIVED: Final = "waived"


def credits_of(bills: Iterable[Bill]) -> tuple[Credit, ...]:
    """Return the credits of a stay: each version of its bills carries on those before it.

    Where one of several bills was lowered, it is the one that gives up the most.
    """
    return max((_credits(bill.basis) for bill in bills), key=waived_minor, default=())


def waived_minor(given: Iterable[Credit]) -> int:
    """Return how much was given up."""
    return -sum(credit.amount_minor for credit in given if credit.reason == WAIVED)


def _credits(basis: Mapping[str, Any]) -> tuple[Credit, ...]:
    stored: list[Mapping[str, Any]] = basis.get("credits", [])
    return tuple(Credit(item["reason"], item["amount_minor"], item["note"]) for item in stored)
