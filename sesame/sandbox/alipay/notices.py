"""How Alipay says a notice: a form, signed over its sorted parameters."""

from urllib.parse import urlencode

from sesame.sandbox.alipay.agreements import agreement_json
from sesame.sandbox.alipay.gateway import Gateway
from sesame.sandbox.alipay.signing import spoil
from sesame.sandbox.alipay.trades import find, refunded_minor, status_of, trade_json
from sesame.sandbox.alipay.values import clock_time, yuan
from sesame.sandbox.platform import Json, PendingNotice, RenderedNotice, Verdict

HTTP_BAD_REQUEST = 400


class AlipayNotices:
    """Renders the same notice the same way each time: a repetition is a copy."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def render(self, notice: PendingNotice) -> RenderedNotice:
        """Return the notice as a signed form."""
        told_ms = notice.occurred_ms - notice.age_s * 1000
        form = {
            "notify_id": notice.id,
            "notify_time": clock_time(told_ms),
            "charset": "utf-8",
            "version": "1.0",
            "app_id": self._gateway.app_id,
            "auth_app_id": self._gateway.app_id,
            "sign_type": "RSA2",
            **self._content(notice),
        }
        sent = {name: str(value) for name, value in form.items() if value is not None}
        signature = self._gateway.key.notice_signature(sent)
        sent["sign"] = spoil(signature) if notice.is_probe else signature
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return RenderedNotice(headers=headers, body=urlencode(sent).encode("ascii"))

    def judge(self, status: int, body: bytes) -> Verdict:
        """Return what the seven letters, or their absence, mean."""
        if body.strip() == b"success":
            return Verdict.TAKEN
        return Verdict.REFUSED if status == HTTP_BAD_REQUEST else Verdict.AGAIN

    def _content(self, notice: PendingNotice) -> Json:
        if notice.kind.startswith("agreement."):
            is_end = notice.kind == "agreement.cancelled"
            return {
                "notify_type": "dut_user_unsign" if is_end else "dut_user_sign",
                **agreement_json(notice.subject),
                "unsign_time": clock_time(notice.subject["cancelled_ms"]),
            }
        if notice.kind == "refund.succeeded":
            return self._refund(notice.subject)
        return self._trade(notice.subject.get("order", notice.subject))

    def _trade(self, row: Json) -> Json:
        is_paid = row["status"] == "succeeded"
        return {
            "notify_type": "trade_status_sync",
            **trade_json(row),
            "seller_id": self._gateway.seller_id,
            "subject": row["description"],
            "trade_status": "TRADE_SUCCESS" if is_paid else "TRADE_CLOSED",
            "total_amount": yuan(row["amount_minor"]),
            "gmt_create": clock_time(row["created_ms"]),
            "gmt_payment": clock_time(row["settled_ms"]) if is_paid else None,
            "gmt_close": None if is_paid else clock_time(row["settled_ms"]),
        }

    def _refund(self, row: Json) -> Json:
        trade = find(self._gateway, row["parent"]) or row
        return {
            **self._trade(trade),
            "trade_status": status_of(self._gateway, trade),
            "out_biz_no": row["number"],
            "refund_fee": yuan(refunded_minor(self._gateway, row["parent"])),
            "gmt_refund": clock_time(row["settled_ms"]),
        }
