"""The acquirer stand-in as its staff see it: its books and its scenarios."""

from dataclasses import dataclass
from typing import Any, Final

import httpx

TIMEOUT_S: Final = 10.0


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
    """Reads the books, and makes the stand-in misbehave."""

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
        """Make the stand-in behave in some way; see `sesame.sandbox.platform.Rule`."""
        self._checked(await self._client.post("/_control", json=rule))

    @staticmethod
    def _checked(answer: httpx.Response) -> httpx.Response:
        return answer.raise_for_status()
