"""What people do on the pages of providers, and with the code on a lane's display."""

import httpx

PRESSED = 303


async def press(client: httpx.AsyncClient, url: str) -> bool:
    """Open a provider's page and press its button; returns whether it took it.

    A page may lead on to another one first; one that has nothing to press is left alone.
    """
    opened = await client.get(url)
    if opened.has_redirect_location:
        url = opened.headers["Location"]
        opened = await client.get(url)
    if opened.is_error or "<form" not in opened.text:
        return False
    return (await client.post(url)).status_code == PRESSED
