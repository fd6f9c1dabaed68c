"""A provider's stand-in as its staff see it: its books, and what it plays."""

from dataclasses import dataclass
from typing import Any, Final

import httpx

TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Order:
    """One order in a provider's books; `kind` is `charge` or `checkout`."""

    provider: str
    number: str
    kind: str
    status: str
    failure_code: str | None
    amount_minor: int
    currency: str


class ProviderDesk:
    """Reads the books, and makes the stand-in misbehave."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def books(self) -> dict[str, Any]:
        """Return `agreements`, `orders`, `refunds`, `sums` and `notices`."""
        return dict(self._checked(await self._client.get("/_books")).json())

    async def balances(self) -> dict[str, int]:
        """Return what the provider says that it holds, by currency."""
        sums = (await self.books())["sums"]
        return {currency: int(row["balance_minor"]) for currency, row in sums.items()}

    async def orders(self) -> list[Order]:
        """Return every order, oldest first."""
        return [
            Order(**{name: row.get(name, self.name) for name in Order.__slots__})
            for row in (await self.books())["orders"]
        ]

    async def play(self, **rule: object) -> None:
        """Make the stand-in do something; see `sesame.sandbox.platform.control`."""
        self._checked(await self._client.post("/_control", json=rule))

    @staticmethod
    def _checked(answer: httpx.Response) -> httpx.Response:
        return answer.raise_for_status()
