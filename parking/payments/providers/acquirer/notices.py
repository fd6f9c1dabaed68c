"""What a verified notice says."""

from pydantic import ValidationError

from parking.payments.port import Notice, NoticeKind, NoticeRefusedError
from parking.payments.providers.acquirer.answers import (
    AgreementAnswer,
    Answer,
    ChargebackAnswer,
    OrderAnswer,
    RefundAnswer,
    Text,
    Time,
)

BODY_BYTES_MAX = 16 * 1024

# The status that the data must show, so that a notice cannot say two things at once.
_STATUS = {
    NoticeKind.AGREEMENT_SIGNED: "active",
    NoticeKind.AGREEMENT_CANCELLED: "cancelled",
    NoticeKind.CHARGE_SUCCEEDED: "succeeded",
    NoticeKind.CHARGE_FAILED: "failed",
    NoticeKind.REFUND_SUCCEEDED: "succeeded",
    NoticeKind.REFUND_FAILED: "failed",
    NoticeKind.CHARGEBACK_OPENED: "opened",
    NoticeKind.CHARGEBACK_WON: "won",
    NoticeKind.CHARGEBACK_LOST: "lost",
}


class _Envelope(Answer):
    id: Text
    type: NoticeKind
    occurred_at: Time


class _AgreementNotice(_Envelope):
    data: AgreementAnswer


class _OrderNotice(_Envelope):
    data: OrderAnswer


class _RefundNotice(_Envelope):
    data: RefundAnswer


class _ChargebackNotice(_Envelope):
    data: ChargebackAnswer


_MODELS: dict[str, type[_AgreementNotice | _OrderNotice | _RefundNotice | _ChargebackNotice]] = {
    "agreement": _AgreementNotice,
    "charge": _OrderNotice,
    "refund": _RefundNotice,
    "chargeback": _ChargebackNotice,
}


def parse_notice(body: bytes) -> Notice:
    """Return the notice in a body whose signature was checked.

    Raises:
        NoticeRefusedError: the body is not a notice of this wire.
    """
    try:
        kind = _Envelope.model_validate_json(body).type
        # A kind of the port that this wire has no word for is no notice of it.
        notice = _MODELS[kind.partition(".")[0]].model_validate_json(body)
    except (ValidationError, KeyError) as error:
        raise NoticeRefusedError("body") from error
    if notice.data.status != _STATUS[kind]:
        raise NoticeRefusedError("body")
    data = notice.data
    result = data.state() if isinstance(data, AgreementAnswer) else data.result()
    return Notice(notice_id=notice.id, kind=kind, occurred_at=notice.occurred_at, result=result)
