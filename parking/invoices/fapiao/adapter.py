"""The fapiao service behind its signed wire: docs/fapiao-wire.md."""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

import httpx
import orjson
import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from parking.invoices.fapiao import signature
from parking.invoices.fapiao.port import FapiaoApplication, FapiaoResult, FapiaoStatus
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.kit.outbound import (
    UNPACKED,
    AnswerTooLongError,
    read_bounded,
    require_secure_url,
)

CALL_TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 64 * 1024
CONNECTIONS_MAX: Final = 10
NO_ANSWER: Final = "no_answer"
UNTRUSTED_ANSWER: Final = "untrusted_answer"
ANSWER_MISMATCH: Final = "answer_mismatch"
_OK: Final = 200
_NOT_FOUND: Final = 404
_NONCE_BYTES: Final = 16

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class _UntrustedError(Exception):
    """An answer that the service did not sign for this call."""


class _Answer(BaseModel):
    """An application as the service keeps it."""

    # Fields that a later version of the wire adds are no reason to lose an answer.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    number: Annotated[str, Field(min_length=1, max_length=64)]
    status: Literal["applied", "issued", "failed"]
    gross_minor: Annotated[int, Field(gt=0, lt=2**53)]
    fapiao_number: Annotated[str, Field(pattern=r"^[0-9A-Z]{8,32}$")] | None = None
    pdf_url: Annotated[str, Field(max_length=2000, pattern=r"^https?://[!-~]+$")] | None = None
    issued_at: AwareDatetime | None = None
    failure_code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it says everything that its status promises."""
        if self.status == "issued":
            return None not in (self.fapiao_number, self.pdf_url, self.issued_at)
        return True


class _ErrorAnswer(BaseModel):
    """Why a call was not carried out."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,60}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FapiaoSettings:
    """How to reach the service.

    Attributes:
        base_url: `https://…`; plain `http` only on loopback.
        account: Our name there.
        secret: Shared, at least 32 characters.
    """

    base_url: str
    account: str
    secret: str = field(repr=False)
    call_timeout_s: float = CALL_TIMEOUT_S

    def __post_init__(self) -> None:
        require_secure_url("SESAME_FAPIAO_URL", self.base_url)
        if len(self.secret) < signature.SECRET_LENGTH_MIN:
            raise InvalidInputError(
                "SESAME_FAPIAO_SECRET", f"at least {signature.SECRET_LENGTH_MIN} characters"
            )


class HttpFapiaoService:
    """A `FapiaoService` over the signed wire; believes only what was signed for its question."""

    def __init__(
        self,
        settings: FapiaoSettings,
        clock: Clock,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._base_url = settings.base_url.rstrip("/")
        self._client = httpx.AsyncClient(
            headers=UNPACKED,
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            # `_call` puts one deadline on everything together.
            timeout=None,  # noqa: S113 - see above
            trust_env=False,
            transport=transport,
        )

    async def apply(self, application: FapiaoApplication) -> FapiaoResult:
        """See `FapiaoService.apply`."""
        body: dict[str, object] = {
            "number": application.number,
            "red_of": application.red_of,
            "reason": application.reason,
            "seller": {
                "name": application.seller_name,
                "tax_number": application.seller_tax_number,
            },
            "title": {"name": application.title, "tax_number": application.title_tax_number},
            "email": application.email,
            "currency": application.currency,
            "lines": [
                {
                    "name": line.name,
                    "vat_basis_points": line.vat_basis_points,
                    "net_minor": line.net_minor,
                    "vat_minor": line.vat_minor,
                    "gross_minor": line.gross_minor,
                }
                for line in application.lines
            ],
            "gross_minor": application.gross_minor,
        }
        return await self._call(
            "POST", "/v1/fapiao", application.number, body, gross_minor=application.gross_minor
        )

    async def query(self, number: str) -> FapiaoResult:
        """See `FapiaoService.query`."""
        return await self._call("GET", f"/v1/fapiao/{number}", number)

    async def aclose(self) -> None:
        """See `FapiaoService.aclose`."""
        await self._client.aclose()

    async def _call(
        self,
        method: str,
        path: str,
        number: str,
        body: dict[str, object] | None = None,
        *,
        gross_minor: int | None = None,
    ) -> FapiaoResult:
        try:
            async with asyncio.timeout(self._settings.call_timeout_s):
                status, content = await self._exchange(method, path, body)
            if status != _OK:
                return _refused(number, status, _ErrorAnswer.model_validate_json(content).code)
            answer = _Answer.model_validate_json(content)
        except (TimeoutError, httpx.HTTPError) as error:
            return _unknown(number, NO_ANSWER, repr(error))
        except _UntrustedError as error:
            return _unknown(number, UNTRUSTED_ANSWER, str(error))
        except ValidationError as error:
            return _unknown(number, ANSWER_MISMATCH, repr(error.errors(include_input=False)))
        is_about_us = answer.number == number and gross_minor in (None, answer.gross_minor)
        if not is_about_us or not answer.is_whole:
            return _unknown(number, ANSWER_MISMATCH, "another application, or half of one")
        return FapiaoResult(
            number=number,
            status=FapiaoStatus(answer.status),
            fapiao_number=answer.fapiao_number,
            pdf_url=answer.pdf_url,
            issued_at=answer.issued_at,
            failure_code=answer.failure_code,
        )

    async def _exchange(
        self, method: str, path: str, body: dict[str, object] | None
    ) -> tuple[int, bytes]:
        content = b"" if body is None else orjson.dumps(body)
        request = self._client.build_request(method, self._base_url + path, content=content)
        nonce = secrets.token_hex(_NONCE_BYTES)
        timestamp = str(int(self._clock.now().timestamp()))
        request.headers.update(
            {
                "content-type": "application/json",
                signature.ACCOUNT_HEADER: self._settings.account,
                signature.TIMESTAMP_HEADER: timestamp,
                signature.NONCE_HEADER: nonce,
                signature.SIGNATURE_HEADER: signature.sign_request(
                    self._settings.secret,
                    method=method,
                    target=request.url.raw_path.decode("ascii"),
                    account=self._settings.account,
                    timestamp=timestamp,
                    nonce=nonce,
                    body=content,
                ),
            }
        )
        response = await self._client.send(request, stream=True)
        try:
            answer = await read_bounded(response, ANSWER_BYTES_MAX)
        except AnswerTooLongError as error:
            raise _UntrustedError("body") from error
        self._check(response, nonce, answer)
        return response.status_code, answer

    def _check(self, response: httpx.Response, nonce: str, body: bytes) -> None:
        timestamp = response.headers.get(signature.TIMESTAMP_HEADER, "")
        expected = signature.sign_answer(
            self._settings.secret,
            nonce=nonce,
            status=response.status_code,
            timestamp=timestamp,
            body=body,
        )
        if not signature.is_same(
            expected, response.headers.get(signature.SIGNATURE_HEADER, "")
        ) or not signature.is_fresh(timestamp, self._clock.now()):
            raise _UntrustedError("signature")


def _refused(number: str, status: int, code: str) -> FapiaoResult:
    if status == _NOT_FOUND and code == "not_found":
        return FapiaoResult(number, FapiaoStatus.NOT_FOUND)
    return _unknown(number, code, f"status {status}")


def _unknown(number: str, code: str, cause: str) -> FapiaoResult:
    _log.warning("fapiao_answer_lost", number=number, code=code, cause=cause)
    return FapiaoResult(number, FapiaoStatus.UNKNOWN, failure_code=code)
