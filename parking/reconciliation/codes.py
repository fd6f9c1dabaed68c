"""Every way in which gate, books and provider may differ: a stable code, and what to do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """What a row that does not match is; never reworded, for stored rows and clients name it."""

    MISSING_AT_PROVIDER = "missing_at_provider"
    FAILED_AT_PROVIDER = "failed_at_provider"
    OPENED_MONEY_MISSING = "opened_money_missing"
    MISSING_IN_BOOKS = "missing_in_books"
    TAKEN_AFTER_FAILURE = "taken_after_failure"
    ATTEMPT_UNSETTLED = "attempt_unsettled"
    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    DUPLICATE_AT_PROVIDER = "duplicate_at_provider"
    REFUND_MISSING_AT_PROVIDER = "refund_missing_at_provider"
    REFUND_MISSING_IN_BOOKS = "refund_missing_in_books"
    REFUND_AFTER_FAILURE = "refund_after_failure"
    REFUND_UNSETTLED = "refund_unsettled"
    REFUND_AMOUNT_DIFFERS = "refund_amount_differs"
    REFUND_RETURN_NOT_BOOKED = "refund_return_not_booked"
    CHARGEBACK_NOT_BOOKED = "chargeback_not_booked"
    CHARGEBACK_AMOUNT_DIFFERS = "chargeback_amount_differs"
    CHARGEBACK_REVERSAL_NOT_BOOKED = "chargeback_reversal_not_booked"
    LEDGER_MISSING = "ledger_missing"
    LEDGER_AMOUNT_DIFFERS = "ledger_amount_differs"
    BILL_NOT_PAID = "bill_not_paid"
    BILL_PAID_TWICE = "bill_paid_twice"
    BILL_AMOUNT_DIFFERS = "bill_amount_differs"
    OPENED_UNPAID = "opened_unpaid"
    OPENED_UNBILLED = "opened_unbilled"
    LEFT_WITHOUT_ORDER = "left_without_order"
    GUARANTEE_UNMET = "guarantee_unmet"
    PAID_NOT_LEFT = "paid_not_left"
    CAPTURED_ANOTHER_DAY = "captured_another_day"
    AWAITS_NEXT_DAY = "awaits_next_day"
    PENDING_AT_PROVIDER = "pending_at_provider"

    @property
    def is_difference(self) -> bool:
        """Whether somebody has to do something; the others explain what only looks different."""
        return self not in _NOTES

    @property
    def words(self) -> "Words":
        """What it means, and what to do."""
        return _WORDS[self]


@dataclass(frozen=True, slots=True)
class Words:
    """A code for people, in one sentence each."""

    meaning: str
    advice: str


_NOTES: Final = frozenset(
    {Code.CAPTURED_ANOTHER_DAY, Code.AWAITS_NEXT_DAY, Code.PENDING_AT_PROVIDER}
)

_WORDS: Final = {
    Code.MISSING_AT_PROVIDER: Words(
        "Our books say that the provider took it; no settlement file of the days around has it.",
        "Ask the provider with our number and its reference; if it never took the money, write "
        "the amount off or collect it again.",
    ),
    Code.FAILED_AT_PROVIDER: Words(
        "Succeeded in our books, failed at the provider when asked again.",
        "The bill is unpaid: bill the driver again, and find out which answer was believed.",
    ),
    Code.OPENED_MONEY_MISSING: Words(
        "The gate opened because it was paid, and the provider has no such money.",
        "The car is gone: claim it from the provider with the answer that we stored, or collect "
        "it from the driver.",
    ),
    Code.MISSING_IN_BOOKS: Words(
        "The provider took money under a number that our books do not know.",
        "Find out who sent it (another system on the same account, a restored backup); give it "
        "back at the provider if it is not ours.",
    ),
    Code.TAKEN_AFTER_FAILURE: Words(
        "Our books say that the charge failed; the provider took the money.",
        "Give it back at the provider, or book it if the bill is still unpaid.",
    ),
    Code.ATTEMPT_UNSETTLED: Words(
        "The charge has no outcome in our books yet.",
        "See that a worker runs: it asks the provider again by itself; if it stays, staff must "
        "look at why its answers are not believed.",
    ),
    Code.AMOUNT_DIFFERS: Words(
        "The provider took another amount than our books say.",
        "Give back what is too much at the provider, or bill what is missing; then ask the "
        "provider for the cause.",
    ),
    Code.CURRENCY_DIFFERS: Words(
        "The provider moved another currency than our books say.",
        "Check the currency of the merchant account, and have the provider reverse it.",
    ),
    Code.DUPLICATE_AT_PROVIDER: Words(
        "The provider's file has the movement more than once.",
        "If the payer was charged twice, have the provider reverse the second one at once; if "
        "only the file repeats it, tell the provider.",
    ),
    Code.REFUND_MISSING_AT_PROVIDER: Words(
        "Our books say that it was given back; no settlement file of the days around has it.",
        "Ask the provider with our refund number; give it back again only if it says that it "
        "failed.",
    ),
    Code.REFUND_MISSING_IN_BOOKS: Words(
        "The provider gave money back under a number that our books do not know.",
        "Somebody refunded in the provider's own console: correct the bill with the same amount.",
    ),
    Code.REFUND_AFTER_FAILURE: Words(
        "Our books say that the refund failed; the provider gave the money back.",
        "See that nobody gives it back a second time, and book it.",
    ),
    Code.REFUND_UNSETTLED: Words(
        "The refund has no outcome in our books yet.",
        "See that a worker runs: it asks the provider again by itself.",
    ),
    Code.REFUND_AMOUNT_DIFFERS: Words(
        "The provider gave another amount back than our books say.",
        "Give back what is missing, or tell the provider what was too much.",
    ),
    Code.REFUND_RETURN_NOT_BOOKED: Words(
        "A refund did not reach the payer and its money is back, and our books do not know.",
        "Have the provider send its notice again; then give the money back in another way.",
    ),
    Code.CHARGEBACK_NOT_BOOKED: Words(
        "The payer's bank took the money back, and our books still count it.",
        "Answer the dispute at the provider before its deadline, and book the chargeback.",
    ),
    Code.CHARGEBACK_AMOUNT_DIFFERS: Words(
        "The payer's bank took another amount back than our books say.",
        "Correct the booked chargeback to the provider's amount.",
    ),
    Code.CHARGEBACK_REVERSAL_NOT_BOOKED: Words(
        "The provider gave us a chargeback's money again, and our books do not know.",
        "Book that the dispute was won.",
    ),
    Code.LEDGER_MISSING: Words(
        "The payment or the refund ended, and nothing was posted for it.",
        "A defect: report it with the number; the ledger needs a posting under its own key.",
    ),
    Code.LEDGER_AMOUNT_DIFFERS: Words(
        "What was posted is not the amount of the payment or the refund.",
        "A defect: report it with the number; correct it by a new posting, never by a change.",
    ),
    Code.BILL_NOT_PAID: Words(
        "The money was taken, and the bill that it was for does not count as paid.",
        "Do not collect the bill again; report it with the number.",
    ),
    Code.BILL_PAID_TWICE: Words(
        "Two payments were taken for one bill.",
        "Give this one back; the bill names the other as what paid it.",
    ),
    Code.BILL_AMOUNT_DIFFERS: Words(
        "The payment took another amount than its bill says.",
        "Correct the bill or give the rest back; report it with the number.",
    ),
    Code.OPENED_UNPAID: Words(
        "A gate let the car out for a reason that its bills do not bear out.",
        "Collect the unpaid bill; look at the lane's decision for the cause.",
    ),
    Code.OPENED_UNBILLED: Words(
        "A gate let the car out, and no bill of the stay counts.",
        "Look at the stay and bill it by hand, or say in the note why it costs nothing.",
    ),
    Code.LEFT_WITHOUT_ORDER: Words(
        "The car passed the exit without an order to open, and nobody opened by hand.",
        "Look at the pictures: it followed another car, or the arm stood open; collect the bill.",
    ),
    Code.GUARANTEE_UNMET: Words(
        "The gate opened on the provider's guarantee, and the charge failed afterwards.",
        "Claim it from the provider: it answers for the money.",
    ),
    Code.PAID_NOT_LEFT: Words(
        "The stay was paid, its time ran out long ago, and no gate saw the car leave.",
        "Look for the car; if it is gone, end the stay and look for why its exit was not seen.",
    ),
    Code.CAPTURED_ANOTHER_DAY: Words(
        "The provider's file has it on another day than our books: clocks, or a late answer.",
        "Nothing to do.",
    ),
    Code.AWAITS_NEXT_DAY: Words(
        "It ended close to midnight, and the next day's file is not there yet.",
        "Nothing to do: it is looked at again when that file is there.",
    ),
    Code.PENDING_AT_PROVIDER: Words(
        "The provider has accepted it and collects it within days, as it says it does.",
        "Nothing to do.",
    ),
}
