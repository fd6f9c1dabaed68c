"""How WeChat Pay says a notice: signed, with its resource sealed under the APIv3 key."""

import json

from sesame.sandbox.platform import Json, PendingNotice, RenderedNotice, Verdict
from sesame.sandbox.wechat.merchants import Merchant
from sesame.sandbox.wechat.objects import (
    REFUSED_REFUNDS,
    beijing,
    charge_json,
    page_json,
    refund_json,
)
from sesame.sandbox.wechat.parkings import BLOCKED_CHANGE, NORMAL_CHANGE
from sesame.sandbox.wechat.signing import PROBE_PREFIX, sealed

_TAKEN = {200, 204}
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_EVENTS = {
    "charge.succeeded": ("TRANSACTION.SUCCESS", "transaction", "支付成功"),
    "charge.failed": ("TRANSACTION.FAIL", "transaction", "支付失败"),
    "payer.repaid": ("TRANSACTION.PAY_BACK", "transaction", "用户已还款"),
    "refund.succeeded": ("REFUND.SUCCESS", "refund", "退款成功"),
    "refund.failed": ("REFUND.CLOSED", "refund", "退款关闭"),
    BLOCKED_CHANGE: ("VEHICLE.ENTRANCE_STATE_CHANGE", "parking", "停车入场状态通知"),
    NORMAL_CHANGE: ("VEHICLE.ENTRANCE_STATE_CHANGE", "parking", "停车入场状态通知"),
}


class WechatNotices:
    """Signs and seals each posting anew."""

    def __init__(self, merchant: Merchant) -> None:
        self._merchant = merchant

    def render(self, notice: PendingNotice) -> RenderedNotice | None:
        """Return the notice, signed now; `None` for what WeChat Pay keeps to itself."""
        subject = notice.subject
        if notice.kind not in _EVENTS or _is_silent(subject):
            return None
        event, original_type, summary = _EVENTS[notice.kind]
        if subject.get("failure_code") == "abnormal":
            event = "REFUND.ABNORMAL"
        plain = json.dumps(self._resource(notice), ensure_ascii=False).encode()
        content = {
            "id": notice.id,
            "create_time": beijing(notice.occurred_ms),
            "event_type": event,
            "resource_type": "encrypt-resource",
            "summary": summary,
            "resource": sealed(self._merchant.api_key, plain, original_type),
        }
        body = json.dumps(content, ensure_ascii=False).encode()
        timestamp_s = self._merchant.platform.now_ms() // 1000 - notice.age_s
        prefix = PROBE_PREFIX if notice.is_probe else ""
        headers = self._merchant.key.headers(timestamp_s, body, prefix=prefix)
        return RenderedNotice(headers={"Content-Type": "application/json", **headers}, body=body)

    def judge(self, status: int, body: bytes) -> Verdict:
        """Return what the status means; beside it the body says nothing that counts."""
        del body
        if status in _TAKEN:
            return Verdict.TAKEN
        is_refusal = _CLIENT_ERROR <= status < _SERVER_ERROR
        return Verdict.REFUSED if is_refusal else Verdict.AGAIN

    def _resource(self, notice: PendingNotice) -> Json:
        subject = notice.subject
        if notice.kind.startswith("refund."):
            charge = self._merchant.platform.orders.get("order", subject["parent"])
            shown = refund_json(subject, charge)
            names = self._merchant.page_names()
            return {**names, **shown, "refund_status": shown.pop("status")}
        if notice.kind.startswith("parking."):
            return self._parking(notice)
        if subject["kind"] == "checkout":
            return page_json(subject, self._merchant.page_names())
        shown = charge_json(subject, self._merchant.parking_names())
        # Its published examples say FAIL here, and PAY_FAIL where one asks.
        is_failure = notice.kind == "charge.failed"
        return {**shown, "trade_state": "FAIL"} if is_failure else shown

    def _parking(self, notice: PendingNotice) -> Json:
        subject = notice.subject
        names = ("parking_id", "out_parking_no", "plate_number", "plate_color", "start_time")
        shown: Json = {
            **self._merchant.parking_names(),
            **{name: subject[name] for name in names},
            "parking_name": subject["parking_name"],
            "free_duration": subject["free_duration"],
            "parking_state": "NORMAL" if notice.kind == NORMAL_CHANGE else "BLOCKED",
            "state_update_time": beijing(notice.occurred_ms),
        }
        if subject["reason"]:
            shown["blocked_state_description"] = subject["reason"]
        return shown


def _is_silent(subject: Json) -> bool:
    """Whether nobody is told: of pages that nobody paid, and of refunds that were refused."""
    is_failed = subject.get("status") == "failed"
    was_refused = subject.get("failure_code") in REFUSED_REFUNDS
    return is_failed and (subject.get("kind") == "checkout" or was_refused)
