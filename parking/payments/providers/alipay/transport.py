"""One signed call to gateway.do, one verified answer, one deadline."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import structlog

from parking.kit.clock import Clock
from parking.kit.outbound import (
    LOOPBACK_HOSTS,
    AnswerTooLongError,
    open_connections,
    read_bounded,
)
from parking.payments.port import ANSWER_MISMATCH, NO_ANSWER, UNTRUSTED_ANSWER
from parking.payments.providers.alipay.envelope import MalformedAnswerError, read_envelope
from parking.payments.providers.alipay.settings import AlipaySettings
from parking.payments.providers.alipay.signature import (
    SIGN_TYPE,
    AlipayKeys,
    AppKey,
    SignatureRefusedError,
    request_text,
)
from parking.payments.providers.alipay.wire_values import stamp

ANSWER_BYTES_MAX = 64 * 1024
BILL_BYTES_MAX = 64 * 1024 * 1024
BILL_TIMEOUT_S = 60.0
CHARSET = "utf-8"
HTTP_OK = 200
SUCCESS = "10000"
WAITING = "10003"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What Alipay signed."""

    code: str
    sub_code: str
    node: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """Nothing was heard that may be believed.

    Attributes:
        code: `NO_ANSWER`, `UNTRUSTED_ANSWER` or `ANSWER_MISMATCH`.
    """

    code: str


class GatewayClient:
    """Calls Alipay; believes only what it signed."""

    def __init__(self, settings: AlipaySettings, keys: AlipayKeys, clock: Clock) -> None:
        self._settings = settings
        self._key = AppKey(settings.app_key_pem)
        self._keys = keys
        self._clock = clock
        self._client = open_connections()

    async def call(
        self, method: str, content: Mapping[str, object], *, deadline_s: float | None = None
    ) -> Answer | Failure:
        """Return the verified answer, or why there is none. Never raises for I/O."""
        try:
            async with asyncio.timeout(deadline_s or self._settings.call_timeout_s):
                body = await self._exchange(method, content)
            return self._believe(method, body)
        except AnswerTooLongError:
            failure, cause = Failure(UNTRUSTED_ANSWER), "too long"
        except (TimeoutError, httpx.HTTPError) as error:
            failure, cause = Failure(NO_ANSWER), repr(error)
        except (SignatureRefusedError, MalformedAnswerError) as error:
            failure, cause = Failure(UNTRUSTED_ANSWER), repr(error)
        _log.warning("alipay_answer_lost", method=method, code=failure.code, cause=cause)
        return failure

    def page_url(self, method: str, content: Mapping[str, object], return_url: str) -> str:
        """Return a signed address that the payer's browser opens; nothing is sent from here."""
        parameters = self._parameters(method, content) | {"return_url": return_url}
        parameters["sign"] = self._key.sign(request_text(parameters))
        return f"{self._settings.gateway_url}?{urlencode(parameters, quote_via=quote)}"

    async def fetch_bill(self, url: str) -> bytes | Failure:
        """Return the file at an address that the gateway gave."""
        address = self._bill_address(url)
        if address is None:
            _log.error("alipay_bill_elsewhere", host=urlsplit(url).hostname)
            return Failure(UNTRUSTED_ANSWER)
        try:
            async with asyncio.timeout(BILL_TIMEOUT_S):
                return await self._read(self._client.build_request("GET", address), BILL_BYTES_MAX)
        except (AnswerTooLongError, MalformedAnswerError, httpx.InvalidURL):
            return Failure(UNTRUSTED_ANSWER)
        except (TimeoutError, httpx.HTTPError):
            return Failure(NO_ANSWER)

    async def aclose(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def _exchange(self, method: str, content: Mapping[str, object]) -> bytes:
        parameters = self._parameters(method, content)
        parameters["sign"] = self._key.sign(request_text(parameters))
        # The charset must be in the address: the body cannot be read before it is known.
        form = {"biz_content": parameters.pop("biz_content")}
        request = self._client.build_request(
            "POST",
            f"{self._settings.gateway_url}?{urlencode(parameters, quote_via=quote)}",
            content=urlencode(form, quote_via=quote).encode("ascii"),
            headers={"Content-Type": f"application/x-www-form-urlencoded;charset={CHARSET}"},
        )
        return await self._read(request, ANSWER_BYTES_MAX)

    def _believe(self, method: str, body: bytes) -> Answer | Failure:
        envelope = read_envelope(method, body)
        try:
            self._keys.check(envelope.raw, envelope.sign)
        except SignatureRefusedError:
            # Alipay's own libraries allow for answers that were signed before their slashes were
            # escaped. What was signed is also what is read then.
            envelope = envelope.with_bare_slashes()
            self._keys.check(envelope.raw, envelope.sign)
        code, sub_code = envelope.node.get("code"), envelope.node.get("sub_code", "")
        if not isinstance(code, str) or not isinstance(sub_code, str):
            return Failure(ANSWER_MISMATCH)
        return Answer(code, sub_code, envelope.node)

    async def _read(self, request: httpx.Request, bytes_max: int) -> bytes:
        response = await self._client.send(request, stream=True)
        try:
            if response.status_code != HTTP_OK:
                raise MalformedAnswerError(f"status {response.status_code}")
            return await read_bounded(response, bytes_max)
        finally:
            await response.aclose()

    def _parameters(self, method: str, content: Mapping[str, object]) -> dict[str, str]:
        return {
            "app_id": self._settings.app_id,
            "method": method,
            "format": "JSON",
            "charset": CHARSET,
            "sign_type": SIGN_TYPE,
            "timestamp": stamp(self._clock.now()),
            "version": "1.0",
            "notify_url": self._settings.notify_url,
            "biz_content": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        }

    def _bill_address(self, url: str) -> str | None:
        """Return the address to fetch, or None for a host that is neither Alipay's nor ours."""
        try:
            there, gateway = urlsplit(url), urlsplit(self._settings.gateway_url)
            port = there.port
        except ValueError:
            return None
        if there.username is not None or there.scheme not in {"http", "https"}:
            return None
        if (there.scheme, there.hostname, port) == (gateway.scheme, gateway.hostname, gateway.port):
            return url
        if there.hostname != self._settings.bill_host or port not in {None, 80, 443}:
            return None
        if there.hostname in LOOPBACK_HOSTS:
            return None
        # Its documented address is plain http, and what is in it is not signed.
        return there._replace(scheme="https", netloc=there.hostname).geturl()
