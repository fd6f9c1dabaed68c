"""Fetches a camera's ONVIF events from a pull point, for cameras that push none."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import httpx
import structlog

from gate_bridge.agent.backoff import full_jitter_s
from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.server_time import steady_seconds
from gate_bridge.agent.site import onvif_soap
from gate_bridge.agent.site.intake import Intake
from gate_bridge.agent.site.settings import SiteDevice
from gate_bridge.drivers.port import DeviceMessage
from gate_bridge.drivers.xml import XmlNode, read_xml
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError, ParkingError
from parking.kit.outbound import UNPACKED, AnswerTooLongError, read_bounded

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EVENTS_PATH: Final = "/onvif/event_service"
CLOCK_PATH: Final = "/onvif/device_service"
TARGET: Final = "pull"
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PullLimits:
    """How long a pull point lives and waits, and what is taken from it.

    Attributes:
        stay_s: It ends by itself so long after the last renewal.
        renew_s: When it is renewed.
        wait_s: How long the device holds a question that it has no events for.
        answer_s_max: Beyond that, for the answer itself.
        alive_s: An answer without events is kept only so often: it says that the camera lives.
    """

    stay_s: int = 60
    renew_s: float = 25.0
    wait_s: int = 5
    answer_s_max: float = 5.0
    messages_max: int = 32
    answer_bytes_max: int = 1024 * 1024
    alive_s: float = 60.0
    reconnect_s_max: float = 30.0


class PullError(ParkingError):
    """The camera does not give its events."""

    code = "ONVIF_PULL_FAILED"
    retryable = True


def is_pulled(device: SiteDevice) -> bool:
    """Return whether a device's events are fetched rather than posted."""
    return device.driver == "onvif" and bool(device.settings.options.get("pull"))


def check_pulled(device: SiteDevice) -> None:
    """Refuse a device that nobody can fetch from.

    Raises:
        InvalidInputError: naming its address.
    """
    parts = urlsplit(device.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInputError(f"{device.name}.url", "http://camera, whose events are fetched")


class OnvifPull:
    """One camera.

    Args:
        device: With `url`, `http://camera` or with the path of its event service.
        steady: Seconds of a clock that only goes forward.

    Raises:
        InvalidInputError: the device has no address.
    """

    def __init__(
        self,
        device: SiteDevice,
        intake: Intake,
        clock: Clock,
        limits: PullLimits | None = None,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        check_pulled(device)
        parts = urlsplit(device.url)
        self._device = device
        self._host = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
        self._events = self._host + (parts.path.rstrip("/") or EVENTS_PATH)
        self._intake = intake
        self._clock = clock
        self._limits = limits or PullLimits()
        self._steady = steady
        self._device_ahead = timedelta()
        self._alive_s: float | None = None

    async def run(self) -> None:
        """Fetch until cancelled."""
        tries = 0
        while True:
            try:
                async with self._client() as client:
                    await self._measure_clock(client)
                    address = await self._subscribe(client)
                    tries = 0
                    try:
                        await self._fetch(client, address)
                    finally:
                        await self._leave(client, address)
            except (ParkingError, httpx.HTTPError, TimeoutError) as error:
                _log.warning("onvif_pull_failed", device=self._device.name, error=str(error))
            except Exception:  # noqa: BLE001 - the loop of the process
                # Whatever it was, the camera is to be heard again.
                _log.exception("onvif_pull_defect", device=self._device.name)
            await asyncio.sleep(full_jitter_s(tries, self._limits.reconnect_s_max))
            tries += 1

    async def _fetch(self, client: httpx.AsyncClient, address: str) -> None:
        renewed_s = self._steady()
        while True:
            if self._steady() - renewed_s >= self._limits.renew_s:
                body = onvif_soap.renew(self._security(), address, self._limits.stay_s)
                await self._call(client, address, body)
                renewed_s = self._steady()
            limits = self._limits
            question = onvif_soap.pull(
                self._security(), address, limits.wait_s, limits.messages_max
            )
            await self._take_in(*await self._call(client, address, question, limits.wait_s))

    async def _take_in(self, answer: XmlNode, body: bytes) -> None:
        if next(answer.every("NotificationMessage"), None) is None and not self._alive_due():
            return
        message = DeviceMessage(
            target=TARGET,
            headers={"content-type": onvif_soap.CONTENT_TYPE},
            body=body,
            received_at=self._clock.now(),
        )
        stored_id = await self._keep(message)
        await self._intake.act(stored_id)

    async def _keep(self, message: DeviceMessage) -> UUID:
        # The camera has forgotten these events by now: nobody else has them.
        tries = 0
        while True:
            try:
                return await self._intake.keep(self._device.name, message)
            except JournalFullError as error:
                _log.warning("onvif_no_room", device=self._device.name, error=str(error))
            await asyncio.sleep(full_jitter_s(tries, self._limits.reconnect_s_max))
            tries += 1

    def _alive_due(self) -> bool:
        now_s = self._steady()
        if self._alive_s is not None and now_s - self._alive_s < self._limits.alive_s:
            return False
        self._alive_s = now_s
        return True

    async def _measure_clock(self, client: httpx.AsyncClient) -> None:
        # The proof of the password is dated by the device's clock, however wrong it is.
        self._device_ahead = timedelta()
        with contextlib.suppress(PullError, InvalidInputError):
            answer, _ = await self._call(
                client, self._host + CLOCK_PATH, onvif_soap.clock_question()
            )
            self._device_ahead = onvif_soap.device_time(answer) - self._clock.now()

    async def _subscribe(self, client: httpx.AsyncClient) -> str:
        body = onvif_soap.create(self._security(), self._limits.stay_s)
        answer, _ = await self._call(client, self._events, body)
        parts = urlsplit(onvif_soap.subscription_address(answer))
        # Only the path: cameras name addresses of other networks, and no camera may send us,
        # with our proof of the password, to another host.
        # A path without a slash in front would go on with the host's name.
        path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
        return self._host + urlunsplit(("", "", path, parts.query, ""))

    async def _leave(self, client: httpx.AsyncClient, address: str) -> None:
        with contextlib.suppress(ParkingError, httpx.HTTPError, TimeoutError):
            await self._call(client, address, onvif_soap.unsubscribe(self._security(), address))

    async def _call(
        self, client: httpx.AsyncClient, address: str, body: bytes, wait_s: float = 0.0
    ) -> tuple[XmlNode, bytes]:
        headers = {"Content-Type": onvif_soap.CONTENT_TYPE}
        async with asyncio.timeout(self._limits.answer_s_max + wait_s):
            request = client.build_request("POST", address, content=body, headers=headers)
            response = await client.send(request, stream=True)
            try:
                answer = await read_bounded(response, self._limits.answer_bytes_max)
            except AnswerTooLongError as error:
                raise PullError(str(error)) from error
        root = read_xml(answer) if response.status_code == _OK else None
        if root is None:
            raise PullError(f"the camera answered {response.status_code}")
        return root, answer

    def _security(self) -> str:
        settings = self._device.settings
        return onvif_soap.security_header(settings.username, settings.password, self._device_now())

    def _device_now(self) -> datetime:
        return self._clock.now() + self._device_ahead

    def _client(self) -> httpx.AsyncClient:
        settings = self._device.settings
        return httpx.AsyncClient(
            # Some cameras want HTTP Digest besides, or instead of, the proof in the message.
            auth=httpx.DigestAuth(settings.username, settings.password)
            if settings.username
            else None,
            headers=UNPACKED,
            transport=httpx.AsyncHTTPTransport(
                # Cameras have self-made certificates; neither proof shows them the password.
                verify=False,
                limits=httpx.Limits(max_connections=2, max_keepalive_connections=1),
                trust_env=False,
            ),
            # Each call has its own time besides.
            timeout=self._limits.answer_s_max + self._limits.wait_s,
            trust_env=False,
            follow_redirects=False,
        )
