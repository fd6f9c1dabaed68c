"""How the acquirer says a notice: part 6 of docs/acquirer-wire.md."""

import json
import secrets

from sesame.sandbox.acquirer.signing import spoil
from sesame.sandbox.acquirer.wire import Acquirer
from sesame.sandbox.platform import (
    Json,
    PendingNotice,
    RenderedNotice,
    Verdict,
    agreement_json,
    instant,
    order_json,
)

HTTP_NO_CONTENT = 204
HTTP_UNAUTHORIZED = 401


class AcquirerNotices:
    """Signs each posting anew over the same body."""

    def __init__(self, acquirer: Acquirer) -> None:
        self._acquirer = acquirer

    def render(self, notice: PendingNotice) -> RenderedNotice:
        """Return the notice, signed now."""
        content = {
            "id": notice.id,
            "type": notice.kind,
            "occurred_at": instant(notice.occurred_ms),
            "data": _data(notice),
        }
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        timestamp = self._acquirer.platform.now_ms() // 1000 - notice.age_s
        stamp = (timestamp, secrets.token_hex(16))
        header = self._acquirer.key.notice_header(self._acquirer.merchant, stamp, body)
        if notice.is_probe:
            header = spoil(header)
        headers = {"Content-Type": "application/json", "Sesame-Signature": header}
        return RenderedNotice(headers=headers, body=body)

    def judge(self, status: int, body: bytes) -> Verdict:
        """Return what the status means; the wire has no word for anything else."""
        del body
        if status == HTTP_NO_CONTENT:
            return Verdict.TAKEN
        return Verdict.REFUSED if status == HTTP_UNAUTHORIZED else Verdict.AGAIN


def _data(notice: PendingNotice) -> Json:
    if notice.kind.startswith("agreement."):
        return agreement_json(notice.subject)
    if not notice.kind.startswith("chargeback."):
        return order_json(notice.subject)
    names = ("reference", "status", "reason", "amount_minor", "currency")
    return {"charge": notice.subject["number"], **{name: notice.subject[name] for name in names}}
