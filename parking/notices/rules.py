"""What each message is: its category, and whether it may wait until the quiet hours are over."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class NoticeCategory(StrEnum):
    """What a message is about, as a driver chooses what to be told of."""

    STAY = "stay"
    BILL = "bill"
    PASS = "pass"  # noqa: S105 - a parking pass
    DISPUTE = "dispute"
    INVOICE = "invoice"
    SECURITY = "security"
    OFFER = "offer"


class NoticeChannel(StrEnum):
    """How a message comes to a driver."""

    IN_APP = "in_app"
    PUSH = "push"
    WEB_PUSH = "web_push"
    SMS = "sms"


class Template(StrEnum):
    """A message's kind: the key of its texts, and its name in the delivery log."""

    SESSION_ENTERED = "session_entered"
    BILL_DUE = "bill_due"
    BILL_OWED = "bill_owed"
    COLLECTION_FAILED = "collection_failed"
    COLLECTION_ENDED = "collection_ended"
    PAYMENT_CHARGED = "payment_charged"
    PAYMENT_REFUSED = "payment_refused"
    PAYMENT_REFUNDED = "payment_refunded"
    PASS_REFUNDED = "pass_refunded"  # noqa: S105 - a parking pass, as those below
    PAYMENT_CHARGED_BACK = "payment_charged_back"
    CHARGEBACK_REVERSED = "chargeback_reversed"
    PASS_CHARGED_BACK = "pass_charged_back"  # noqa: S105
    BILL_CORRECTED = "bill_corrected"
    DISPUTE_REFUNDED = "dispute_refunded"
    DISPUTE_ACCEPTED = "dispute_accepted"
    DISPUTE_REJECTED = "dispute_rejected"
    PASS_CHARGED = "pass_charged"  # noqa: S105
    PASS_PURCHASED = "pass_purchased"  # noqa: S105
    PASS_PURCHASE_FAILED = "pass_purchase_failed"  # noqa: S105
    PASS_RENEWAL_UPCOMING = "pass_renewal_upcoming"  # noqa: S105
    PASS_RENEWED = "pass_renewed"  # noqa: S105
    PASS_RENEWAL_FAILED = "pass_renewal_failed"  # noqa: S105
    PASS_LAPSED = "pass_lapsed"  # noqa: S105
    PASS_CANCELLED = "pass_cancelled"  # noqa: S105
    INVOICE_ISSUED = "invoice_issued"
    CREDIT_NOTE_ISSUED = "credit_note_issued"
    GATE_OPENED_ENTRY = "gate_opened_entry"
    GATE_OPENED_EXIT = "gate_opened_exit"
    PLATE_BOUND = "plate_bound"
    PLATE_TAKEN_OFF = "plate_taken_off"
    PLATE_CLAIM_REFUSED = "plate_claim_refused"
    PLATE_PAYMENT_PAUSED = "plate_payment_paused"
    PLATE_PAYMENT_RESUMED = "plate_payment_resumed"
    SIGNED_IN = "signed_in"
    CAMPAIGN = "campaign"
    SPACE_OFFERED = "space_offered"
    RESERVATION_UPCOMING = "reservation_upcoming"
    RESERVATION_MISSED = "reservation_missed"
    RESERVATION_OVERSTAYED = "reservation_overstayed"
    RESERVATION_FAILED = "reservation_failed"


@dataclass(frozen=True, slots=True)
class TemplateRule:
    """How one kind of message is told.

    Attributes:
        is_urgent: Sent in quiet hours too: the driver is at the gate, or must know at once.
        stale_after: How long after the event it is of use on a phone; None for always. The inbox
            keeps it in any case.
    """

    category: NoticeCategory
    is_urgent: bool = False
    stale_after: timedelta | None = None


_AT_THE_GATE: Final = TemplateRule(
    NoticeCategory.STAY, is_urgent=True, stale_after=timedelta(minutes=15)
)
_BILL: Final = TemplateRule(NoticeCategory.BILL)
_URGENT_BILL: Final = TemplateRule(NoticeCategory.BILL, is_urgent=True)
_DUE_NOW: Final = TemplateRule(NoticeCategory.BILL, is_urgent=True, stale_after=timedelta(hours=12))
_PASS: Final = TemplateRule(NoticeCategory.PASS)
_DISPUTE: Final = TemplateRule(NoticeCategory.DISPUTE)
_INVOICE: Final = TemplateRule(NoticeCategory.INVOICE)
_SECURITY: Final = TemplateRule(NoticeCategory.SECURITY)
_URGENT_SECURITY: Final = TemplateRule(NoticeCategory.SECURITY, is_urgent=True)

RULES: Final[Mapping[Template, TemplateRule]] = {
    # A car that somebody else drives in or out: its owner must know while it can still matter.
    Template.SESSION_ENTERED: TemplateRule(
        NoticeCategory.STAY, is_urgent=True, stale_after=timedelta(hours=12)
    ),
    Template.GATE_OPENED_ENTRY: _AT_THE_GATE,
    Template.GATE_OPENED_EXIT: _AT_THE_GATE,
    # The car stands at the exit and waits for the money.
    Template.BILL_DUE: _DUE_NOW,
    Template.PAYMENT_REFUSED: _DUE_NOW,
    # Money is taken at the gate, while somebody drives: it is told at the same moment.
    Template.PAYMENT_CHARGED: _URGENT_BILL,
    Template.BILL_OWED: _BILL,
    Template.COLLECTION_FAILED: _BILL,
    Template.COLLECTION_ENDED: _BILL,
    Template.PAYMENT_REFUNDED: _BILL,
    Template.PAYMENT_CHARGED_BACK: _BILL,
    Template.CHARGEBACK_REVERSED: _BILL,
    Template.BILL_CORRECTED: _BILL,
    # Money of passes is a bill too; the driver asked for it, or knew the day, so that it can wait.
    Template.PASS_REFUNDED: _BILL,
    Template.PASS_CHARGED_BACK: _BILL,
    Template.PASS_CHARGED: _BILL,
    Template.PASS_PURCHASED: _BILL,
    Template.PASS_RENEWED: _BILL,
    Template.PASS_RENEWAL_FAILED: _BILL,
    Template.PASS_PURCHASE_FAILED: _PASS,
    Template.PASS_RENEWAL_UPCOMING: _PASS,
    Template.PASS_LAPSED: _PASS,
    Template.PASS_CANCELLED: _PASS,
    Template.DISPUTE_REFUNDED: _DISPUTE,
    Template.DISPUTE_ACCEPTED: _DISPUTE,
    Template.DISPUTE_REJECTED: _DISPUTE,
    Template.INVOICE_ISSUED: _INVOICE,
    Template.CREDIT_NOTE_ISSUED: _INVOICE,
    Template.PLATE_BOUND: _SECURITY,
    Template.PLATE_TAKEN_OFF: _SECURITY,
    Template.PLATE_CLAIM_REFUSED: _SECURITY,
    Template.PLATE_PAYMENT_PAUSED: _SECURITY,
    Template.PLATE_PAYMENT_RESUMED: _SECURITY,
    # Whoever holds the account now may be a thief: its owner must not read of it tomorrow.
    Template.SIGNED_IN: _URGENT_SECURITY,
    # Its own time of use has passed before it is handed over, or it is of use for a day.
    # It stands for a quarter of an hour, mostly; nobody is woken for it.
    Template.SPACE_OFFERED: TemplateRule(NoticeCategory.OFFER, stale_after=timedelta(minutes=15)),
    # What the driver asked for, at the hour that the driver chose.
    Template.RESERVATION_UPCOMING: TemplateRule(
        NoticeCategory.STAY, is_urgent=True, stale_after=timedelta(hours=1)
    ),
    Template.RESERVATION_MISSED: TemplateRule(NoticeCategory.STAY),
    Template.RESERVATION_OVERSTAYED: TemplateRule(
        NoticeCategory.STAY, stale_after=timedelta(hours=12)
    ),
    # The car stands before a full car park.
    Template.RESERVATION_FAILED: _AT_THE_GATE,
    Template.CAMPAIGN: TemplateRule(NoticeCategory.OFFER, stale_after=timedelta(hours=24)),
}

# Money was taken: they say from where, when, and what to do about one that the driver disowns.
DEDUCTIONS: Final = frozenset(
    {
        Template.PAYMENT_CHARGED,
        Template.PASS_CHARGED,
        Template.PASS_PURCHASED,
        Template.PASS_RENEWED,
    }
)

ALWAYS_TOLD: Final = frozenset({NoticeCategory.BILL, NoticeCategory.SECURITY})
"""What no driver can switch off altogether."""


def mute_key(category: NoticeCategory, channel: NoticeChannel) -> str:
    """Return how a book names a channel that is switched off for a category."""
    return f"{category}:{channel}"


def is_on(muted: Collection[str], category: NoticeCategory, channel: NoticeChannel) -> bool:
    """Say whether messages of a category may come by a channel."""
    return mute_key(category, channel) not in muted
