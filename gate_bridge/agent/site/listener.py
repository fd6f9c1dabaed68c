"""The HTTP side of a site: devices post here, and what they post is kept before it is answered.

A device that gets an error forgets the message, or sends it for ever. So once a message is kept
the answer is a 200, whatever is in it, and nothing here answers 503.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final, Protocol
from uuid import UUID

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.site.client_names import names_in
from gate_bridge.agent.site.device_access import (
    Admitted,
    DeviceAccess,
    Inquiry,
    ListenedDevice,
    Refused,
)
from gate_bridge.agent.site.refusal_log import RefusalLog
from gate_bridge.drivers.digest import DigestChecker
from gate_bridge.drivers.port import DeviceMessage, DeviceReply
from gate_bridge.wire.rate import TokenBucket
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError

HEALTH_PATH: Final = "/healthz"
BODIES_AT_ONCE_MAX: Final = 16  # Over all devices: they are in memory.
DISCARDED_BYTES_MAX: Final = 64 * 1024 * 1024
HEADERS_KEPT_MAX: Final = 32
HEADER_CHARACTERS_MAX: Final = 1024
# Who may speak for a device is not for its message, which is kept in clear.
_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
# The rest of the body may still be on its way: it must not be read as the next request.
_CLOSE: Final = {"connection": "close"}
_RETRY: Final = {"retry-after": "1"}

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class MessageKeeper(Protocol):
    """What takes in messages; see `Intake`."""

    async def keep(self, device_name: str, message: DeviceMessage) -> UUID:
        """Store a message durably."""
        ...

    async def act(self, stored_id: UUID) -> bool:
        """Do what a message calls for; return whether the arm is to rise by the reply."""
        ...

    def hung_up(self, stored_id: UUID) -> None:
        """Note that the device does not wait for the reply any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerTimes:
    """How long devices may take.

    Attributes:
        body_s: From the headers to the last byte.
        place_s: For a place among the requests that are served at once.
    """

    body_s: float = 15.0
    place_s: float = 10.0


class _Places:
    """What one device has of the listener."""

    def __init__(self, device: ListenedDevice, seconds: Callable[[], float]) -> None:
        bounds = device.bounds
        self.requests = asyncio.Semaphore(bounds.requests_at_once_max)
        self.rate = TokenBucket(bounds.requests_per_s, bounds.requests_burst, seconds)


class _Unread(Exception):  # noqa: N818 - an answer on its way, not an error
    """The body was not taken, and why."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class Listener:
    """An ASGI application for the devices of one site.

    Raises:
        InvalidInputError: naming a device whose settings cannot be.
    """

    def __init__(
        self,
        devices: Sequence[ListenedDevice],
        intake: MessageKeeper,
        clock: Clock,
        *,
        certificates_asked: bool = False,
        times: ListenerTimes | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = DeviceAccess(
            devices, DigestChecker(seconds=seconds), certificates_asked=certificates_asked
        )
        self._intake = intake
        self._clock = clock
        self._times = times or ListenerTimes()
        self._bodies = asyncio.Semaphore(BODIES_AT_ONCE_MAX)
        self._places = {device.name: _Places(device, seconds) for device in devices}
        self._refusals = RefusalLog(seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive, send)
        if scope["path"] == HEALTH_PATH and request.method == "GET":
            response: Response = JSONResponse({"status": "ok"})
        else:
            response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        admitted = self._access.admit(_inquiry(request))
        if isinstance(admitted, Refused):
            return await self._refuse(request, admitted)
        device = admitted.device
        self._refusals.proven(device.name)
        places = self._places[device.name]
        if not places.rate.take():
            return await self._refuse(request, Refused(429, device.name, _RETRY))
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._times.place_s):
                    await stack.enter_async_context(places.requests)
                    await stack.enter_async_context(self._bodies)
            except TimeoutError:
                return await self._refuse(request, Refused(429, device.name, _RETRY))
            return await self._take(request, admitted)

    async def _take(self, request: Request, admitted: Admitted) -> Response:
        device = admitted.device
        try:
            message = await self._message(request, admitted)
            stored_id = await self._intake.keep(device.name, message)
        except _Unread as unread:
            return self._refusal(request, Refused(unread.status, device.name, _CLOSE))
        except JournalFullError:
            return self._refusal(request, Refused(507, device.name, _RETRY))
        except Exception:  # noqa: BLE001 - one request's end; see below
            # Whatever it was, the message is not kept, and the device has to hear of that.
            _log.exception("device_message_not_kept", device=device.name)
            return self._refusal(request, Refused(507, device.name, _RETRY))
        opens = await self._act(request, stored_id, device)
        reply = _reply(message, device, opens=opens)
        return Response(reply.body, reply.status, media_type=reply.content_type)

    async def _message(self, request: Request, admitted: Admitted) -> DeviceMessage:
        body = await self._body(request, admitted.device.bounds.body_bytes_max)
        return DeviceMessage(
            target=admitted.target,
            headers=_kept_headers(request),
            body=body,
            received_at=self._clock.now(),
        )

    async def _body(self, request: Request, bytes_max: int) -> bytes:
        is_too_large = False
        body = bytearray()
        try:
            async with asyncio.timeout(self._times.body_s):
                async for chunk in request.stream():
                    is_too_large = is_too_large or len(body) + len(chunk) > bytes_max
                    if is_too_large:
                        # To the end, if it is near; see `_refuse`.
                        body.clear()
                    else:
                        body += chunk
        except TimeoutError:
            raise _Unread(413 if is_too_large else 408) from None
        except ClientDisconnect:
            raise _Unread(400) from None
        if is_too_large:
            raise _Unread(413)
        return bytes(body)

    async def _act(self, request: Request, stored_id: UUID, device: ListenedDevice) -> bool:
        watching: asyncio.Task[None] | None = None
        if device.driver.reply_opens:
            watching = asyncio.create_task(self._watch_line(request, stored_id))
        try:
            return await self._intake.act(stored_id)
        except Exception:  # noqa: BLE001 - one request's end; see below
            # The message is kept and is looked at again later: the device need not know.
            _log.exception("device_message_not_acted_on", device=device.name)
            return False
        finally:
            if watching is not None:
                watching.cancel()

    async def _watch_line(self, request: Request, stored_id: UUID) -> None:
        """Say when the device hangs up: a reply that nobody reads raises no arm."""
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self._intake.hung_up(stored_id)

    async def _refuse(self, request: Request, refused: Refused) -> Response:
        """Refuse after the body has come: many a device reads nothing before it sent it all."""
        try:
            async with asyncio.timeout(self._times.body_s):
                if await _discard(request):
                    return self._refusal(request, refused)
        except (TimeoutError, ClientDisconnect):
            pass
        closing = {**refused.headers, **_CLOSE}
        return self._refusal(request, replace(refused, headers=closing))

    def _refusal(self, request: Request, refused: Refused) -> Response:
        tell = self._refusals.asked if refused.is_usual else self._refusals.note
        tell(refused.device_name, refused.status, request.scope["path"], _peer(request))
        return Response(status_code=refused.status, headers=dict(refused.headers))


def _inquiry(request: Request) -> Inquiry:
    scope = request.scope
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return Inquiry(
        method=request.method,
        peer=_peer(request),
        # Some devices put a slash before whatever was entered.
        path="/" + scope["path"].lstrip("/"),
        target=(path + b"?" + query if query else path).decode("latin-1"),
        query=query.decode("latin-1"),
        certificate_names=names_in(scope),
        authorization=request.headers.get("authorization", ""),
    )


def _peer(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _kept_headers(request: Request) -> dict[str, str]:
    kept = [
        (name, value[:HEADER_CHARACTERS_MAX])
        for name, value in request.headers.items()
        if name not in _SECRET_HEADERS
    ]
    return dict(kept[:HEADERS_KEPT_MAX])


async def _discard(request: Request) -> bool:
    """Throw the body away; return whether that was all of it."""
    count = 0
    async for chunk in request.stream():
        count += len(chunk)
        if count > DISCARDED_BYTES_MAX:
            return False
    return True


def _reply(message: DeviceMessage, device: ListenedDevice, *, opens: bool) -> DeviceReply:
    try:
        return device.driver.reply(message, device.settings, opens=opens)
    except InvalidInputError:
        # What cannot be read is kept and answered like anything else.
        return DeviceReply()
