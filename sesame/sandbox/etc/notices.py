"""How the ETC acquirer says a notice: part 6 of docs/etc-wire.md."""

import json
import secrets

from sesame.sandbox.etc.objects import contract_json, money_json
from sesame.sandbox.etc.signing import SIGNATURE_HEADER, spoil
from sesame.sandbox.etc.wire import Etc
from sesame.sandbox.platform import PendingNotice, RenderedNotice, Verdict, instant

HTTP_NO_CONTENT = 204
HTTP_UNAUTHORIZED = 401
_TOPICS = {"agreement": "contract", "charge": "deduction", "refund": "correction"}


class EtcNotices:
    """Signs each posting anew over the same body."""

    def __init__(self, etc: Etc) -> None:
        self._etc = etc

    def render(self, notice: PendingNotice) -> RenderedNotice:
        """Return the notice, signed now."""
        topic, _, action = notice.kind.partition(".")
        show = contract_json if topic == "agreement" else money_json
        content = {
            "id": notice.id,
            "type": f"{_TOPICS.get(topic, topic)}.{action}",
            "occurred_at": instant(notice.occurred_ms),
            "data": show(notice.subject),
        }
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        stamp = (self._etc.platform.now_ms() // 1000 - notice.age_s, secrets.token_hex(16))
        header = self._etc.key.notice_header(self._etc.merchant, stamp, body)
        if notice.is_probe:
            header = spoil(header)
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: header}
        return RenderedNotice(headers=headers, body=body)

    def judge(self, status: int, body: bytes) -> Verdict:
        """Return what the status means; the wire has no word for anything else."""
        del body
        if status == HTTP_NO_CONTENT:
            return Verdict.TAKEN
        return Verdict.REFUSED if status == HTTP_UNAUTHORIZED else Verdict.AGAIN
