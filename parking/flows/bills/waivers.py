"""What of a stay's price was given up, as its bills say it."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from parking.flows.bills.bill_basis import CREDITS_MAX
from parking.flows.bills.bill_lines import Credit
from parking.flows.bills.priced_stay import CountedBill
from parking.kit.errors import InvalidInputError
from parking.payments.models import Bill

# What a bill calls an amount that was given up for a reason that no rate table knows.
WAIVED: Final = "waived"


def credits_of(bills: Iterable[CountedBill]) -> tuple[Credit, ...]:
    """Return the credits of a stay, each once, however many of its bills carry it.

    A bill carries those that the stay had when it was issued or corrected. A refund adds one to
    its own bill alone, by words that no other bill has for that amount: see `words_of_refund`.
    """
    found: list[Credit] = []
    for bill in bills:
        known = Counter(found)
        for credit in _credits(bill.basis):
            if known[credit]:
                known[credit] -= 1
            else:
                found.append(credit)
    return tuple(found)


def words_of_refund(note: str, amount_minor: int, others: Iterable[Bill]) -> str:
    """Return the note of a refund, numbered where another bill gave up as much in these words."""
    given = {credit for bill in others for credit in _credits(bill.basis)}
    words, number = note, 1
    while Credit(WAIVED, -amount_minor, words) in given:
        number += 1
        words = f"{note} ({number})"
    return words


def require_room(given: Collection[Credit]) -> None:
    """Refuse one more credit than the stay's next bill could carry on.

    Raises:
        InvalidInputError: there are as many as a bill can hold.
    """
    if len(given) >= CREDITS_MAX:
        raise InvalidInputError("billId", f"one with fewer than {CREDITS_MAX} refunds and waivers")


def waived_minor(given: Iterable[Credit]) -> int:
    """Return how much was given up."""
    return -sum(credit.amount_minor for credit in given if credit.reason == WAIVED)


def _credits(basis: Mapping[str, Any]) -> tuple[Credit, ...]:
    stored: list[Mapping[str, Any]] = basis.get("credits", [])
    return tuple(Credit(item["reason"], item["amount_minor"], item["note"]) for item in stored)
