"""The names of the events that more than one feature knows."""

from enum import StrEnum
from typing import Final


class EventType(StrEnum):
    """What happened. Payloads carry `driver_id`, `place_name`, `timezone` where they are known."""

    SESSION_ENTERED = "SessionEntered"
    SESSION_BILL_CHANGED = "SessionBillChanged"
    SESSION_CANCELLED = "SessionCancelled"
    SESSION_ENDED = "SessionEnded"
    BILL_DUE = "BillDue"
    BILL_OWED = "BillOwed"
    COLLECTION_FAILED = "CollectionFailed"
    PAYMENT_CHARGED = "PaymentCharged"
    PAYMENT_REFUSED = "PaymentRefused"
    PAYMENT_REFUNDED = "PaymentRefunded"
    PAYMENT_CHARGED_BACK = "PaymentChargedBack"
    CHARGEBACK_REVERSED = "ChargebackReversed"
    BILL_CORRECTED = "BillCorrected"
    DISPUTE_DECIDED = "DisputeDecided"
    GATE_OPENED = "GateOpened"
    EXIT_OVERRIDDEN = "ExitOverridden"
    SIGN_CHANGED = "SignChanged"
    REVIEW_DECIDED = "ReviewDecided"
    INVOICE_ISSUED = "InvoiceIssued"
    PASS_CHARGED = "PassCharged"
    PASS_PURCHASED = "PassPurchased"
    PASS_PURCHASE_FAILED = "PassPurchaseFailed"
    PASS_RENEWAL_UPCOMING = "PassRenewalUpcoming"
    PASS_RENEWED = "PassRenewed"
    PASS_RENEWAL_FAILED = "PassRenewalFailed"
    PASS_LAPSED = "PassLapsed"
    PASS_CANCELLED = "PassCancelled"
    PASS_CHANGED = "PassChanged"
    PASS_REFUNDED = "PassRefunded"
    PASS_CHARGED_BACK = "PassChargedBack"
    PASS_CHARGEBACK_REVERSED = "PassChargebackReversed"


PASS_EVENTS: Final = frozenset(
    {
        EventType.PASS_CHARGED,
        EventType.PASS_PURCHASED,
        EventType.PASS_PURCHASE_FAILED,
        EventType.PASS_RENEWAL_UPCOMING,
        EventType.PASS_RENEWED,
        EventType.PASS_RENEWAL_FAILED,
        EventType.PASS_LAPSED,
        EventType.PASS_CANCELLED,
        EventType.PASS_CHANGED,
        EventType.PASS_REFUNDED,
        EventType.PASS_CHARGED_BACK,
        EventType.PASS_CHARGEBACK_REVERSED,
    }
)
"""Events whose subject is a pass; its holder is poked, if it has one."""

NO_STAY_EVENTS: Final = frozenset(
    {
        EventType.INVOICE_ISSUED,
        EventType.EXIT_OVERRIDDEN,
        EventType.SIGN_CHANGED,
        EventType.REVIEW_DECIDED,
    }
)
"""Events whose subject is an invoice, a car at an exit, an area, or a review."""

PLACE_EVENTS: Final = frozenset(
    {
        EventType.SESSION_ENTERED,
        EventType.SESSION_CANCELLED,
        EventType.SESSION_ENDED,
    }
)
"""Events with which a car is counted in or out of its place."""

SESSION_EVENTS: Final = frozenset(EventType) - PASS_EVENTS - NO_STAY_EVENTS
"""Events whose subject is a session: whoever watches the session is poked."""
