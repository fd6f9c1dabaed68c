"""What Alipay posts to `notify_url`: a form, signed over its sorted and decoded parameters.

No time window is documented, and a repetition is a byte-for-byte copy with the same `notify_id`:
acting once on a `notify_id` is what stops a replay.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import unquote_to_bytes

from parking.kit.clock import Clock
from parking.payments.port import (
    CLOSED,
    AgreementStatus,
    ChargeResult,
    Notice,
    NoticeKind,
    NoticeOutcome,
    NoticeRefusedError,
    NoticeReply,
    OrderStatus,
)
from parking.payments.providers.alipay.agreements import agreement_state
from parking.payments.providers.alipay.answers import ENDED, PAID, Agreement, Trade, read
from parking.payments.providers.alipay.settings import AlipaySettings
from parking.payments.providers.alipay.signature import (
    SIGN_TYPE,
    AlipayKeys,
    SignatureRefusedError,
    notice_text,
)
from parking.payments.providers.alipay.wire_values import instant

BODY_BYTES_MAX = 64 * 1024
PARAMETERS_MAX = 100
FORM = "application/x-www-form-urlencoded"
TRADE_NOTICE = "trade_status_sync"
SIGNED_NOTICE = "dut_user_sign"
UNSIGNED_NOTICE = "dut_user_unsign"
NOTIFY_ID_LENGTH_MAX = 128

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_ENCODED = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})*", re.DOTALL)
# Joined by `&` and `=`, such a value would sign the same text as two parameters.
_HIDDEN_PARAMETER = re.compile(r"&[A-Za-z][A-Za-z0-9_]*=", re.ASCII)
_REPLIES = {
    NoticeOutcome.TAKEN: (200, b"success"),
    # Anything but `success` makes Alipay repeat it, eight times within 25 hours.
    NoticeOutcome.REFUSED: (400, b"fail"),
    NoticeOutcome.BUSY: (503, b"fail"),
    NoticeOutcome.IMPOSSIBLE: (200, b"success"),
}


class NoticeReader:
    """Reads forms that Alipay signed, for our application and our account."""

    def __init__(self, settings: AlipaySettings, keys: AlipayKeys, clock: Clock) -> None:
        self._app_id = settings.app_id
        self._seller_id = settings.seller_id
        self._keys = keys
        self._clock = clock

    def read(self, headers: Mapping[str, str], body: bytes) -> tuple[Notice, ...]:
        """Return what a verified form says; empty where nothing follows from it.

        Raises:
            NoticeRefusedError: see there.
        """
        media_type = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
        if media_type.partition(";")[0].strip().lower() != FORM:
            raise NoticeRefusedError("header")
        form = parse_form(body)
        sign = form.get("sign")
        if sign is None or form.get("sign_type") != SIGN_TYPE:
            raise NoticeRefusedError("signature")
        try:
            self._keys.check(notice_text(form), sign)
        except SignatureRefusedError as error:
            raise NoticeRefusedError("signature") from error
        if form.get("app_id") != self._app_id or form.get("charset", "").lower() != "utf-8":
            raise NoticeRefusedError("body")
        return self._notices(form)

    def _notices(self, form: dict[str, str]) -> tuple[Notice, ...]:
        notify_id = form.get("notify_id", "")
        if not 0 < len(notify_id) <= NOTIFY_ID_LENGTH_MAX:
            raise NoticeRefusedError("body")
        kind = form.get("notify_type")
        if kind == TRADE_NOTICE:
            notice = self._trade(form, notify_id)
            return () if notice is None else (notice,)
        if kind in {SIGNED_NOTICE, UNSIGNED_NOTICE}:
            return (self._agreement(form, notify_id, ended=kind == UNSIGNED_NOTICE),)
        # Genuine, and about something that this application never asked for.
        return ()

    def _trade(self, form: dict[str, str], notify_id: str) -> Notice | None:
        trade = read(Trade, form)
        if form.get("seller_id") != self._seller_id or trade is None or trade.amount is None:
            raise NoticeRefusedError("body")
        if not trade.agrees(trade.out_trade_no, trade.amount) or trade.trade_no is None:
            raise NoticeRefusedError("body")
        # `refund_fee` is the sum of all refunds, so such a notice cannot say what one gave back.
        about_refund = "gmt_refund" in form or form.get("out_biz_no")
        if trade.trade_status in PAID and not about_refund:
            kind, result = NoticeKind.CHARGE_SUCCEEDED, trade.result(OrderStatus.SUCCEEDED)
            at = form.get("gmt_payment")
        elif trade.trade_status == ENDED and not about_refund and not form.get("gmt_payment"):
            kind, result = NoticeKind.CHARGE_FAILED, trade.result(OrderStatus.FAILED, CLOSED)
            at = form.get("gmt_close")
        else:
            return None
        return _notice(notify_id, kind, at or form.get("notify_time", ""), result)

    def _agreement(self, form: dict[str, str], notify_id: str, *, ended: bool) -> Notice:
        agreement = read(Agreement, form)
        if agreement is None:
            raise NoticeRefusedError("body")
        state = agreement_state(agreement, self._clock.now())
        wanted = AgreementStatus.CANCELLED if ended else AgreementStatus.ACTIVE
        if state.status is not wanted:
            raise NoticeRefusedError("body")
        at = _time(form.get("unsign_time") or form.get("sign_time") or form.get("notify_time", ""))
        kind = NoticeKind.AGREEMENT_CANCELLED if ended else NoticeKind.AGREEMENT_SIGNED
        if ended:
            state = replace(state, cancelled_at=at)
        return Notice(notice_id=notify_id, kind=kind, occurred_at=at, result=state)


def reply(outcome: NoticeOutcome) -> NoticeReply:
    """Return the seven letters that stop a notice, or what makes it come again."""
    status, body = _REPLIES[outcome]
    return NoticeReply(status=status, body=body, media_type="text/plain")


def parse_form(body: bytes) -> dict[str, str]:
    """Return the decoded parameters of a form that can be read in one way only.

    Raises:
        NoticeRefusedError: it is too long, malformed, or ambiguous.
    """
    pieces = body.split(b"&")
    if not body or len(body) > BODY_BYTES_MAX or len(pieces) > PARAMETERS_MAX:
        raise NoticeRefusedError("body")
    form: dict[str, str] = {}
    for piece in pieces:
        encoded_name, equals, encoded_value = piece.partition(b"=")
        name, value = _decoded(encoded_name), _decoded(encoded_value)
        if not equals or not _NAME.fullmatch(name) or name in form:
            raise NoticeRefusedError("body")
        if _HIDDEN_PARAMETER.search(value):
            raise NoticeRefusedError("body")
        form[name] = value
    return form


def _decoded(encoded: bytes) -> str:
    if not _ENCODED.fullmatch(encoded):
        raise NoticeRefusedError("body")
    try:
        return unquote_to_bytes(encoded.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoticeRefusedError("body") from error


def _notice(notify_id: str, kind: NoticeKind, at: str, result: ChargeResult) -> Notice:
    return Notice(notice_id=notify_id, kind=kind, occurred_at=_time(at), result=result)


def _time(text: str) -> datetime:
    try:
        return instant(text)
    except ValueError as error:
        raise NoticeRefusedError("body") from error
