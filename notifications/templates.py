"""The texts of the messages, by language; what they say never includes a plate."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from parking.events.envelope import Event
from parking.events.types import EventType
from parking.kit.errors import ParkingError
from parking.kit.money import Money
from parking.payments.mandate_terms import texts_of

LOCALES: Final = ("en", "zh", "de")
DEFAULT_LOCALE: Final = "en"
PLACE_NAME_LENGTH_MAX: Final = 80


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
    PASS_REFUNDED = "pass_refunded"
    PAYMENT_CHARGED_BACK = "payment_charged_back"
    CHARGEBACK_REVERSED = "chargeback_reversed"
    PASS_CHARGED_BACK = "pass_charged_back"
    BILL_CORRECTED = "bill_corrected"
    DISPUTE_REFUNDED = "dispute_refunded"
    DISPUTE_ACCEPTED = "dispute_accepted"
    DISPUTE_REJECTED = "dispute_rejected"
    PASS_CHARGED = "pass_charged"
    PASS_PURCHASED = "pass_purchased"
    PASS_PURCHASE_FAILED = "pass_purchase_failed"
    PASS_RENEWAL_UPCOMING = "pass_renewal_upcoming"
    PASS_RENEWED = "pass_renewed"
    PASS_RENEWAL_FAILED = "pass_renewal_failed"
    PASS_LAPSED = "pass_lapsed"
    PASS_CANCELLED = "pass_cancelled"
    INVOICE_ISSUED = "invoice_issued"
    CREDIT_NOTE_ISSUED = "credit_note_issued"
    GATE_OPENED_ENTRY = "gate_opened_entry"
    GATE_OPENED_EXIT = "gate_opened_exit"


class PayloadError(ParkingError):
    """An event's payload lacks what its message says: a defect of whoever emitted it."""

    code = "EVENT_PAYLOAD"


@dataclass(frozen=True, slots=True)
class Text:
    """What the phone shows."""

    title: str
    body: str


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
}
WITH_AMOUNT: Final = frozenset(
    {
        Template.BILL_DUE,
        Template.BILL_OWED,
        Template.COLLECTION_FAILED,
        Template.COLLECTION_ENDED,
        Template.PAYMENT_CHARGED,
        Template.PAYMENT_REFUSED,
        Template.PAYMENT_REFUNDED,
        Template.PASS_REFUNDED,
        Template.PAYMENT_CHARGED_BACK,
        Template.CHARGEBACK_REVERSED,
        Template.PASS_CHARGED_BACK,
        Template.BILL_CORRECTED,
        Template.PASS_CHARGED,
        Template.PASS_PURCHASED,
        Template.PASS_RENEWAL_UPCOMING,
        Template.PASS_RENEWED,
        Template.PASS_RENEWAL_FAILED,
        Template.INVOICE_ISSUED,
        Template.CREDIT_NOTE_ISSUED,
    }
)
# By which end a pass's last day is told.
_LAST_DAYS: Final[Mapping[Template, str]] = {
    Template.PASS_PURCHASED: "paid_until",
    Template.PASS_RENEWAL_UPCOMING: "paid_until",
    Template.PASS_RENEWED: "paid_until",
    Template.PASS_RENEWAL_FAILED: "valid_until",
    Template.PASS_CANCELLED: "ended_at",
}
_INVOICES: Final = frozenset({Template.INVOICE_ISSUED, Template.CREDIT_NOTE_ISSUED})


PASSES: Final = frozenset(
    {*_LAST_DAYS, Template.PASS_CHARGED, Template.PASS_PURCHASE_FAILED, Template.PASS_LAPSED}
)
# Money was taken: they say from where, when, and what to do about one that the driver disowns.
DEDUCTIONS: Final = frozenset(
    {
        Template.PAYMENT_CHARGED,
        Template.PASS_CHARGED,
        Template.PASS_PURCHASED,
        Template.PASS_RENEWED,
    }
)

# A dispute's messages say nothing of its words: staff may have written a plate there.
DISPUTES: Final[Mapping[object, Template]] = {
    "auto_refunded": Template.DISPUTE_REFUNDED,
    "accepted": Template.DISPUTE_ACCEPTED,
    "rejected": Template.DISPUTE_REJECTED,
}


_CREDIT_KINDS: Final = frozenset({"credit_note", "red_fapiao"})


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
        return DISPUTES.get(event.payload.get("state"))
    return _BY_TYPE.get(event.type)


def render(template: Template, event: Event, locale: str) -> Text:
    """Return the message about `event` in the language of `locale`, or in English.

    Amounts are the event's, times are told in the place's zone.

    Raises:
        PayloadError: the payload lacks the amount or the time, or they cannot be read.
    """
    texts = _texts(_language(locale))
    values = {"place": _place(event, default=str(texts["place"]))}
    if template in WITH_AMOUNT:
        values["amount"] = _amount(event, "amount_minor")
    if template == Template.BILL_CORRECTED:
        values["before"] = _amount(event, "before_minor")
    if template in PASSES:
        values["name"] = _pass_name(event, default=str(texts["pass"]))
    if template in _LAST_DAYS:
        values["day"] = _last_day(event, _LAST_DAYS[template])
    if template in _INVOICES:
        values["number"] = str(event.payload.get("number", ""))
    if template == Template.SESSION_ENTERED:
        values["time"] = _time(event, "entered_at")
    chosen = texts[template]
    body = chosen["body"].format_map(values)
    if template in DEDUCTIONS and event.payload.get("provider"):
        body = f"{body} {str(texts['deduction']).format_map(_deduction(event, locale))}"
    return Text(chosen["title"].format_map(values), body)


def _deduction(event: Event, locale: str) -> dict[str, str]:
    provider = str(event.payload["provider"])
    known = texts_of(_language(locale))["providers"]
    if "charged_at" not in event.payload:
        zone = ZoneInfo(event.payload.get("timezone") or "UTC")
        at = event.occurred_at.astimezone(zone)
    else:
        at = _local(event, "charged_at")
    return {"provider": str(known.get(provider, provider)), "at": f"{at:%Y-%m-%d %H:%M}"}


def _language(locale: str) -> str:
    """Return `zh` for `zh-Hans-CN`; languages that nobody translated to are told in English."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in LOCALES else DEFAULT_LOCALE


@cache
def _texts(language: str) -> Mapping[str, Any]:
    source = files("notifications").joinpath("texts", f"{language}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


def _place(event: Event, *, default: str) -> str:
    name = event.payload.get("place_name")
    return str(name)[:PLACE_NAME_LENGTH_MAX] if name else default


def _pass_name(event: Event, *, default: str) -> str:
    name = event.payload.get("pass_name")
    return str(name)[:PLACE_NAME_LENGTH_MAX] if name else default


def _amount(event: Event, name: str) -> str:
    try:
        amount_minor, currency = event.payload[name], event.payload["currency"]
        return Money(amount_minor, cast("str", currency)).format()
    except (KeyError, TypeError, ValueError) as error:
        raise PayloadError(f"{event.type} {event.id}: no readable amount") from error


def _time(event: Event, name: str) -> str:
    return f"{_local(event, name):%H:%M}"


def _last_day(event: Event, name: str) -> str:
    """Return the last local day before an end: what ends at midnight ends with the day before."""
    return f"{_local(event, name) - timedelta(seconds=1):%Y-%m-%d}"


def _local(event: Event, name: str) -> datetime:
    try:
        at = _aware(event.payload[name])
        zone = ZoneInfo(event.payload.get("timezone") or "UTC")
    except (KeyError, TypeError, ValueError, ZoneInfoNotFoundError) as error:
        raise PayloadError(f"{event.type} {event.id}: no readable {name}") from error
    return at.astimezone(zone)


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("expected an aware time")
    return at
