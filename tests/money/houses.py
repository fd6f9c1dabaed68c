"""Every provider with its house: the real adapter, the real stand-in, and the stand-in's books."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from parking.kit.clock import Clock
from sesame.bench.money.books import Books, read_books
from sesame.bench.money.payers import press
from tests.contract.http_server import listener, url_of
from tests.factories.stand_ins import WITH_ADAPTERS, Ground
from tests.money.loop_server import served
from tests.money.troubles import Unsteady

NOTICE_RETRY_MS: Final = 1
# Longer than any step of a story takes; the story's clock decides when it is over.
DELAY_MS: Final = 60_000
SCENARIOS: Final = (
    "decline",
    "accept",
    "accept_guaranteed",
    "accept_then_decline",
    "advance",
    "lose_answer_before",
    "lose_answer_after",
    "unknown",
    "wrong_amount",
    "bad_answer_signature",
    "duplicate_notice",
    "bad_signature_probe",
    "stale_notice",
    "no_notice",
    "reordered_notice",
)
# After these nobody knows whether the money was taken: where most bugs live.
DOUBTFUL: Final = ("unknown", "lose_answer_before", "lose_answer_after")
REFUND_SCENARIOS: Final = (
    "decline",
    "accept",
    "lose_answer_before",
    "lose_answer_after",
    "unknown",
    "wrong_amount",
    "duplicate_notice",
    "no_notice",
)


@dataclass(slots=True)
class House:
    """One provider as a story uses it."""

    name: str
    unsteady: Unsteady
    url: str
    client: httpx.AsyncClient

    async def play(self, scenario: str, operation: str) -> None:
        """Make its next call of this kind go wrong; one that has no such way stays as it is."""
        wish = {"scenario": scenario, "operation": operation, "delay_ms": DELAY_MS}
        await self.client.post(f"{self.url}/_control", json=wish)

    async def behave(self) -> None:
        """Forget what was to go wrong."""
        await self._control(clear=True)

    async def wake(self) -> None:
        """Let it notice that the clock was moved, and send what is due."""
        await self._control(notice_retry_ms=NOTICE_RETRY_MS)

    async def charge_back(self, number: str, **wish: object) -> None:
        """Let the payer's bank take a charge back, or decide about it."""
        await self._control(chargeback={"number": number, **wish})

    async def repay(self, number: str) -> None:
        """Let the payer give the provider back what it advanced."""
        await self._control(repay={"number": number})

    async def books(self) -> Books:
        """Return its books."""
        answer = await self.client.get(f"{self.url}/_books")
        answer.raise_for_status()
        return read_books(answer.json())

    async def confirm(self, url: str) -> None:
        """Do what a payer does on the confirmation page."""
        await press(self.client, url)

    async def pay(self, url: str) -> bool:
        """Do what a payer does on the payment page; returns whether money moved."""
        return await press(self.client, url)

    async def _control(self, **wish: object) -> None:
        answer = await self.client.post(f"{self.url}/_control", json=wish)
        assert answer.status_code == 200, (wish, answer.text)


@asynccontextmanager
async def open_houses(
    folder: Path, notice_url: str, clock: Clock, names: Sequence[str]
) -> AsyncGenerator[tuple[House, ...]]:
    """Open the houses of some providers."""
    async with AsyncExitStack() as undo:
        client = await undo.enter_async_context(httpx.AsyncClient(trust_env=False))
        houses: list[House] = []
        for name in names:
            listening = listener()
            url = url_of(listening)
            app, provider = WITH_ADAPTERS[name](Ground(folder, url, f"{notice_url}/{name}", clock))
            await undo.enter_async_context(served(app, listening))
            undo.push_async_callback(provider.aclose)
            houses.append(House(name, Unsteady(provider), url, client))
        yield tuple(houses)
