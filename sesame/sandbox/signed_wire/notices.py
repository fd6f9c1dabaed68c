"""How a signed wire says a notice: part 6 of its page."""

import json
import secrets
from collections.abc import Callable

from sesame.sandbox.platform import Json, PendingNotice, RenderedNotice, Verdict, instant
from sesame.sandbox.signed_wire.wire import SignedWire

HTTP_NO_CONTENT = 204
HTTP_UNAUTHORIZED = 401


class SignedNotices:
    """Signs each posting anew over the same body.

    Args:
        wire: Who signs, and how.
        describe: The type of a notice, and its data, in the wire's words.
    """

    def __init__(
        self, wire: SignedWire, describe: Callable[[PendingNotice], tuple[str, Json]]
    ) -> None:
        self._wire = wire
        self._describe = describe

    def render(self, notice: PendingNotice) -> RenderedNotice:
        """Return the notice, signed now."""
        kind, data = self._describe(notice)
        content = {
            "id": notice.id,
            "type": kind,
            "occurred_at": instant(notice.occurred_ms),
            "data": data,
        }
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        wire, scheme = self._wire, self._wire.scheme
        stamp = (wire.platform.now_ms() // 1000 - notice.age_s, secrets.token_hex(16))
        header = scheme.notice_header(wire.key, wire.merchant, stamp, body)
        if notice.is_probe:
            header = scheme.spoil(header)
        headers = {"Content-Type": "application/json", scheme.header: header}
        return RenderedNotice(headers=headers, body=body)

    def judge(self, status: int, body: bytes) -> Verdict:
        """Return what the status means; the wires have no word for anything else."""
        del body
        if status == HTTP_NO_CONTENT:
            return Verdict.TAKEN
        return Verdict.REFUSED if status == HTTP_UNAUTHORIZED else Verdict.AGAIN
