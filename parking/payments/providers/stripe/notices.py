"""What a verified event says."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

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
from parking.payments.providers.stripe.agreements import (
    cancelled,
    cancelled_at,
    instrument_of,
)
from parking.payments.providers.stripe.amounts import from_stripe
from parking.payments.providers.stripe.answers import (
    CHARGE_KIND,
    CHECKOUT_KIND,
    Answer,
    Dispute,
    Intent,
    PaymentMethod,
    Refund,
    Seconds,
    Session,
    SetupIntent,
    Text,
)
from parking.payments.providers.stripe.settings import StripeSettings

# A dispute brings its evidence along, now and as it was before: 150,000 characters each, which take
# six bytes where they are not ASCII.
BODY_BYTES_MAX = 2 * 1024 * 1024

_Told = tuple[NoticeKind, AgreementState | ChargeResult | RefundResult | ChargebackState] | None
_ObjectT = TypeVar("_ObjectT", bound=BaseModel)


class _Data(Answer):
    object: dict[str, Any]
    previous_attributes: dict[str, Any] = Field(default_factory=dict[str, Any])


class _Event(Answer):
    id: Text
    type: Text
    created: Seconds
    livemode: bool
    data: _Data
    account: Text | None = None


def parse_event(settings: StripeSettings, body: bytes) -> tuple[Notice, ...]:
    """Return what the body says, whose signature was checked.

    Raises:
        NoticeRefusedError: it is no event, or one of another mode or account.
    """
    try:
        event = _Event.model_validate_json(body)
        # Test events are signed like live ones, and a platform hears of all of its accounts.
        if event.livemode != settings.livemode or event.account != settings.account:
            raise NoticeRefusedError("body")
        read = _READERS.get(event.type)
        told = None if read is None else read(event)
    except ValidationError as error:
        raise NoticeRefusedError("body") from error
    if told is None:
        return ()
    occurred_at = datetime.fromtimestamp(event.created, UTC)
    return (Notice(notice_id=event.id, kind=told[0], occurred_at=occurred_at, result=told[1]),)


def _read(event: _Event, kind: type[_ObjectT]) -> _ObjectT:
    return kind.model_validate(event.data.object)


def _setup(event: _Event) -> _Told:
    setup = _read(event, SetupIntent)
    if not setup.number or setup.usage != "off_session" or setup.customer is None:
        return None
    if setup.status != "succeeded" or not isinstance(setup.payment_method, str):
        raise NoticeRefusedError("body")
    return NoticeKind.AGREEMENT_SIGNED, AgreementState(
        reference=setup.customer,
        status=AgreementStatus.ACTIVE,
        instrument=instrument_of(setup.customer, setup.payment_method),
        signed_at=datetime.fromtimestamp(setup.created, UTC),
    )


def _detached(event: _Event) -> _Told:
    card = _read(event, PaymentMethod)
    before = event.data.previous_attributes.get("customer")
    if not isinstance(before, str) or card.customer is not None:
        return None
    ended_at = cancelled_at(card.metadata)
    return NoticeKind.AGREEMENT_CANCELLED, cancelled(before, ended_at)


def _page_expired(event: _Event) -> _Told:
    page = _read(event, Session)
    if not page.number or page.status != "expired":
        return None
    if page.mode == "setup" and page.customer is not None:
        # Another page of the same customer may have been confirmed: only a question tells.
        return None
    return NoticeKind.CHARGE_FAILED, page.result(page.number)


def _intent_ended(event: _Event) -> _Told:
    intent = _read(event, Intent)
    if intent.kind not in {CHARGE_KIND, CHECKOUT_KIND} or not intent.number:
        return None
    result = intent.result(intent.number)
    if event.type == "payment_intent.succeeded":
        return _expect(NoticeKind.CHARGE_SUCCEEDED, result, OrderStatus.SUCCEEDED)
    if intent.kind == CHECKOUT_KIND:
        # A page makes a new intent for each try; the page's own end is what counts.
        return None
    return _expect(NoticeKind.CHARGE_FAILED, result, OrderStatus.FAILED)


def _refund(event: _Event) -> _Told:
    refund = _read(event, Refund)
    if not refund.number or not refund.charge_number:
        return None
    result = refund.result()
    if result.status == OrderStatus.SUCCEEDED:
        return NoticeKind.REFUND_SUCCEEDED, result
    return (NoticeKind.REFUND_FAILED, result) if result.status == OrderStatus.FAILED else None


_CHARGEBACKS = {
    "needs_response": NoticeKind.CHARGEBACK_OPENED,
    "under_review": NoticeKind.CHARGEBACK_OPENED,
    "appeal_needs_response": NoticeKind.CHARGEBACK_OPENED,
    "appeal_under_review": NoticeKind.CHARGEBACK_OPENED,
    "won": NoticeKind.CHARGEBACK_WON,
    "lost": NoticeKind.CHARGEBACK_LOST,
}


def _dispute(event: _Event) -> _Told:
    dispute = _read(event, Dispute)
    amount = from_stripe(dispute.amount, dispute.currency)
    kind = _CHARGEBACKS.get(dispute.status)
    # A mere inquiry (`warning_…`) and a dispute that was prevented move no money.
    if kind is None:
        return None
    if amount is None:
        raise NoticeRefusedError("body")
    return kind, ChargebackState(
        charge_number=None,
        charge_reference=dispute.payment_intent,
        reference=dispute.id,
        amount=amount,
        reason=dispute.reason,
    )


def _expect(kind: NoticeKind, result: ChargeResult, status: OrderStatus) -> _Told:
    # So that an event cannot say two things at once.
    if result.status != status:
        raise NoticeRefusedError("body")
    return kind, result


_READERS: dict[str, Callable[[_Event], _Told]] = {
    "setup_intent.succeeded": _setup,
    "payment_method.detached": _detached,
    "checkout.session.expired": _page_expired,
    "payment_intent.succeeded": _intent_ended,
    "payment_intent.canceled": _intent_ended,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.closed": _dispute,
    "charge.dispute.funds_withdrawn": _dispute,
    "charge.dispute.funds_reinstated": _dispute,
}
