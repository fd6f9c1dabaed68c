"""What a notice says, after its signature was checked and its resource was opened."""

import base64
import binascii
from dataclasses import replace
from datetime import datetime
from typing import Literal, TypeVar

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ValidationError

from parking.payments.port import (
    Advance,
    AgreementState,
    AgreementStatus,
    ChargeResult,
    Notice,
    NoticeKind,
    NoticeRefusedError,
    RefundResult,
)
from parking.payments.providers.wechat.agreements import Services
from parking.payments.providers.wechat.answers import (
    Answer,
    Merchants,
    OrderAnswer,
    ParkingStateAnswer,
    RefundNoticeAnswer,
    Text,
    Time,
    hint_of,
)

BODY_BYTES_MAX = 64 * 1024
_NONCE_LENGTH = 12

# The state that the resource must show, so that a notice cannot say two things at once.
_CHARGES: dict[str, tuple[NoticeKind, set[str]]] = {
    "TRANSACTION.SUCCESS": (NoticeKind.CHARGE_SUCCEEDED, {"SUCCESS"}),
    "TRANSACTION.FAIL": (NoticeKind.CHARGE_FAILED, {"PAY_FAIL", "FAIL"}),
    "TRANSACTION.PAY_BACK": (NoticeKind.PAYER_REPAID, {"SUCCESS"}),
}
_REFUNDS: dict[str, tuple[NoticeKind | None, str]] = {
    "REFUND.SUCCESS": (NoticeKind.REFUND_SUCCEEDED, "SUCCESS"),
    "REFUND.CLOSED": (NoticeKind.REFUND_FAILED, "CLOSED"),
    # Not the end of it: staff must act at the merchant platform, and the query will tell.
    "REFUND.ABNORMAL": (None, "ABNORMAL"),
}
_STATE_CHANGE = "VEHICLE.ENTRANCE_STATE_CHANGE"
# The payer took the plate out of the service. A pause and a debt can end by themselves.
_REMOVED = "REMOVE"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
_ResourceT = TypeVar("_ResourceT", bound=Merchants)


class _Resource(Answer):
    algorithm: Literal["AEAD_AES_256_GCM"]
    ciphertext: str
    nonce: str
    associated_data: str | None = None


class _Envelope(Answer):
    id: Text
    create_time: Time
    event_type: Text
    resource: _Resource


class NoticeReader:
    """Opens and reads notices of one merchant.

    Args:
        api_key: The APIv3 key.
        merchant: Whose notices to believe.
        sub_merchant: Likewise, where a service provider acts for one.
        services: Reads our parking numbers.
    """

    def __init__(
        self, api_key: str, *, merchant: str, sub_merchant: str | None, services: Services
    ) -> None:
        self._cipher = AESGCM(api_key.encode())
        self._merchant = merchant
        self._sub_merchant = sub_merchant
        self._services = services

    def read(self, body: bytes) -> tuple[Notice, ...]:
        """Return what a body says whose signature was checked.

        Raises:
            NoticeRefusedError: it is not a notice, cannot be opened, or is another merchant's.
        """
        try:
            envelope = _Envelope.model_validate_json(body)
            opened = self._open(envelope.resource)
            return self._notices(envelope, opened)
        except (ValidationError, ValueError, InvalidTag) as error:
            raise NoticeRefusedError("body") from error

    def _open(self, resource: _Resource) -> bytes:
        sealed = base64.b64decode(resource.ciphertext, validate=True)
        nonce = resource.nonce.encode()
        if len(nonce) != _NONCE_LENGTH:
            raise binascii.Error("nonce")
        return self._cipher.decrypt(nonce, sealed, (resource.associated_data or "").encode())

    def _notices(self, envelope: _Envelope, opened: bytes) -> tuple[Notice, ...]:
        event = envelope.event_type
        if event in _CHARGES:
            return self._charge(envelope, self._ours(OrderAnswer, opened))
        if event in _REFUNDS:
            return self._refund(envelope, self._ours(RefundNoticeAnswer, opened))
        if event == _STATE_CHANGE:
            return self._parking(envelope, self._ours(ParkingStateAnswer, opened))
        _log.info("wechat_notice_ignored", event_type=event)
        return ()

    def _ours(self, kind: type[_ResourceT], opened: bytes) -> _ResourceT:
        resource = kind.model_validate_json(opened)
        if not resource.belongs_to(self._merchant, self._sub_merchant):
            raise NoticeRefusedError("body")
        return resource

    def _charge(self, envelope: _Envelope, order: OrderAnswer) -> tuple[Notice, ...]:
        kind, states = _CHARGES[envelope.event_type]
        result = order.result()
        if kind is NoticeKind.PAYER_REPAID:
            result = replace(result, advance=Advance.REPAID)
        if order.trade_state not in states or order.amount is None:
            raise NoticeRefusedError("body")
        occurred_at = order.success_time if kind is NoticeKind.CHARGE_SUCCEEDED else None
        return (_notice(envelope, kind, result, occurred_at),)

    def _refund(self, envelope: _Envelope, refund: RefundNoticeAnswer) -> tuple[Notice, ...]:
        kind, state = _REFUNDS[envelope.event_type]
        if refund.status != state:
            raise NoticeRefusedError("body")
        if kind is None:
            _log.error("wechat_refund_abnormal", number=refund.out_refund_no)
            return ()
        return (_notice(envelope, kind, refund.result()),)

    def _parking(self, envelope: _Envelope, parking: ParkingStateAnswer) -> tuple[Notice, ...]:
        service = self._services.of_parking(parking.out_parking_no, parking.plate_number)
        if service is None:
            raise NoticeRefusedError("body")
        at = parking.state_update_time
        if parking.parking_state == "NORMAL":
            state = AgreementState(
                reference=service.reference,
                status=AgreementStatus.ACTIVE,
                payer_hint=hint_of(service.openid),
                signed_at=at,
            )
            return (_notice(envelope, NoticeKind.AGREEMENT_SIGNED, state, at),)
        if parking.blocked_state_description != _REMOVED:
            return ()
        state = AgreementState(
            reference=service.reference, status=AgreementStatus.CANCELLED, cancelled_at=at
        )
        return (_notice(envelope, NoticeKind.AGREEMENT_CANCELLED, state, at),)


def _notice(
    envelope: _Envelope,
    kind: NoticeKind,
    result: AgreementState | ChargeResult | RefundResult,
    occurred_at: datetime | None = None,
) -> Notice:
    return Notice(
        notice_id=envelope.id,
        kind=kind,
        occurred_at=occurred_at or envelope.create_time,
        result=result,
    )
