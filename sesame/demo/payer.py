"""Whoever scans the QR code on a lane's display: a browser without an account."""

import re
from types import TracebackType
from typing import ClassVar, Final, Self

import httpx

from parking.kit.errors import ParkingError

TIMEOUT_S: Final = 10.0
_SEE_OTHER: Final = 303
_BUTTON: Final = re.compile(r"<form method=\"post\"")


class PageError(ParkingError):
    """A page did not lead on."""

    code: ClassVar[str] = "PAGE"


class Payer:
    """Opens pages and presses their only button."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def read(self, url: str) -> str:
        """Return a page's text."""
        return (await self._client.get(url)).raise_for_status().text

    async def pay(self, url: str) -> None:
        """Press the button of the bill's page, then that of the acquirer's page."""
        await self.press(await self.press(url))

    async def press(self, url: str) -> str:
        """Press the only button of a page; returns where it leads.

        Raises:
            PageError: it has none, or does not lead on.
        """
        if not _BUTTON.search(await self.read(url)):
            raise PageError(f"{url} has no button")
        answer = await self._client.post(url)
        if answer.status_code != _SEE_OTHER:
            raise PageError(f"{url} answers {answer.status_code}")
        return answer.headers["location"]
