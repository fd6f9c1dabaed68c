"""The official library over connections of our own: bounded, and to one host only."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

import httpx
import stripe
import structlog
from pydantic import BaseModel, ValidationError

from parking.kit.outbound import open_connections, read_bounded
from parking.payments.port import ANSWER_MISMATCH, NO_ANSWER, UNTRUSTED_ANSWER
from parking.payments.providers.stripe.settings import StripeSettings

API_VERSION: Final = "2026-10-28.endive"
# A page of 100 balance transactions with their sources has about 400 kB.
ANSWER_BYTES_MAX = 2 * 1024 * 1024
SYSTEM_ERROR: Final = "system_error"
HTTP_BAD_REQUEST = 400
HTTP_CARD_ERROR = 402
HTTP_NOT_FOUND = 404
HTTP_SERVER_ERROR = 500
# What the library tells Stripe about this machine, beside the call itself.
_UNSENT_HEADERS = frozenset({"x-stripe-client-user-agent", "x-stripe-client-telemetry"})
# Would be printed as a warning.
_UNHEARD_HEADERS = frozenset({"stripe-notice"})
_USER_AGENT = f"Stripe/v1 PythonBindings/{stripe.VERSION}"

# Otherwise the library writes an identifier into the home directory and sends it along.
stripe.enable_telemetry = False

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)
_AnswerT = TypeVar("_AnswerT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Failure:
    """No result: nothing was heard that may be believed, or Stripe said an error.

    Attributes:
        code: `NO_ANSWER`, `ANSWER_MISMATCH`, `SYSTEM_ERROR`, or Stripe's error code.
        status_code: Of Stripe's error; None where there is none.
        kind: Stripe's error type, such as `idempotency_error`.
        param: The parameter that the error is about.
        body: Stripe's error object.
        is_replayed: Whether this is the stored answer to an earlier delivery of the same key.
    """

    code: str
    status_code: int | None = None
    kind: str = ""
    param: str = ""
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_replayed: bool = False

    @property
    def says_not_found(self) -> bool:
        """Whether Stripe itself says that it has no such thing."""
        return self.code == "resource_missing"

    @property
    def says_key_used(self) -> bool:
        """Whether the idempotency key belongs to a call with other parameters."""
        return self.kind == "idempotency_error" and self.status_code == HTTP_BAD_REQUEST

    @property
    def is_refusal(self) -> bool:
        """Whether this very call can only be refused again, and has moved nothing."""
        return (
            self.status_code in {HTTP_BAD_REQUEST, HTTP_CARD_ERROR, HTTP_NOT_FOUND}
            and not self.says_key_used
        )

    @property
    def is_stored_defect(self) -> bool:
        """Whether Stripe will go on repeating the defect that an earlier delivery met."""
        return (self.status_code or 0) >= HTTP_SERVER_ERROR and self.is_replayed


class BoundedClient(stripe.HTTPClient):
    """The library's way out: limited connections and answers, no proxy from the environment."""

    name = "httpx"

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._client = open_connections()

    async def request_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,  # noqa: ANN401 - the library's own signature
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one call of the library; see `stripe.HTTPClient.request_async`."""
        sent = {
            name: value for name, value in headers.items() if name.lower() not in _UNSENT_HEADERS
        }
        sent["User-Agent"] = _USER_AGENT
        request = self._client.build_request(method, url, headers=sent, content=post_data)
        try:
            response = await self._client.send(request, stream=True)
            content = await read_bounded(response, ANSWER_BYTES_MAX)
        except httpx.HTTPError as error:
            raise stripe.APIConnectionError(repr(error)) from error
        heard = {
            name: value for name, value in response.headers.items() if name not in _UNHEARD_HEADERS
        }
        return content, response.status_code, heard

    async def close_async(self) -> None:
        """Give back the connections."""
        await self._client.aclose()


class Caller:
    """Calls Stripe through the library; believes only answers of the documented form."""

    def __init__(self, settings: StripeSettings) -> None:
        self._http = BoundedClient()
        self._call_timeout_s = settings.call_timeout_s
        self.livemode = settings.livemode
        self.stripe = stripe.StripeClient(
            settings.secret_key,
            stripe_account=settings.account,
            stripe_version=API_VERSION,
            # Any other of the library's hosts is a defect here, and must fail rather than be met.
            base_addresses={
                "api": settings.base_url.rstrip("/"),
                "connect": "http://127.0.0.1:9",
                "files": "http://127.0.0.1:9",
                "meter_events": "http://127.0.0.1:9",
            },
            # The domain repeats, with what it knows about the car that waits.
            max_network_retries=0,
            http_client=self._http,
        )

    async def call(
        self,
        kind: type[_AnswerT],
        work: Awaitable[stripe.StripeObject],
        *,
        deadline_s: float | None = None,
    ) -> _AnswerT | Failure:
        """Return the answer as `kind`, or why there is none. Never raises for I/O."""
        try:
            async with asyncio.timeout(deadline_s or self._call_timeout_s):
                answer = await work
            return kind.model_validate(answer.to_dict())
        except TimeoutError:
            failure, cause = Failure(NO_ANSWER), "timeout"
        except stripe.StripeError as error:
            failure, cause = _failure(error), repr(error)
        except ValidationError as error:
            failure, cause = Failure(ANSWER_MISMATCH), repr(error.errors(include_input=False))
        _log.warning("stripe_answer_lost", code=failure.code, cause=cause)
        return failure

    async def aclose(self) -> None:
        """Give back the connections."""
        await self._http.close_async()


def _failure(error: stripe.StripeError) -> Failure:
    status_code = error.http_status
    if status_code is None:
        return Failure(NO_ANSWER)
    said: object = error.json_body
    envelope = cast("Mapping[str, Any]", said if isinstance(said, Mapping) else {})
    inner: object = envelope.get("error")
    body = cast("Mapping[str, Any]", inner if isinstance(inner, Mapping) else {})
    kind, code = str(body.get("type") or ""), str(body.get("code") or "")
    if status_code >= HTTP_SERVER_ERROR:
        code = SYSTEM_ERROR
    elif not body:
        # Not Stripe's words: somebody in between has answered.
        return Failure(UNTRUSTED_ANSWER)
    return Failure(
        code=code or kind,
        status_code=status_code,
        kind=kind,
        param=str(body.get("param") or ""),
        body=body,
        is_replayed=(error.headers or {}).get("idempotent-replayed") == "true",
    )
