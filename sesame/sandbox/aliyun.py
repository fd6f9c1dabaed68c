"""A stand-in for Alibaba Cloud's SMS: it verifies the signature (V3), the time and the nonce."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from parking.kit.clock import Clock
from sesame.sandbox.loopback import read_body
from sesame.sandbox.texting import BODY_BYTES_MAX, KEPT_MAX, KeptText, TextBook

TIME_WINDOW: Final = timedelta(minutes=15)
_ALGORITHM: Final = "ACS3-HMAC-SHA256"
_SIGNED: Final = frozenset({"host", "x-acs-action", "x-acs-date", "x-acs-signature-nonce"})


class AliyunStandIn:
    """One access key."""

    def __init__(self, key_id: str, key_secret: str, clock: Clock) -> None:
        self._key_id = key_id
        self._key_secret = key_secret
        self._clock = clock
        self._nonces: dict[str, None] = {}
        self.book = TextBook()
        self.app = Starlette(routes=[*self.book.routes, Route("/", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        body = await read_body(request, BODY_BYTES_MAX)
        if body is None:
            return JSONResponse({"Code": "RequestTooLarge"}, 413)
        problem = self._problem(request, body)
        if problem is not None:
            return JSONResponse({"Code": problem, "RequestId": "0"}, 400)
        if self.book.failures:
            failure = self.book.failures.popleft()
            return JSONResponse(failure, int(failure.get("status", 200)))
        query = request.query_params
        if not all(query.get(name) for name in ("PhoneNumbers", "SignName", "TemplateCode")):
            return JSONResponse({"Code": "MissingParameter", "RequestId": "0"}, 400)
        content = {name: query.get(name, "") for name in ("SignName", "TemplateCode", "OutId")}
        content["TemplateParam"] = query.get("TemplateParam", "")
        self.book.kept.append(KeptText(query["PhoneNumbers"], content))
        return JSONResponse({"Code": "OK", "Message": "OK", "BizId": "1^0", "RequestId": "0"})

    def _problem(self, request: Request, body: bytes) -> str | None:
        """Return the code of what is wrong with a request, as the service names it."""
        headers = request.headers
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        parts = {
            name: value for name, _, value in (each.partition("=") for each in rest.split(","))
        }
        if scheme != _ALGORITHM or parts.get("Credential") != self._key_id:
            return "InvalidAccessKeyId.NotFound"
        names = parts.get("SignedHeaders", "").split(";")
        if not set(names) >= _SIGNED:
            return "IncompleteSignature"
        payload = hashlib.sha256(body).hexdigest()
        if headers.get("x-acs-content-sha256") != payload:
            return "SignatureDoesNotMatch"
        told = self._told(request, names, payload)
        expected = hmac.new(self._key_secret.encode(), told, "sha256").hexdigest()
        if not hmac.compare_digest(expected, parts.get("Signature", "")):
            return "SignatureDoesNotMatch"
        return self._problem_of_time(headers["x-acs-date"], headers["x-acs-signature-nonce"])

    def _problem_of_time(self, date: str, nonce: str) -> str | None:
        try:
            at = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            return "InvalidTimeStamp.Format"
        if abs(self._clock.now() - at) > TIME_WINDOW:
            return "InvalidTimeStamp.Expired"
        if nonce in self._nonces:
            return "SignatureNonceUsed"
        self._nonces[nonce] = None
        if len(self._nonces) > KEPT_MAX:
            del self._nonces[next(iter(self._nonces))]
        return None

    def _told(self, request: Request, names: list[str], payload: str) -> bytes:
        """Return what is signed; written from the service's document, not from our sender."""
        pairs = sorted(request.query_params.multi_items())
        query = "&".join(
            f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs
        )
        lines = [f"{name}:{request.headers.get(name, '').strip()}" for name in names]
        canonical = "\n".join(["POST", "/", query, *lines, "", ";".join(names), payload])
        return f"{_ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode()
