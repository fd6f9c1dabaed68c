"""Webhook events: snapshots of objects, signed as Stripe signs them."""

import hashlib
import hmac
import json

from sesame.sandbox.platform import (
    ORDER,
    Json,
    PendingNotice,
    RenderedNotice,
    Verdict,
)
from sesame.sandbox.stripe.account import Account
from sesame.sandbox.stripe.cards import CARD
from sesame.sandbox.stripe.objects import (
    API_VERSION,
    dispute_json,
    intent_json,
    refund_json,
    setup_intent_json,
)
from sesame.sandbox.stripe.payments import page_json

HTTP_OK = 200
HTTP_MULTIPLE = 300
HTTP_BAD_REQUEST = 400
# A short form of the inquiry that precedes some disputes.
INQUIRY = "inquiry"


def sign(secrets: tuple[str, ...], timestamp: int, body: bytes) -> str:
    """Return the header; one signature for each secret, and one of the scheme for tests."""
    signed = f"{timestamp}.".encode() + body
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={mark}" for mark in marks), f"v0={marks[0][::-1]}"])


class StripeEvents:
    """Says what happened."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def render(self, notice: PendingNotice) -> RenderedNotice:
        """Return the notice, signed now."""
        kind, data = self._told(notice)
        event: Json = {
            "id": notice.id.replace("ntc_", "evt_", 1),
            "object": "event",
            "api_version": API_VERSION,
            "created": notice.occurred_ms // 1000,
            "data": data,
            "livemode": self._account.livemode,
            "pending_webhooks": 1,
            "type": kind,
        }
        if self._account.connected is not None:
            event["account"] = self._account.connected
        body = json.dumps(event, ensure_ascii=False, indent=2).encode()
        timestamp = self._account.platform.now_ms() // 1000 - notice.age_s
        header = sign(self._secrets(), timestamp, body)
        if notice.is_probe:
            header = sign(("whsec_of_somebody_else",), timestamp, body)
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": header}
        return RenderedNotice(headers=headers, body=body)

    def judge(self, status: int, body: bytes) -> Verdict:
        """Return what the status means: Stripe reads nothing else."""
        del body
        if HTTP_OK <= status < HTTP_MULTIPLE:
            return Verdict.TAKEN
        return Verdict.REFUSED if status == HTTP_BAD_REQUEST else Verdict.AGAIN

    def _secrets(self) -> tuple[str, ...]:
        """Return the first secret, or all of them while the first is being replaced."""
        is_rotating = self._account.platform.delivery.key_position > 0
        return self._account.webhook_secrets[: None if is_rotating else 1]

    def _told(self, notice: PendingNotice) -> tuple[str, Json]:
        row, livemode = notice.subject, self._account.livemode
        topic, _, state = notice.kind.partition(".")
        if topic == "agreement":
            return self._agreement(row, state)
        if topic == "refund":
            payment = self._account.platform.orders.get(ORDER, row["parent"])
            kind = "refund.failed" if state == "failed" else "refund.updated"
            return kind, {"object": refund_json(row, payment["reference"])}
        if topic in {"chargeback", INQUIRY}:
            dispute = dispute_json(row, row["order"], livemode=livemode)
            if topic == INQUIRY:
                dispute["status"] = "warning_needs_response"
            kind = "created" if state == "opened" else "closed"
            return f"charge.dispute.{kind}", {"object": dispute}
        return self._payment(row, state)

    def _payment(self, row: Json, state: str) -> tuple[str, Json]:
        if state == "failed" and "session" in row["extra"]:
            return "checkout.session.expired", {"object": page_json(self._account, row)}
        intent = intent_json(row, livemode=self._account.livemode)
        if state == "succeeded":
            return "payment_intent.succeeded", {"object": intent}
        if intent["status"] == "canceled" and "canceled_s" in row["extra"]:
            return "payment_intent.canceled", {"object": intent}
        return "payment_intent.payment_failed", {
            "object": {**intent, "status": "requires_payment_method"}
        }

    def _agreement(self, row: Json, state: str) -> tuple[str, Json]:
        if state == "signed":
            setup = setup_intent_json(row, livemode=self._account.livemode)
            return "setup_intent.succeeded", {"object": setup}
        if row["extra"].get("expired"):
            return "checkout.session.async_payment_failed", {"object": {"object": "none"}}
        card = row["extra"].get("card") or self._account.things.get(
            CARD, row["extra"].get("payment_method", "")
        )
        before = {"customer": row["reference"]}
        return "payment_method.detached", {
            "object": {**(card or {}), "customer": None},
            "previous_attributes": before,
        }
