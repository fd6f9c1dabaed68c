"""Calls to a relay or barrier over HTTP, made so that none of them can arrive late.

A device, or the network before it, may hold back what was sent and act on it much later. So every
pulse has a connection of its own, whose device has just answered a harmless question; what it has
not taken from the network when we stop waiting is thrown away by our kernel, not repeated.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from ssl import SSLContext
from urllib.parse import urlsplit

import httpx

from gate_bridge.agent.errors import BarrierError, PulseUnknownError
from gate_bridge.agent.machines.device_socket import socket_options
from parking.kit.errors import InvalidInputError
from parking.kit.outbound import UNPACKED, read_bounded

ANSWER_BYTES_MAX = 64 * 1024
CONNECT_TIMEOUT_S = 1.0
# A device that is slower than this with a harmless question is not trusted with an order.
PROBE_TIMEOUT_S = 1.0
PULSE_TIMEOUT_S = 2.0
_OK = frozenset({200})
_BROKE_OFF = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAddress:
    """Where a device is, and who we are there.

    Attributes:
        url: `http://host` or `https://host`, with a port if need be.
        username: With `password`, for HTTP Digest; empty for a device that asks for none.
    """

    url: str
    username: str = ""
    password: str = field(default="", repr=False)

    def check(self, where: str) -> None:
        """Refuse what cannot be called.

        Raises:
            InvalidInputError: naming `where`.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidInputError(where, "http://host or https://host")
        if parts.username or parts.password:
            raise InvalidInputError(where, "no credentials in it: they belong in a file")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCall:
    """One request."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class DeviceAnswer:
    """What came back."""

    status: int
    body: bytes


class DeviceConnection:
    """One connection to a device, with its own round of HTTP Digest."""

    def __init__(self, address: DeviceAddress) -> None:
        self._guard: Callable[[], None] | None = None
        self._client = httpx.AsyncClient(
            base_url=address.url,
            auth=httpx.DigestAuth(address.username, address.password) if address.username else None,
            headers=UNPACKED,
            transport=httpx.AsyncHTTPTransport(
                verify=_unverified(),
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                trust_env=False,
                socket_options=socket_options(),
            ),
            event_hooks={"request": [self._ask_guard]},
            # Each errand has its own time besides.
            timeout=httpx.Timeout(PULSE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            trust_env=False,
            follow_redirects=False,
        )

    async def ask(self, call: DeviceCall) -> DeviceAnswer:
        """Ask something that changes nothing.

        Raises:
            BarrierError: no answer in time, or not the device's.
        """
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                answer = await self._send(call)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise BarrierError(f"the device does not answer: {_name(error)}") from error
        if answer.status not in _OK:
            raise BarrierError(f"the device answered {answer.status}")
        return answer

    async def order(
        self, call: DeviceCall, guard: Callable[[], None], timeout_s: float
    ) -> DeviceAnswer:
        """Send an order once; `guard` is asked right before each time that it leaves.

        It leaves a second time only where the device refused the first for its Digest.

        Raises:
            PulseUnknownError: it left, and no answer came.
            BarrierError: it did not leave, or the device refused it.
        """
        self._guard = guard
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._send(call)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise BarrierError(f"the device does not answer: {_name(error)}") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise PulseUnknownError(f"the device did not say: {_name(error)}") from error
        finally:
            self._guard = None
        if answer.status >= _BROKE_OFF:
            raise PulseUnknownError(f"the device broke off with {answer.status}")
        if answer.status not in _OK:
            raise BarrierError(f"the device answered {answer.status}")
        return answer

    async def close(self) -> None:
        """Let go of the connection; what was not taken yet is not sent any more."""
        await self._client.aclose()

    async def _send(self, call: DeviceCall) -> DeviceAnswer:
        headers = {"Content-Type": call.content_type} if call.content_type else None
        request = self._client.build_request(
            call.method, call.path, content=call.body or None, headers=headers
        )
        response = await self._client.send(request, stream=True)
        return DeviceAnswer(response.status_code, await read_bounded(response, ANSWER_BYTES_MAX))

    async def _ask_guard(self, request: httpx.Request) -> None:
        del request
        if self._guard is not None:
            self._guard()


@cache
def _unverified() -> SSLContext:
    # Cameras have self-made certificates; Digest does not show them the password.
    return httpx.create_ssl_context(verify=False, trust_env=False)


def _name(error: BaseException) -> str:
    return str(error) or type(error).__name__
