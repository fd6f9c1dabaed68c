"""What GoCardless posts: many events in one body, without a word about amounts.

An event says that something happened to an object, so its result is mostly `UNKNOWN`, which asks
the caller to ask. Only what a bank takes back is told whole: banks take back whole payments, and
the payment's metadata says how much that was.
"""

import hashlib
import hmac
from typing import Annotated

from pydantic import AwareDatetime, Field, ValidationError

from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments.port import (
    AgreementState,
    AgreementStatus,
    ChargebackState,
    ChargeResult,
    Notice,
    NoticeKind,
    NoticeRefusedError,
    OrderStatus,
    RefundResult,
)
from parking.payments.providers.gocardless.answers import (
    AMOUNT,
    CHARGE,
    CURRENCY,
    NUMBER,
    Links,
    Metadata,
)
from parking.payments.providers.gocardless.transport import Answer

BODY_BYTES_MAX = 512 * 1024
EVENTS_MAX = 250
TOLD_ONLY = "told_only"

_PAYMENTS = {
    "confirmed": NoticeKind.CHARGE_SUCCEEDED,
    "paid_out": NoticeKind.CHARGE_SUCCEEDED,
    "failed": NoticeKind.CHARGE_FAILED,
    "cancelled": NoticeKind.CHARGE_FAILED,
    "customer_approval_denied": NoticeKind.CHARGE_FAILED,
}
CHARGEBACKS = {
    "charged_back": NoticeKind.CHARGEBACK_OPENED,
    "chargeback_settled": NoticeKind.CHARGEBACK_LOST,
    "chargeback_cancelled": NoticeKind.CHARGEBACK_WON,
    # The bank returned a payment after it had confirmed it.
    "late_failure_settled": NoticeKind.CHARGEBACK_LOST,
}
_REFUNDS = {
    "paid": NoticeKind.REFUND_SUCCEEDED,
    "refund_settled": NoticeKind.REFUND_SUCCEEDED,
    "failed": NoticeKind.REFUND_FAILED,
    "bounced": NoticeKind.REFUND_FAILED,
    "funds_returned": NoticeKind.REFUND_FAILED,
}
_MANDATES = {
    "cancelled": NoticeKind.AGREEMENT_CANCELLED,
    "failed": NoticeKind.AGREEMENT_CANCELLED,
    "expired": NoticeKind.AGREEMENT_CANCELLED,
    "blocked": NoticeKind.AGREEMENT_CANCELLED,
}
_BILLING_REQUESTS = {
    "fulfilled": NoticeKind.AGREEMENT_SIGNED,
    "cancelled": NoticeKind.AGREEMENT_CANCELLED,
}


class Details(Answer):
    """Why something happened."""

    cause: Annotated[str, Field(max_length=200)] = "unknown"


class Event(Answer):
    """One thing that happened."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    created_at: AwareDatetime
    resource_type: Annotated[str, Field(max_length=64)]
    action: Annotated[str, Field(max_length=64)]
    details: Details = Details()
    links: Links = Links()
    resource_metadata: Metadata


class _Body(Answer):
    events: Annotated[list[Event], Field(max_length=EVENTS_MAX)]


def require_signature(body: bytes, header: str | None, secret: str) -> None:
    """Return if the header is the body's HMAC-SHA256 under our endpoint's secret, in hex.

    Raises:
        NoticeRefusedError: it is not (`header`, `signature`).
    """
    if not header or not header.isascii():
        raise NoticeRefusedError("header")
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(header.strip(), expected):
        raise NoticeRefusedError("signature")


def parse_events(body: bytes) -> tuple[Notice, ...]:
    """Return what we act on of a body whose signature was checked.

    Raises:
        NoticeRefusedError: the body is not one of events.
    """
    try:
        events = _Body.model_validate_json(body).events
    except ValidationError as error:
        raise NoticeRefusedError("body") from error
    notices = (_notice(event) for event in events)
    return tuple(notice for notice in notices if notice is not None)


def taken_back(event: Event) -> Money | None:
    """Return how much a payment's chargeback takes; None where the payment is not one of ours."""
    try:
        known = event.resource_metadata
        return Money(int(known[AMOUNT]), known[CURRENCY])
    except (KeyError, ValueError, InvalidInputError):
        return None


def _notice(event: Event) -> Notice | None:
    told = {
        "payments": _payment,
        "refunds": _refund,
        "mandates": _mandate,
        "billing_requests": _billing_request,
    }.get(event.resource_type)
    said = told(event) if told else None
    if said is None:
        return None
    kind, result = said
    return Notice(notice_id=event.id, kind=kind, occurred_at=event.created_at, result=result)


_Said = tuple[NoticeKind, AgreementState | ChargeResult | RefundResult | ChargebackState] | None


def _payment(event: Event) -> _Said:
    number, payment = event.resource_metadata.get(NUMBER), event.links.payment
    if number is None or payment is None:
        return None
    if event.action in CHARGEBACKS:
        amount = taken_back(event)
        if amount is None:
            return None
        state = ChargebackState(
            charge_number=number,
            charge_reference=payment,
            reference=payment,
            amount=amount,
            reason=event.details.cause,
        )
        return CHARGEBACKS[event.action], state
    kind = _PAYMENTS.get(event.action)
    if kind is None:
        return None
    return kind, ChargeResult(
        number=number,
        status=OrderStatus.UNKNOWN,
        failure_code=TOLD_ONLY,
        provider_reference=payment,
    )


def _refund(event: Event) -> _Said:
    known = event.resource_metadata
    kind, number = _REFUNDS.get(event.action), known.get(NUMBER)
    if kind is None or number is None or CHARGE not in known:
        return None
    return kind, RefundResult(
        number=number,
        charge_number=known[CHARGE],
        status=OrderStatus.UNKNOWN,
        failure_code=TOLD_ONLY,
        provider_reference=event.links.refund,
    )


def _mandate(event: Event) -> _Said:
    kind, mandate = _MANDATES.get(event.action), event.links.mandate
    if kind is None or mandate is None:
        return None
    return kind, AgreementState(reference=mandate, status=AgreementStatus.UNKNOWN)


def _billing_request(event: Event) -> _Said:
    kind, request = _BILLING_REQUESTS.get(event.action), event.links.billing_request
    if kind is None or request is None:
        return None
    return kind, AgreementState(reference=request, status=AgreementStatus.UNKNOWN)
