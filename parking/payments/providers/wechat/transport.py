"""One signed call, one verified answer, one deadline."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlencode

import httpx
import orjson
import structlog
from pydantic import ValidationError

from parking.kit.clock import Clock
from parking.kit.outbound import AnswerTooLongError, open_connections, read_bounded
from parking.payments.port import ANSWER_MISMATCH, NO_ANSWER, UNTRUSTED_ANSWER
from parking.payments.providers.wechat.answers import Answer, ErrorAnswer
from parking.payments.providers.wechat.settings import WechatSettings
from parking.payments.providers.wechat.signature import (
    PlatformKeys,
    SignatureHeader,
    SignatureRefusedError,
    Signer,
    Stamp,
    request_text,
)

ANSWER_BYTES_MAX = 64 * 1024
BILL_BYTES_MAX = 64 * 1024 * 1024
BILL_TIMEOUT_S = 60.0
HTTP_OK = 200
HTTP_NO_CONTENT = 204
_DONE = {HTTP_OK, HTTP_NO_CONTENT}
_NONCE_BYTES = 16

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
_AnswerT = TypeVar("_AnswerT", bound=Answer)


@dataclass(frozen=True, slots=True)
class Failure:
    """No result: nothing was heard that may be believed, or WeChat Pay signed an error.

    Attributes:
        code: `NO_ANSWER`, `UNTRUSTED_ANSWER`, `ANSWER_MISMATCH`, or WeChat's code in lower case.
        status_code: Of the signed error; `None` where there is none.
    """

    code: str
    status_code: int | None = None


class SignedClient:
    """Signs calls and believes signed answers only; connections are kept."""

    def __init__(self, settings: WechatSettings, keys: PlatformKeys, clock: Clock) -> None:
        self._signer = Signer(settings.merchant, settings.key_pem, settings.key_serial)
        self._keys = keys
        self._clock = clock
        self._call_timeout_s = settings.call_timeout_s
        self._base_url = settings.base_url.rstrip("/")
        self._client = open_connections()

    async def call(
        self,
        kind: type[_AnswerT],
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> _AnswerT | Failure:
        """Return the verified answer as `kind`, or why there is none. Never raises for I/O."""
        target = path if not query else f"{path}?{urlencode(query, quote_via=quote)}"
        try:
            async with asyncio.timeout(self._call_timeout_s):
                status_code, content = await self._exchange(method, target, body)
            if status_code not in _DONE:
                error = ErrorAnswer.model_validate_json(content)
                return Failure(error.failure_code, status_code)
            return kind.model_validate_json(content or b"{}")
        except AnswerTooLongError:
            failure, cause = Failure(UNTRUSTED_ANSWER), "body"
        except (TimeoutError, httpx.HTTPError) as error:
            failure, cause = Failure(NO_ANSWER), repr(error)
        except SignatureRefusedError as error:
            failure, cause = Failure(UNTRUSTED_ANSWER), error.reason
        except ValidationError as error:
            failure, cause = Failure(ANSWER_MISMATCH), repr(error.errors(include_input=False))
        # The query names payers and plates: only the path may be logged.
        _log.warning("wechat_answer_lost", path=path, code=failure.code, cause=cause)
        return failure

    async def download(self, url: str) -> bytes | Failure:
        """Return a file; WeChat Pay does not sign it, so the caller compares its hash."""
        # The address is WeChat's word, and our signature goes only where the settings point.
        if not url.startswith(f"{self._base_url}/"):
            return Failure(ANSWER_MISMATCH)
        try:
            async with asyncio.timeout(BILL_TIMEOUT_S):
                request = self._request("GET", url.removeprefix(self._base_url), b"")
                response, content = await self._send(request, BILL_BYTES_MAX)
        except (TimeoutError, httpx.HTTPError):
            return Failure(NO_ANSWER)
        if response.status_code != HTTP_OK:
            return Failure(NO_ANSWER, response.status_code)
        return content

    def sign(self, text: bytes) -> str:
        """Return our signature of what the payer's browser hands over instead of us."""
        return self._signer.sign(text)

    async def aclose(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def _exchange(
        self, method: str, target: str, body: Mapping[str, object] | None
    ) -> tuple[int, bytes]:
        content = b"" if body is None else orjson.dumps(body)
        request = self._request(method, target, content)
        response, answer = await self._send(request, ANSWER_BYTES_MAX)
        header = SignatureHeader.parse({k.lower(): v for k, v in response.headers.items()})
        self._keys.check(header, answer, self._clock.now())
        return response.status_code, answer

    def _request(self, method: str, target: str, content: bytes) -> httpx.Request:
        headers = {"Accept": "application/json", "Wechatpay-Serial": self._keys.preferred}
        if content:
            headers["Content-Type"] = "application/json"
        request = self._client.build_request(
            method, self._base_url + target, content=content, headers=headers
        )
        stamp = Stamp(str(int(self._clock.now().timestamp())), secrets.token_hex(_NONCE_BYTES))
        sent_target = request.url.raw_path.decode("ascii")
        text = request_text(method, sent_target, stamp, content)
        request.headers["Authorization"] = self._signer.authorization(text, stamp)
        return request

    async def _send(self, request: httpx.Request, bytes_max: int) -> tuple[httpx.Response, bytes]:
        response = await self._client.send(request, stream=True)
        return response, await read_bounded(response, bytes_max)
