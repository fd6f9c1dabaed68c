"""Posting notices until they are answered, and letting accepted orders end."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from sesame.sandbox.acquirer.books import Books
from sesame.sandbox.acquirer.signing import PlatformKey, spoil
from sesame.sandbox.acquirer.store import PendingNotice, Store

ATTEMPTS_MAX = 10
AT_ONCE_MAX = 16
ANSWER_TIMEOUT_S = 5.0
RETRY_MS = 1000
RETRY_MS_MAX = 60_000
STALE_S = 600
IDLE_S_MAX = 30.0
HTTP_NO_CONTENT = 204


@dataclass(slots=True)
class Delivery:
    """Where notices go and who signs them; the control endpoint changes it while running."""

    merchant: str
    key: PlatformKey
    url: str | None = None
    retry_ms: int = RETRY_MS


class Courier:
    """Two endless loops: one posts notices, one lets time pass for orders."""

    def __init__(self, store: Store, books: Books, delivery: Delivery) -> None:
        self._store = store
        self._books = books
        self._delivery = delivery
        self._wakes = (asyncio.Event(), asyncio.Event())

    def poke(self) -> None:
        """Something changed: look again."""
        for wake in self._wakes:
            wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        limits = httpx.Limits(max_connections=AT_ONCE_MAX)
        async with (
            httpx.AsyncClient(limits=limits, timeout=ANSWER_TIMEOUT_S, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._loop("notice", self._wakes[0], lambda: self._post_due(client)))
            group.create_task(self._loop("orders", self._wakes[1], self._settle_due))

    async def _loop(
        self, table: str, wake: asyncio.Event, work: Callable[[], Awaitable[None]]
    ) -> None:
        while True:
            wake.clear()
            await work()
            due_ms = self._store.next_due_ms(table)
            wait_s = IDLE_S_MAX if due_ms is None else (due_ms - self._books.now_ms()) / 1000
            if table == "notice" and self._delivery.url is None:
                wait_s = IDLE_S_MAX
            try:
                await asyncio.wait_for(wake.wait(), min(max(wait_s, 0.0), IDLE_S_MAX))
            except TimeoutError:
                continue

    async def _settle_due(self) -> None:
        self._books.settle_due()
        self._wakes[0].set()

    async def _post_due(self, client: httpx.AsyncClient) -> None:
        url = self._delivery.url
        if url is not None:
            due = self._store.due_notices(self._books.now_ms(), AT_ONCE_MAX)
            await asyncio.gather(*(self._post(client, url, notice) for notice in due))

    async def _post(self, client: httpx.AsyncClient, url: str, notice: PendingNotice) -> None:
        headers = {"Content-Type": "application/json", "Sesame-Signature": self._sign(notice)}
        try:
            response = await client.post(url, content=notice.body, headers=headers)
            status = response.status_code
        except httpx.HTTPError:
            status = None
        now = self._books.now_ms()
        again = notice.attempts + 1 < ATTEMPTS_MAX and notice.manner != "probe"
        done = status == HTTP_NO_CONTENT
        pause_ms = min(self._delivery.retry_ms * 2**notice.attempts, RETRY_MS_MAX)
        self._store.notice_tried(
            notice.serial,
            status=status,
            now_ms=now,
            again_ms=now + pause_ms if again and not done else None,
            done=done,
        )

    def _sign(self, notice: PendingNotice) -> str:
        timestamp = self._books.now_ms() // 1000
        if notice.manner == "stale" and notice.attempts == 0:
            timestamp -= STALE_S
        stamp = (timestamp, secrets.token_hex(16))
        header = self._delivery.key.notice_header(self._delivery.merchant, stamp, notice.body)
        return spoil(header) if notice.manner == "probe" else header
