"""One call, one answer of bounded size, one deadline."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from parking.kit.outbound import open_connections, read_bounded
from parking.payments.port import ANSWER_MISMATCH, NO_ANSWER
from parking.payments.providers.gocardless.settings import GoCardlessSettings

API_VERSION = "2015-07-06"
ANSWER_BYTES_MAX = 4 * 1024 * 1024
CONFLICT_REASON = "idempotent_creation_conflict"
SYSTEM_ERROR = "system_error"
HTTP_NOT_FOUND = 404
HTTP_ERRORS_MIN = 400
HTTP_SERVER_ERRORS_MIN = 500
# Said about what was asked, not about when or by whom: the same call can only be refused again.
HTTP_REFUSALS = {400, 422}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Answer(BaseModel):
    """An object of the API."""

    # Fields that a later version adds are no reason to lose an answer.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


AnswerT = TypeVar("AnswerT", bound=Answer)


@dataclass(frozen=True, slots=True)
class Failure:
    """No result: nothing was heard, or GoCardless said no.

    Attributes:
        code: `NO_ANSWER`, `ANSWER_MISMATCH`, `SYSTEM_ERROR`, or the error's first reason.
        status_code: Of the error; `None` where nothing was heard.
        conflicting_id: What the idempotency key was used for before.
    """

    code: str
    status_code: int | None = None
    conflicting_id: str | None = None

    @property
    def says_not_found(self) -> bool:
        """Whether there is no such thing."""
        return self.status_code == HTTP_NOT_FOUND

    @property
    def is_refusal(self) -> bool:
        """Whether the call was understood and not carried out.

        A conflict is one only where it names what was made before: else that may be on its way.
        """
        return self.status_code in HTTP_REFUSALS or self.conflicting_id is not None


class _Error(Answer):
    type: str
    code: int
    errors: list[dict[str, Any]] = []


class _ErrorAnswer(Answer):
    error: _Error


class GoCardlessClient:
    """Calls the API with our token."""

    def __init__(self, settings: GoCardlessSettings) -> None:
        self._base_url = settings.base_url.rstrip("/")
        self._call_timeout_s = settings.call_timeout_s
        self._client = open_connections(
            headers={
                "Authorization": f"Bearer {settings.access_token}",
                "GoCardless-Version": API_VERSION,
                "Accept": "application/json",
            },
        )

    async def get(
        self, kind: type[AnswerT], path: str, query: Mapping[str, str] | None = None
    ) -> AnswerT | Failure:
        """Return what is at a path, or why it is not known. Never raises for I/O."""
        request = self._client.build_request("GET", self._base_url + path, params=query)
        return await self._call(kind, request)

    async def post(
        self,
        kind: type[AnswerT],
        path: str,
        body: Mapping[str, object],
        *,
        key: str | None = None,
        deadline_s: float | None = None,
    ) -> AnswerT | Failure:
        """Return what came of a call. Never raises for I/O.

        Args:
            kind: What the answer is.
            path: Where to.
            body: The envelope with everything in it.
            key: The Idempotency-Key: one key makes one thing, however often it is sent.
            deadline_s: How long to wait; as in the settings where it is not given.
        """
        headers = {"Idempotency-Key": key} if key else {}
        request = self._client.build_request(
            "POST", self._base_url + path, json=dict(body), headers=headers
        )
        return await self._call(kind, request, deadline_s=deadline_s)

    async def aclose(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def _call(
        self, kind: type[AnswerT], request: httpx.Request, *, deadline_s: float | None = None
    ) -> AnswerT | Failure:
        path = request.url.path
        try:
            async with asyncio.timeout(deadline_s or self._call_timeout_s):
                status_code, content = await self._exchange(request)
            if status_code >= HTTP_SERVER_ERRORS_MIN:
                return _lost(path, SYSTEM_ERROR, f"HTTP {status_code}", status_code)
            if status_code >= HTTP_ERRORS_MIN:
                return _failure(status_code, content)
            return kind.model_validate_json(content)
        except (TimeoutError, httpx.HTTPError) as error:
            return _lost(path, NO_ANSWER, repr(error))
        except ValidationError as error:
            return _lost(path, ANSWER_MISMATCH, repr(error.errors(include_input=False)))

    async def _exchange(self, request: httpx.Request) -> tuple[int, bytes]:
        response = await self._client.send(request, stream=True)
        return response.status_code, await read_bounded(response, ANSWER_BYTES_MAX)


def _failure(status_code: int, content: bytes) -> Failure:
    error = _ErrorAnswer.model_validate_json(content).error
    reasons = [str(item["reason"]) for item in error.errors if item.get("reason")]
    conflicting = [
        str(item["links"]["conflicting_resource_id"])
        for item in error.errors
        if item.get("reason") == CONFLICT_REASON and item.get("links")
    ]
    return Failure(
        code=reasons[0] if reasons else error.type,
        status_code=status_code,
        conflicting_id=conflicting[0] if conflicting else None,
    )


def _lost(path: str, code: str, cause: str, status_code: int | None = None) -> Failure:
    _log.warning("gocardless_answer_lost", path=path, code=code, cause=cause)
    return Failure(code, status_code)
