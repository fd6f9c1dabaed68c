"""One signed call, one verified answer, one deadline."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import orjson
import structlog
from pydantic import ValidationError

from parking.kit.clock import Clock
from parking.kit.outbound import (
    AnswerTooLongError,
    open_connections,
    read_bounded,
    require_secure_url,
)
from parking.payments.port import (
    ANSWER_MISMATCH,
    NO_ANSWER,
    UNTRUSTED_ANSWER,
    NoticeRefusedError,
)
from parking.payments.signed_wire.answers import Answer, ErrorAnswer
from parking.payments.signed_wire.signature import (
    PlatformKeys,
    SignatureRefusedError,
    SignatureScheme,
    Stamp,
)

CALL_TIMEOUT_S = 5.0
FILE_TIMEOUT_S = 30.0
ANSWER_BYTES_MAX = 64 * 1024
FILE_BYTES_MAX = 16 * 1024 * 1024
NOTICE_BYTES_MAX = 16 * 1024
HTTP_OK = 200
HTTP_NOT_FOUND = 404
_NONCE_BYTES = 16

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
_AnswerT = TypeVar("_AnswerT", bound=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedWireSettings:
    """How to reach a platform.

    Attributes:
        base_url: `https://…`; plain `http` only on loopback.
        merchant: Our name there.
        merchant_key_pem: Our private key, of the kind that the wire's page asks for.
        platform_keys_pem: The platform's public keys, one PEM block after another.
        call_timeout_s: For every call but a charge, which brings its own deadline.
    """

    base_url: str
    merchant: str
    merchant_key_pem: str = field(repr=False)
    platform_keys_pem: str
    call_timeout_s: float = CALL_TIMEOUT_S

    def __post_init__(self) -> None:
        require_secure_url("base_url", self.base_url)


@dataclass(frozen=True, slots=True)
class Failure:
    """No result: nothing was heard that may be believed, or the platform signed an error.

    Attributes:
        code: `NO_ANSWER`, `UNTRUSTED_ANSWER`, `ANSWER_MISMATCH`, or the platform's error code.
        status_code: Of the signed error; `None` where there is none.
    """

    code: str
    status_code: int | None = None

    @property
    def says_not_found(self) -> bool:
        """Whether the platform itself says that it has no such thing."""
        return self.status_code == HTTP_NOT_FOUND and self.code == "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    method: str
    path: str
    body: dict[str, object] | None = None
    deadline_s: float
    bytes_max: int = ANSWER_BYTES_MAX


class SignedClient:
    """Calls the platform; believes only what it signed, for this very question."""

    def __init__(self, scheme: SignatureScheme, settings: SignedWireSettings, clock: Clock) -> None:
        self._scheme = scheme
        self._settings = settings
        self._key = scheme.load_private_key(settings.merchant_key_pem)
        self._platform_keys = PlatformKeys(scheme, settings.platform_keys_pem)
        self._clock = clock
        self._base_url = settings.base_url.rstrip("/")
        self._client = open_connections()

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
        limit_s = deadline_s or self._settings.call_timeout_s
        content = await self._signed_answer(
            _Call(method=method, path=path, body=body, deadline_s=limit_s)
        )
        if isinstance(content, Failure):
            return content
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            return self._lost(path, ANSWER_MISMATCH, repr(error.errors(include_input=False)))

    async def file(self, path: str) -> bytes | Failure:
        """Return a signed file, or why there is none. Never raises for I/O."""
        return await self._signed_answer(
            _Call(method="GET", path=path, deadline_s=FILE_TIMEOUT_S, bytes_max=FILE_BYTES_MAX)
        )

    def check_notice(self, headers: Mapping[str, str], body: bytes) -> None:
        """Return if the platform signed this notice for us, just now.

        Raises:
            NoticeRefusedError: it did not.
        """
        if len(body) > NOTICE_BYTES_MAX:
            raise NoticeRefusedError("body")
        sent = {name.lower(): value for name, value in headers.items()}
        try:
            header = self._scheme.parse(sent.get(self._scheme.header.lower(), ""))
            text = self._scheme.text(
                "notice", self._settings.merchant, stamp=header.stamp, body=body
            )
            self._platform_keys.check(header, text, self._clock.now())
        except SignatureRefusedError as error:
            raise NoticeRefusedError(error.reason) from error

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
        except AnswerTooLongError:
            return self._lost(call.path, UNTRUSTED_ANSWER, "body")
        except (TimeoutError, httpx.HTTPError) as error:
            return self._lost(call.path, NO_ANSWER, repr(error))
        except SignatureRefusedError as error:
            return self._lost(call.path, UNTRUSTED_ANSWER, error.reason)
        except ValidationError as error:
            return self._lost(call.path, ANSWER_MISMATCH, repr(error.errors(include_input=False)))

    async def _exchange(self, call: _Call) -> tuple[int, bytes]:
        content = b"" if call.body is None else orjson.dumps(call.body)
        headers = {} if call.body is None else {"Content-Type": "application/json"}
        request = self._client.build_request(
            call.method, self._base_url + call.path, content=content, headers=headers
        )
        stamp = Stamp(str(int(self._clock.now().timestamp())), secrets.token_hex(_NONCE_BYTES))
        target = request.url.raw_path.decode("ascii")
        merchant = self._settings.merchant
        # Notices always name the merchant; requests and answers where the wire's page says so.
        named = (merchant,) if self._scheme.names_merchant else ()
        text = self._scheme.text("request", call.method, target, *named, stamp=stamp, body=content)
        request.headers[self._scheme.request_header] = self._scheme.write(
            merchant, self._key, text, stamp
        )
        response = await self._client.send(request, stream=True)
        answer = await read_bounded(response, call.bytes_max)
        header = self._scheme.parse(response.headers.get(self._scheme.header, ""))
        lines = (str(response.status_code), stamp.nonce, *named)
        signed = self._scheme.text("answer", *lines, stamp=header.stamp, body=answer)
        self._platform_keys.check(header, signed, self._clock.now())
        return response.status_code, answer

    def _lost(self, path: str, code: str, cause: str) -> Failure:
        _log.warning(
            "signed_answer_lost", wire=self._scheme.name, path=path, code=code, cause=cause
        )
        return Failure(code)
