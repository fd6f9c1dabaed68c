"""Which message tells of an event, and what it needs to know of it."""

from collections.abc import Mapping
from typing import Any, Final

from parking.campaigns.events import CAMPAIGN_MESSAGE
from parking.drivers.events import DRIVER_SIGNED_IN
from parking.events.envelope import Event
from parking.events.types import EventType
from parking.notices.rules import RULES, Template
from parking.offers import events as offer_events
from parking.plates import events as plate_events

_BY_TYPE: Final[Mapping[str, Template]] = {
    EventType.SESSION_ENTERED: Template.SESSION_ENTERED,
    EventType.BILL_DUE: Template.BILL_DUE,
    EventType.BILL_OWED: Template.BILL_OWED,
    EventType.PAYMENT_CHARGED: Template.PAYMENT_CHARGED,
    EventType.PAYMENT_REFUSED: Template.PAYMENT_REFUSED,
    EventType.PAYMENT_REFUNDED: Template.PAYMENT_REFUNDED,
    EventType.PASS_REFUNDED: Template.PASS_REFUNDED,
    EventType.PAYMENT_CHARGED_BACK: Template.PAYMENT_CHARGED_BACK,
    EventType.CHARGEBACK_REVERSED: Template.CHARGEBACK_REVERSED,
    EventType.PASS_CHARGED_BACK: Template.PASS_CHARGED_BACK,
    EventType.BILL_CORRECTED: Template.BILL_CORRECTED,
    EventType.PASS_CHARGED: Template.PASS_CHARGED,
    EventType.PASS_PURCHASED: Template.PASS_PURCHASED,
    EventType.PASS_PURCHASE_FAILED: Template.PASS_PURCHASE_FAILED,
    EventType.PASS_RENEWAL_UPCOMING: Template.PASS_RENEWAL_UPCOMING,
    EventType.PASS_RENEWED: Template.PASS_RENEWED,
    EventType.PASS_RENEWAL_FAILED: Template.PASS_RENEWAL_FAILED,
    EventType.PASS_LAPSED: Template.PASS_LAPSED,
    EventType.PASS_CANCELLED: Template.PASS_CANCELLED,
    plate_events.PLATE_BOUND: Template.PLATE_BOUND,
    plate_events.PLATE_UNBOUND: Template.PLATE_TAKEN_OFF,
    plate_events.PLATE_CLAIM_REFUSED: Template.PLATE_CLAIM_REFUSED,
    plate_events.PLATE_PAYMENT_PAUSED: Template.PLATE_PAYMENT_PAUSED,
    plate_events.PLATE_PAYMENT_RESUMED: Template.PLATE_PAYMENT_RESUMED,
    DRIVER_SIGNED_IN: Template.SIGNED_IN,
    CAMPAIGN_MESSAGE: Template.CAMPAIGN,
    offer_events.OFFER_RECEIVED: Template.SPACE_OFFERED,
    offer_events.RESERVATION_UPCOMING: Template.RESERVATION_UPCOMING,
    offer_events.RESERVATION_MISSED: Template.RESERVATION_MISSED,
    offer_events.RESERVATION_OVERSTAYED: Template.RESERVATION_OVERSTAYED,
    offer_events.RESERVATION_FAILED: Template.RESERVATION_FAILED,
}
# A dispute's messages say nothing of its words: staff may have written a plate there.
_DISPUTES: Final[Mapping[object, Template]] = {
    "auto_refunded": Template.DISPUTE_REFUNDED,
    "accepted": Template.DISPUTE_ACCEPTED,
    "rejected": Template.DISPUTE_REJECTED,
}
_CREDIT_KINDS: Final = frozenset({"credit_note", "red_fapiao"})
# What texts may say. Everything else of a payload stays out of the inbox.
_ARGUMENTS: Final = (
    "place_name",
    "timezone",
    "currency",
    "amount_minor",
    "before_minor",
    "pass_name",
    "number",
    "provider",
    "entered_at",
    "charged_at",
    "paid_until",
    "valid_until",
    "ended_at",
    "refusal",
    "device_name",
    "starts_at",
    "expires_at",
    "kept_until",
    "ends_at",
    "other_place",
    "title",
    "body",
    "because",
)


def template_of(event: Event) -> Template | None:
    """Return which message tells of `event`; `None` if none does."""
    if event.type == EventType.GATE_OPENED:
        is_exit = event.payload.get("direction") == "exit"
        return Template.GATE_OPENED_EXIT if is_exit else Template.GATE_OPENED_ENTRY
    if event.type == EventType.COLLECTION_FAILED:
        is_last = event.payload.get("is_last_try") is True
        return Template.COLLECTION_ENDED if is_last else Template.COLLECTION_FAILED
    if event.type == EventType.INVOICE_ISSUED:
        is_credit = event.payload.get("kind") in _CREDIT_KINDS
        return Template.CREDIT_NOTE_ISSUED if is_credit else Template.INVOICE_ISSUED
    if event.type == EventType.DISPUTE_DECIDED:
        return _DISPUTES.get(event.payload.get("state"))
    return None if _is_known_already(event) else _BY_TYPE.get(event.type)


def _is_known_already(event: Event) -> bool:
    # Whoever unbinds knows it, and so does whoever signs in where nobody had.
    if event.type == plate_events.PLATE_UNBOUND:
        return event.payload.get("reason") != "staff"
    return event.type == DRIVER_SIGNED_IN and event.payload.get("is_first") is True


def is_urgent(event: Event, template: Template) -> bool:
    """Say whether it is sent in quiet hours too."""
    return RULES[template].is_urgent and event.payload.get("can_wait") is not True


def arguments_of(event: Event) -> dict[str, Any]:
    """Return what a message about `event` may say, as JSON values."""
    known = {name: event.payload.get(name) for name in _ARGUMENTS}
    return {name: value for name, value in known.items() if value is not None}
