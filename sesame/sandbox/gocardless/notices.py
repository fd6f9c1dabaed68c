"""How GoCardless posts events: HMAC-SHA256 over the raw body, in hex."""

import hashlib
import hmac
import json

from sesame.sandbox.gocardless.objects import LATE_FAILURE
from sesame.sandbox.platform import Json, PendingNotice, RenderedNotice, Verdict, instant

HTTP_TOKEN_INVALID = 498
_ACTIONS = {
    "charge.succeeded": ("payments", "confirmed"),
    "charge.failed": ("payments", "failed"),
    "charge.paid_out": ("payments", "paid_out"),
    "refund.succeeded": ("refunds", "paid"),
    "refund.failed": ("refunds", "failed"),
    "chargeback.opened": ("payments", "charged_back"),
    "chargeback.lost": ("payments", "chargeback_settled"),
    "chargeback.won": ("payments", "chargeback_cancelled"),
}


class GoCardlessWebhooks:
    """Signs each body with the endpoint's secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def render(self, notice: PendingNotice) -> RenderedNotice:
        """Return the notice as a body with one event; no time is signed, so none can be stale."""
        event: Json = {
            "id": f"EV{notice.id.removeprefix('ntc_').upper()}",
            "created_at": instant(notice.occurred_ms),
            "metadata": {},
            **_event(notice.kind, notice.subject),
        }
        meta = {"webhook_id": f"WB{notice.serial:012d}"}
        body = json.dumps({"events": [event], "meta": meta}, separators=(",", ":")).encode()
        signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        if notice.is_probe:
            signature = ("1" if signature[0] == "0" else "0") + signature[1:]
        headers = {"Content-Type": "application/json", "Webhook-Signature": signature}
        return RenderedNotice(headers=headers, body=body)

    def judge(self, status: int, body: bytes) -> Verdict:
        """Any 2xx ends the repetitions; 498 says that the signature did not fit."""
        del body
        if status // 100 == 2:  # noqa: PLR2004 - a class of statuses
            return Verdict.TAKEN
        return Verdict.REFUSED if status == HTTP_TOKEN_INVALID else Verdict.AGAIN


def _event(kind: str, subject: Json) -> Json:
    if kind.startswith("agreement."):
        return _agreement_event(kind, subject)
    resource_type, action = _ACTIONS[kind]
    payment = subject["order"] if kind.startswith("chargeback.") else subject
    if kind.startswith("chargeback.") and subject["reason"] == LATE_FAILURE:
        action = "late_failure_settled" if payment["extra"].get("is_paid_out") else "failed"
    if kind == "charge.failed" and subject["failure_code"] in {"cancelled", "closed"}:
        action = "cancelled"
    return {
        "resource_type": resource_type,
        "action": action,
        "details": {"origin": "bank", "cause": _cause(kind, subject)},
        "links": {resource_type.removesuffix("s"): payment["reference"]},
        "resource_metadata": payment["extra"]["metadata"],
    }


def _cause(kind: str, subject: Json) -> str:
    if kind.startswith("chargeback."):
        return subject["reason"]
    return subject["failure_code"] or kind.replace(".", "_")


def _agreement_event(kind: str, row: Json) -> Json:
    mandate = row["extra"].get("mandate")
    if kind == "agreement.signed":
        return {
            "resource_type": "billing_requests",
            "action": "fulfilled",
            "links": {"billing_request": row["reference"], "mandate_request_mandate": mandate},
            "resource_metadata": row["extra"]["metadata"],
        }
    if mandate is None:
        return {
            "resource_type": "billing_requests",
            "action": "cancelled",
            "links": {"billing_request": row["reference"]},
            "resource_metadata": row["extra"]["metadata"],
        }
    return {
        "resource_type": "mandates",
        "action": "cancelled",
        "details": {"origin": "payer", "cause": "mandate_cancelled"},
        "links": {"mandate": mandate},
        "resource_metadata": row["extra"]["mandate_metadata"],
    }
