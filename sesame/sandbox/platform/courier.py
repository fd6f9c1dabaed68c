"""Posting notices until they are taken, and letting accepted orders end."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import httpx

from sesame.sandbox.platform.notices import NoticeBook, PendingNotice
from sesame.sandbox.platform.orders import OrderBook

ATTEMPTS_MAX = 10
AT_ONCE_MAX = 16
ANSWER_TIMEOUT_S = 5.0
ANSWER_BYTES_MAX = 4096
RETRY_MS = 1000
RETRY_MS_MAX = 60_000
IDLE_S_MAX = 30.0


class Verdict(StrEnum):
    """What the merchant's answer means."""

    TAKEN = "taken"
    REFUSED = "refused"
    """It did not believe the signature or the time."""

    AGAIN = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedNotice:
    """One notice as it goes over the wire."""

    headers: Mapping[str, str]
    body: bytes


class NoticeWire(Protocol):
    """How a platform says things, and how it wants to be answered."""

    def render(self, notice: PendingNotice) -> RenderedNotice | None:
        """Return the notice, signed now; see `PendingNotice.is_probe` and `age_s`.

        `None` for what this platform keeps to itself.
        """
        ...

    def judge(self, status: int, body: bytes) -> Verdict:
        """Return what the merchant's answer means."""
        ...


@dataclass(slots=True)
class Delivery:
    """Where notices go, and which key signs; the control endpoint changes it while running."""

    url: str | None = None
    retry_ms: int = RETRY_MS
    key_position: int = 0
    key_count: int = 1


class Wakes:
    """Tells the two loops that something changed."""

    def __init__(self) -> None:
        self.notices = asyncio.Event()
        self.orders = asyncio.Event()

    def poke(self) -> None:
        """Look again."""
        self.notices.set()
        self.orders.set()


class Courier:
    """Two endless loops: one posts notices, one lets time pass for orders."""

    def __init__(
        self,
        books: tuple[NoticeBook, OrderBook],
        delivery: Delivery,
        wakes: Wakes,
        wire: NoticeWire,
        now_ms: Callable[[], int],
    ) -> None:
        self._notices, self._orders = books
        self._delivery = delivery
        self._wakes = wakes
        self._wire = wire
        self._now_ms = now_ms

    async def run(self) -> None:
        """Work until cancelled."""
        limits = httpx.Limits(max_connections=AT_ONCE_MAX)
        async with (
            httpx.AsyncClient(limits=limits, timeout=ANSWER_TIMEOUT_S, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(
                self._loop(
                    self._wakes.notices,
                    lambda: self._post_due(client),
                    lambda: self._notices.next_due_ms(has_url=self._delivery.url is not None),
                )
            )
            group.create_task(
                self._loop(self._wakes.orders, self._settle_due, self._orders.next_due_ms)
            )

    async def _loop(
        self,
        wake: asyncio.Event,
        work: Callable[[], Awaitable[None]],
        next_due_ms: Callable[[], int | None],
    ) -> None:
        while True:
            wake.clear()
            await work()
            due_ms = next_due_ms()
            wait_s = IDLE_S_MAX if due_ms is None else (due_ms - self._now_ms()) / 1000
            try:
                await asyncio.wait_for(wake.wait(), min(max(wait_s, 0.0), IDLE_S_MAX))
            except TimeoutError:
                continue

    async def _settle_due(self) -> None:
        self._orders.settle_due()
        self._wakes.notices.set()

    async def _post_due(self, client: httpx.AsyncClient) -> None:
        due = self._notices.due(limit=AT_ONCE_MAX, has_url=self._delivery.url is not None)
        await asyncio.gather(
            *(
                self._post(client, url, notice)
                for notice in due
                if (url := notice.url or self._delivery.url)
            )
        )

    async def _post(self, client: httpx.AsyncClient, url: str, notice: PendingNotice) -> None:
        rendered = self._wire.render(notice)
        if rendered is None:
            self._notices.tried(notice.serial, verdict=None, again_ms=None, is_done=True)
            return
        verdict = Verdict.AGAIN
        try:
            response = await client.post(url, content=rendered.body, headers=dict(rendered.headers))
            verdict = self._wire.judge(response.status_code, response.content[:ANSWER_BYTES_MAX])
        except httpx.HTTPError:
            verdict = Verdict.AGAIN
        again = notice.attempts + 1 < ATTEMPTS_MAX and not notice.is_probe
        is_done = verdict is Verdict.TAKEN
        pause_ms = min(self._delivery.retry_ms * 2**notice.attempts, RETRY_MS_MAX)
        self._notices.tried(
            notice.serial,
            verdict=verdict,
            again_ms=self._now_ms() + pause_ms if again and not is_done else None,
            is_done=is_done,
        )
