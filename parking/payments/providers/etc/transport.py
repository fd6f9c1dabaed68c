"""One signed call, one verified answer, one deadline."""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import orjson
import structlog
from pydantic import ValidationError

from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.payments.port import ANSWER_MISMATCH, NO_ANSWER, UNTRUSTED_ANSWER
from parking.payments.providers.etc.answers import Answer, ErrorAnswer
from parking.payments.providers.etc.signature import (
    HEADER,
    SignatureHeader,
    SignatureRefusedError,
    Signer,
    Stamp,
    Verifier,
    signed_text,
)

CONNECTIONS_MAX = 64
# Shorter than servers keep an idle connection, so that a charge rarely meets one just closed.
KEEPALIVE_S = 4.0
CALL_TIMEOUT_S = 5.0
FILE_TIMEOUT_S = 30.0
ANSWER_BYTES_MAX = 64 * 1024
FILE_BYTES_MAX = 16 * 1024 * 1024
HTTP_OK = 200
HTTP_NOT_FOUND = 404
_NONCE_BYTES = 16
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
_AnswerT = TypeVar("_AnswerT", bound=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcSettings:
    """How to reach the ETC acquirer.

    Attributes:
        base_url: `https://…`; plain `http` only on loopback.
        merchant: Our name at the acquirer.
        merchant_key_pem: Our Ed25519 private key.
        platform_keys_pem: The acquirer's public keys, one PEM block after another.
        call_timeout_s: For every call but a charge, which brings its own deadline.
    """

    base_url: str
    merchant: str
    merchant_key_pem: str = field(repr=False)
    platform_keys_pem: str
    call_timeout_s: float = CALL_TIMEOUT_S

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
            raise InvalidInputError("base_url", "an https URL, or http on loopback")


@dataclass(frozen=True, slots=True)
class Failure:
    """No result: nothing was heard that may be believed, or the acquirer signed an error.

    Attributes:
        code: `NO_ANSWER`, `UNTRUSTED_ANSWER`, `ANSWER_MISMATCH`, or the acquirer's error code.
        status_code: Of the signed error; `None` where there is none.
    """

    code: str
    status_code: int | None = None

    @property
    def says_not_found(self) -> bool:
        """Whether the acquirer itself says that it has no such thing."""
        return self.status_code == HTTP_NOT_FOUND and self.code == "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    method: str
    path: str
    body: dict[str, object] | None
    deadline_s: float
    bytes_max: int = ANSWER_BYTES_MAX


class SignedClient:
    """Calls the acquirer; believes only what it signed, for this very question."""

    def __init__(self, settings: EtcSettings, verifier: Verifier, clock: Clock) -> None:
        self._signer = Signer(settings.merchant, settings.merchant_key_pem)
        self._merchant = settings.merchant
        self._verifier = verifier
        self._clock = clock
        self._call_timeout_s = settings.call_timeout_s
        self._base_url = settings.base_url.rstrip("/")
        self._client = httpx.AsyncClient(
            limits=httpx.Limits(
                max_connections=CONNECTIONS_MAX,
                max_keepalive_connections=CONNECTIONS_MAX,
                keepalive_expiry=KEEPALIVE_S,
            ),
            # `_signed_answer` puts one deadline on everything, waiting for a connection included.
            timeout=None,  # noqa: S113 - see above
            # Money takes the way that the settings name, not one from the environment.
            trust_env=False,
        )

    async def call(
        self,
        kind: type[_AnswerT],
        method: str,
        path: str,
        body: dict[str, object] | None = None,
        *,
        deadline_s: float | None = None,
    ) -> _AnswerT | Failure:
        """Return the verified answer as `kind`, or why there is none. Never raises for I/O."""
        limit_s = deadline_s or self._call_timeout_s
        call = _Call(method=method, path=path, body=body, deadline_s=limit_s)
        content = await self._signed_answer(call)
        if isinstance(content, Failure):
            return content
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            return _lost(path, ANSWER_MISMATCH, repr(error.errors(include_input=False)))

    async def file(self, path: str) -> bytes | Failure:
        """Return a signed file, or why there is none. Never raises for I/O."""
        call = _Call(
            method="GET",
            path=path,
            body=None,
            deadline_s=FILE_TIMEOUT_S,
            bytes_max=FILE_BYTES_MAX,
        )
        return await self._signed_answer(call)

    async def aclose(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def _signed_answer(self, call: _Call) -> bytes | Failure:
        try:
            async with asyncio.timeout(call.deadline_s):
                status_code, content = await self._exchange(call)
            if status_code == HTTP_OK:
                return content
            return Failure(ErrorAnswer.model_validate_json(content).code, status_code)
        except (TimeoutError, httpx.HTTPError) as error:
            return _lost(call.path, NO_ANSWER, repr(error))
        except SignatureRefusedError as error:
            return _lost(call.path, UNTRUSTED_ANSWER, error.reason)
        except ValidationError as error:
            return _lost(call.path, ANSWER_MISMATCH, repr(error.errors(include_input=False)))

    async def _exchange(self, call: _Call) -> tuple[int, bytes]:
        content = b"" if call.body is None else orjson.dumps(call.body)
        headers = {} if call.body is None else {"Content-Type": "application/json"}
        request = self._client.build_request(
            call.method, self._base_url + call.path, content=content, headers=headers
        )
        stamp = Stamp(str(int(self._clock.now().timestamp())), secrets.token_hex(_NONCE_BYTES))
        target = request.url.raw_path.decode("ascii")
        text = signed_text(
            "request", call.method, target, self._merchant, stamp=stamp, body=content
        )
        request.headers[HEADER] = self._signer.header(text, stamp)
        response = await self._client.send(request, stream=True)
        try:
            answer = await _read_bounded(response, call.bytes_max)
        finally:
            await response.aclose()
        header = SignatureHeader.parse(response.headers.get(HEADER, ""))
        lines = (str(response.status_code), stamp.nonce, self._merchant)
        signed = signed_text("answer", *lines, stamp=header.stamp, body=answer)
        self._verifier.check(header, signed, self._clock.now())
        return response.status_code, answer


async def _read_bounded(response: httpx.Response, bytes_max: int) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > bytes_max:
            raise SignatureRefusedError("body")
    return bytes(content)


def _lost(path: str, code: str, cause: str) -> Failure:
    _log.warning("etc_answer_lost", path=path, code=code, cause=cause)
    return Failure(code)
