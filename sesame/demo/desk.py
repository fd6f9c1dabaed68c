"""The acquirer stand-in as its staff see it: its books, its scenarios, and its payers' pages."""

from dataclasses import dataclass
from typing import Any, Final

import httpx

TIMEOUT_S: Final = 10.0
_SEE_OTHER: Final = 303


@dataclass(frozen=True, slots=True)
class Order:
    """One order in the acquirer's books; `kind` is `charge` or `checkout`."""

    number: str
    kind: str
    status: str
    failure_code: str | None
    amount_minor: int
    currency: str


class AcquirerDesk:
    """Reads the books and plays the payer."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def books(self) -> dict[str, Any]:
        """Return `agreements`, `orders`, `refunds`, `sums` and `notices`."""
        return dict(self._checked(await self._client.get("/_books")).json())

    async def orders(self) -> list[Order]:
        """Return every order, oldest first."""
        return [
            Order(**{name: row[name] for name in Order.__slots__})
            for row in (await self.books())["orders"]
        ]

    async def play(self, **rule: object) -> None:
        """Make the stand-in behave in some way; see `sesame.sandbox.acquirer.scenarios.Rule`."""
        self._checked(await self._client.post("/_control", json=rule))

    async def press(self, page_url: str) -> None:
        """Open a page of the stand-in and press its only button, as a payer does."""
        self._checked(await self._client.get(page_url))
        answer = await self._client.post(page_url)
        if answer.status_code != _SEE_OTHER:
            self._checked(answer)

    @staticmethod
    def _checked(answer: httpx.Response) -> httpx.Response:
        return answer.raise_for_status()
