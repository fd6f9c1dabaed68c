"""The messages that a device and a number get about an event."""

from collections.abc import Mapping
from typing import Final

from notifications.push import PushMessage
from parking.campaigns.events import CAMPAIGN_MESSAGE
from parking.drivers.deliveries import PendingDelivery, PendingText, Telling
from parking.drivers.events import DRIVER_SIGNED_IN
from parking.drivers.port import SmsMessage
from parking.events.envelope import Event
from parking.events.types import PASS_EVENTS, EventType
from parking.flows.notices.wording import Text
from parking.notices.rules import RULES, NoticeCategory, Template
from parking.notices.service import notice_id_of
from parking.plates.events import PLATE_CLAIM_REFUSED, PLATE_EVENTS

# What an event is about, where it is not a stay.
_SUBJECTS: Final[Mapping[str, str]] = {
    EventType.INVOICE_ISSUED: "invoice_id",
    **dict.fromkeys(PASS_EVENTS, "pass_id"),
    **dict.fromkeys(PLATE_EVENTS, "plate_id"),
    PLATE_CLAIM_REFUSED: "claim_id",
    DRIVER_SIGNED_IN: "sign_in_id",
    CAMPAIGN_MESSAGE: "campaign_id",
}
_DATA_FIELDS: Final = ("amount_minor", "currency", "pay_url", "direction", "place_id")
# FCM keeps four collapse keys a device, so that few categories have one of their own.
_GROUPS: Final[Mapping[NoticeCategory, str]] = {
    NoticeCategory.STAY: "gate",
    NoticeCategory.BILL: "money",
    NoticeCategory.PASS: "money",
    NoticeCategory.INVOICE: "money",
    NoticeCategory.DISPUTE: "dispute",
    NoticeCategory.SECURITY: "security",
    NoticeCategory.OFFER: "offer",
}


def push_message(
    pending: PendingDelivery, template: Template, event: Event, text: Text
) -> PushMessage:
    """Return what is sent to one device; its data name what the app acknowledges and opens."""
    data = {
        "type": event.type,
        "event_id": str(event.id),
        "delivery_id": str(pending.id),
        "notice_id": str(notice_id_of(event.id)),
        "operator_id": str(event.owner_id),
        _SUBJECTS.get(event.type, "session_id"): str(event.subject_id),
        "version": str(event.version or 0),
    }
    known = {name: event.payload.get(name) for name in _DATA_FIELDS}
    data |= {name: str(value) for name, value in known.items() if value is not None}
    return PushMessage(
        delivery_id=pending.id,
        target_kind=pending.target_kind,
        target=pending.target,
        keys=pending.push_keys,
        title=text.title,
        body=text.body,
        tag=str(event.id),
        collapse_key=f"{_GROUPS[RULES[template].category]}:{event.subject_id}",
        data=data,
    )


def text_message(pending: PendingText, telling: Telling, text: Text) -> SmsMessage:
    """Return what is sent to the driver's number."""
    return SmsMessage(
        pending.id,
        pending.phone_number,
        _plain(f"{text.title}. {text.body}"),
        template=telling.template,
        language=text.language,
        values={name: _plain(value) for name, value in text.values.items()},
        driver_id=telling.driver_id,
    )


def _plain(text: str) -> str:
    # A space that does not break is in no alphabet of SMS: it would double what the message costs.
    return text.replace("\u00a0", " ").replace("\u202f", " ")
