"""A browser on the pages of bills and of payment providers, with nobody signed in."""

from types import TracebackType
from typing import ClassVar, Final, Self

import httpx

from parking.kit.errors import ParkingError

TIMEOUT_S: Final = 10.0
_SEE_OTHER: Final = 303
_BUTTON: Final = '<form method="post"'


class PageError(ParkingError):
    """A page did not lead on."""

    code: ClassVar[str] = "PAGE"


class Payer:
    """Opens pages and presses their buttons."""

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

    async def pay(self, url: str, provider: str | None = None) -> None:
        """Press a button of the bill's page, then the only one of the provider's page.

        Args:
            url: Of the bill's page.
            provider: Whose button; None where there is but one.
        """
        await self.press(await self.press(url, provider))

    async def press(self, url: str, provider: str | None = None) -> str:
        """Press a button of a page, which may lead on to another first; returns where it leads.

        Raises:
            PageError: it has no such button, or does not lead on.
        """
        shown = (await self._client.get(url, follow_redirects=True)).raise_for_status()
        if (_BUTTON if provider is None else f'value="{provider}"') not in shown.text:
            raise PageError(f"{url} has no button {provider or 'to press'}")
        chosen = None if provider is None else {"provider": provider}
        answer = await self._client.post(shown.url, data=chosen)
        if answer.status_code != _SEE_OTHER:
            raise PageError(f"{url} answers {answer.status_code}")
        return answer.headers["location"]
