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
    PAYMENT_CHARGED = "PaymentCharged"
    PAYMENT_REFUSED = "PaymentRefused"
    GATE_OPENED = "GateOpened"


SESSION_EVENTS: Final = frozenset(EventType)
"""Events whose subject is a session: whoever watches the session is poked."""
