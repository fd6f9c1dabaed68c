"""A stand-in for Twilio's messages: it checks who sends and the form, and can say what follows.

`POST /_status {"sid": …, "status": …, "error_code": …}` on loopback calls back, signed.
"""

import base64
import hashlib
import hmac
import json
import secrets
from typing import Final
from urllib.parse import parse_qsl

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sesame.sandbox.loopback import read_body, refuse_remote
from sesame.sandbox.texting import BODY_BYTES_MAX, KeptText, TextBook

CALLBACK_TIMEOUT_S: Final = 5.0
_NUMBER_INVALID: Final = 21211
_SENDERS: Final = {"From": "+", "MessagingServiceSid": "MG"}


class TwilioStandIn:
    """One account.

    Args:
        account: Its SID.
        user: Who may send: an API key's SID, or the account's.
        secret: Of the user.
        auth_token: Signs callbacks.
    """

    def __init__(self, account: str, user: str, secret: str, auth_token: str) -> None:
        self._expected = f"Basic {base64.b64encode(f'{user}:{secret}'.encode()).decode()}"
        self._auth_token = auth_token
        self._callbacks: dict[str, tuple[str, str]] = {}
        self.book = TextBook()
        path = f"/2010-04-01/Accounts/{account}/Messages.json"
        self.app = Starlette(
            routes=[
                Route(path, self._take, methods=["POST"]),
                Route("/_status", self._tell, methods=["POST"]),
                *self.book.routes,
            ]
        )

    async def _take(self, request: Request) -> Response:
        body = await read_body(request, BODY_BYTES_MAX)
        if body is None:
            return JSONResponse({"code": 20413, "status": 413}, 413)
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), self._expected.encode()):
            return JSONResponse({"code": 20003, "message": "Authenticate", "status": 401}, 401)
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        if self.book.failures:
            failure = self.book.failures.popleft()
            return JSONResponse(failure, int(failure.get("status", 400)))
        problem = _problem(form)
        if problem is not None:
            return JSONResponse({"code": problem, "status": 400}, 400)
        sid = f"SM{secrets.token_hex(16)}"
        self.book.kept.append(KeptText(form["To"], {"text": form["Body"], "sid": sid}))
        if "StatusCallback" in form:
            self._callbacks[sid] = (form["StatusCallback"], form["To"])
            if len(self._callbacks) > len(self.book.kept):
                del self._callbacks[next(iter(self._callbacks))]
        return JSONResponse({"sid": sid, "status": "queued", "error_code": None}, 201)

    async def _tell(self, request: Request) -> Response:
        refusal = refuse_remote(request)
        if refusal is not None:
            return refusal
        body = await read_body(request, BODY_BYTES_MAX)
        said = json.loads(body or b"{}")
        known = self._callbacks.get(said.get("sid", ""))
        if known is None:
            return JSONResponse({"code": "unknown"}, 404)
        url, to = known
        form = {"MessageSid": said["sid"], "MessageStatus": said["status"], "To": to}
        if said.get("error_code"):
            form["ErrorCode"] = str(said["error_code"])
        signed = url + "".join(name + form[name] for name in sorted(form))
        digest = hmac.new(self._auth_token.encode(), signed.encode(), hashlib.sha1).digest()
        headers = {"X-Twilio-Signature": base64.b64encode(digest).decode()}
        async with httpx.AsyncClient(timeout=CALLBACK_TIMEOUT_S, trust_env=False) as client:
            answer = await client.post(url, data=form, headers=headers)
        return JSONResponse({"status": answer.status_code})


def _problem(form: dict[str, str]) -> int | None:
    if not form.get("To", "").startswith("+") or not form["To"][1:].isdigit():
        return _NUMBER_INVALID
    senders = [name for name in _SENDERS if name in form]
    if len(senders) != 1 or not form[senders[0]].startswith(_SENDERS[senders[0]]):
        return 21603
    return None if form.get("Body") else 21602
