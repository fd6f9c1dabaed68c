"""One signed call, one verified answer, one deadline."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import orjson
import structlog
from pydantic import ValidationError

from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.payments.port import ANSWER_MISMATCH, NO_ANSWER, UNTRUSTED_ANSWER
from parking.payments.providers.acquirer.answers import Answer, ErrorAnswer
from parking.payments.providers.acquirer.signature import (
    SignatureHeader,
    SignatureRefusedError,
    Signer,
    Stamp,
    Verifier,
    answer_text,
    request_text,
)

CONNECTIONS_MAX = 64
# Shorter than servers keep an idle connection, so that a charge rarely meets one just closed.
KEEPALIVE_S = 4.0
CALL_TIMEOUT_S = 5.0
ANSWER_BYTES_MAX = 64 * 1024
HTTP_OK = 200
HTTP_NOT_FOUND = 404
_NONCE_BYTES = 16
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
_AnswerT = TypeVar("_AnswerT", bound=Answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquirerSettings:
    """How to reach the acquirer.

    Attributes:
        base_url: `https://…`; plain `http` only on loopback.
        merchant: Our name at the acquirer.
        merchant_key_pem: Our RSA private key.
        platform_keys_pem: The acquirer's public keys, one PEM block after another.
        call_timeout_s: For every call but a charge, which brings its own deadline.
    """

    base_url: str
    merchant: str
    merchant_key_pem: str
    platform_keys_pem: str
    call_timeout_s: float = CALL_TIMEOUT_S

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in _LOOPBACK):
            raise InvalidInputError("base_url", "an https URL, or http on loopback")


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


class SignedClient:
    """Calls the platform; believes only what it signed, for this very question."""

    def __init__(self, settings: AcquirerSettings, verifier: Verifier, clock: Clock) -> None:
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
            # `call` puts one deadline on everything together, waiting for a connection included.
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
        try:
            async with asyncio.timeout(deadline_s or self._call_timeout_s):
                status_code, content = await self._exchange(method, path, body)
            if status_code != HTTP_OK:
                error = ErrorAnswer.model_validate_json(content)
                return Failure(error.code, status_code)
            return kind.model_validate_json(content)
        except (TimeoutError, httpx.HTTPError) as error:
            failure, cause = Failure(NO_ANSWER), repr(error)
        except SignatureRefusedError as error:
            failure, cause = Failure(UNTRUSTED_ANSWER), error.reason
        except ValidationError as error:
            failure, cause = Failure(ANSWER_MISMATCH), repr(error.errors(include_input=False))
        _log.warning("acquirer_answer_lost", path=path, code=failure.code, cause=cause)
        return failure

    async def aclose(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def _exchange(
        self, method: str, path: str, body: dict[str, object] | None
    ) -> tuple[int, bytes]:
        content = b"" if body is None else orjson.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        request = self._client.build_request(
            method, self._base_url + path, content=content, headers=headers
        )
        stamp = Stamp(str(int(self._clock.now().timestamp())), secrets.token_hex(_NONCE_BYTES))
        target = request.url.raw_path.decode("ascii")
        text = request_text(method, target, stamp, content)
        request.headers["Authorization"] = self._signer.authorization(text, stamp)
        response = await self._client.send(request, stream=True)
        try:
            answer = await _read_bounded(response)
        finally:
            await response.aclose()
        header = SignatureHeader.parse(response.headers.get("Sesame-Signature", ""))
        signed = answer_text(response.status_code, stamp.nonce, header.stamp, answer)
        self._verifier.check(header, signed, self._clock.now())
        return response.status_code, answer


async def _read_bounded(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > ANSWER_BYTES_MAX:
            raise SignatureRefusedError("body")
    return bytes(content)
