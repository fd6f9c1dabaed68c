"""Pushes through Firebase Cloud Messaging.

firebase-admin has no public way to name another endpoint, to leave out its own retries, or to
fetch tokens without blocking the event loop. `_install` therefore replaces its HTTP client, which
is private to firebase-admin; tests/contract/test_fcm.py fails if a new version moves it.
"""

import asyncio
import warnings
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, cast
from uuid import uuid4

import firebase_admin
import httpx
from firebase_admin import credentials, exceptions, messaging
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from notifications.push import PushMessage, PushOutcome, PushResult
from parking.drivers.models import TargetKind

IN_FLIGHT_MAX: Final = 50
HTTP_TIMEOUT_S: Final = 10.0
TOKEN_TIMEOUT_S: Final = 10.0
# A parking message that comes a day late is of no use.
TIME_TO_LIVE: Final = timedelta(days=1)
_UNAUTHORIZED: Final = 401

_FAILURES: Final[tuple[tuple[type[Exception], PushOutcome, str], ...]] = (
    (messaging.UnregisteredError, PushOutcome.GONE, "unregistered"),
    (messaging.SenderIdMismatchError, PushOutcome.REFUSED, "sender_id_mismatch"),
    (messaging.ThirdPartyAuthError, PushOutcome.REFUSED, "third_party_auth"),
    (exceptions.InvalidArgumentError, PushOutcome.REFUSED, "invalid_argument"),
    (messaging.QuotaExceededError, PushOutcome.RETRY, "quota_exceeded"),
    (exceptions.ResourceExhaustedError, PushOutcome.RETRY, "quota_exceeded"),
    (exceptions.UnavailableError, PushOutcome.RETRY, "unavailable"),
    (exceptions.DeadlineExceededError, PushOutcome.RETRY, "timeout"),
    (exceptions.InternalError, PushOutcome.RETRY, "internal"),
    (exceptions.UnauthenticatedError, PushOutcome.RETRY, "unauthenticated"),
    (exceptions.PermissionDeniedError, PushOutcome.REFUSED, "permission_denied"),
    (exceptions.NotFoundError, PushOutcome.REFUSED, "not_found"),
)


class FcmPushSender:
    """One Firebase project; belongs to the event loop that it is first used in.

    Args:
        credentials_file: The service account, as Firebase's console gives it.
        endpoint: Base URL in FCM's place; `None` is FCM.
    """

    def __init__(self, credentials_file: Path, *, endpoint: str | None = None) -> None:
        certificate: Any = credentials.Certificate(str(credentials_file))
        # Apps are global by name; two senders must not meet.
        self._app: Any = cast("Any", firebase_admin).initialize_app(
            certificate, name=f"sesame-{uuid4()}"
        )
        self._client = _FcmClient(_TokenAuth(certificate.get_credential()))
        _install(self._app, self._client, endpoint)
        self._in_flight = asyncio.Semaphore(IN_FLIGHT_MAX)

    async def send(self, message: PushMessage) -> PushResult:
        """Hand one message to FCM, once."""
        try:
            async with self._in_flight:
                batch: Any = await cast("Any", messaging).send_each_async(
                    [_encode(message)], app=self._app
                )
        except ValueError as error:
            return PushResult(PushOutcome.REFUSED, failure=f"invalid_message: {error}")
        except exceptions.FirebaseError as error:
            # An answer that could not be read is raised instead of returned.
            return result_of(error)
        answer = batch.responses[0]
        if answer.success:
            return PushResult(PushOutcome.SENT, reference=str(answer.message_id))
        return result_of(answer.exception)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        # It runs an event loop of its own to close the client, which is closed by then.
        await asyncio.to_thread(cast("Any", firebase_admin).delete_app, self._app)


def result_of(error: Exception) -> PushResult:
    """Return what an error of firebase-admin means for the message and for its target."""
    for kind, outcome, failure in _FAILURES:
        if isinstance(error, kind):
            return PushResult(outcome, failure=failure, retry_after_s=_retry_after_s(error))
    if isinstance(error.__cause__ or getattr(error, "cause", None), httpx.TransportError):
        return PushResult(PushOutcome.RETRY, failure="transport")
    # Nothing known: another attempt costs little, a driver who is not told costs more.
    return PushResult(PushOutcome.RETRY, failure=type(error).__name__)


def _retry_after_s(error: Exception) -> float | None:
    response = getattr(error, "http_response", None)
    value: str | None = None if response is None else response.headers.get("Retry-After")
    # FCM sends seconds; a date would need the clock of the service.
    return float(value) if value and value.isascii() and value.isdigit() else None


def _encode(message: PushMessage) -> Any:  # noqa: ANN401 - firebase-admin comes without types
    library = cast("Any", messaging)
    if message.target_kind == TargetKind.WEB_PUSH:
        raise ValueError("target_kind: a browser's endpoint is not Firebase's")
    target = {message.target_kind.value: message.target}
    with warnings.catch_warnings():
        if message.target_kind == TargetKind.TOKEN:
            # Not every client library has installation ids yet.
            warnings.filterwarnings("ignore", r"Message\.token is", DeprecationWarning)
        return library.Message(
            **target,
            data=dict(message.data),
            notification=library.Notification(title=message.title, body=message.body),
            android=library.AndroidConfig(
                collapse_key=message.collapse_key,
                priority="high",
                ttl=TIME_TO_LIVE,
                notification=library.AndroidNotification(tag=message.tag),
            ),
            apns=library.APNSConfig(
                headers={"apns-collapse-id": message.tag, "apns-priority": "10"},
                payload=library.APNSPayload(
                    aps=library.Aps(sound="default", thread_id=message.collapse_key)
                ),
            ),
        )


def _install(app: object, client: "_FcmClient", endpoint: str | None) -> None:
    """Give firebase-admin our HTTP client: the only use of its private names."""
    service = cast("Any", messaging)._get_messaging_service(app)  # noqa: SLF001
    for name in ("_fcm_url", "_async_client", "_project_id"):
        if not hasattr(service, name):
            raise RuntimeError(f"firebase-admin has no {name} any more: notifications/fcm.py")
    service._async_client = client  # noqa: SLF001
    if endpoint is not None:
        project_id = service._project_id  # noqa: SLF001
        base = endpoint.rstrip("/")
        service._fcm_url = f"{base}/v1/projects/{project_id}/messages:send"  # noqa: SLF001


class _TokenAuth(httpx.Auth):
    """Adds Google's access token; a new one is fetched in a thread, by one task at a time."""

    def __init__(self, credential: object) -> None:
        self._credential = cast("Any", credential)
        self._lock = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send with the token; once more with a fresh one where it was refused."""
        token = await self._token(refused=None)
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == _UNAUTHORIZED:
            token = await self._token(refused=token)
            request.headers["Authorization"] = f"Bearer {token}"
            yield request

    async def _token(self, refused: str | None) -> str:
        async with self._lock:
            # Whoever waited for the lock finds the token that another task fetched.
            if not self._credential.valid or self._credential.token == refused:
                await self._refresh()
            return str(self._credential.token)

    async def _refresh(self) -> None:
        request = partial(cast("Any", Request)(), timeout=TOKEN_TIMEOUT_S)
        try:
            async with asyncio.timeout(TOKEN_TIMEOUT_S):
                await asyncio.to_thread(self._credential.refresh, request)
        except (GoogleAuthError, OSError, TimeoutError) as error:
            raise httpx.ConnectError(f"no access token: {error}") from error


class _FcmClient:
    """The HTTP client that firebase-admin calls: one try, our timeout.

    Its own client tries five times and pays no heed to Retry-After; our retries are the outbox's.
    """

    def __init__(self, auth: httpx.Auth) -> None:
        limits = httpx.Limits(max_connections=IN_FLIGHT_MAX, max_keepalive_connections=10)
        self._client = httpx.AsyncClient(
            http2=True, timeout=HTTP_TIMEOUT_S, auth=auth, limits=limits, trust_env=False
        )

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], json: object
    ) -> httpx.Response:
        """Send one request.

        Raises:
            httpx.HTTPError: it was refused, or got no answer.
        """
        response = await self._client.request(method, url, headers=headers, json=json)
        return response.raise_for_status()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
