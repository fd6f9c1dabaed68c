"""Calls to somebody else's server: where they may go, over what, and how much answer is read."""

from collections.abc import Mapping
from functools import cache
from ssl import SSLContext
from typing import Final
from urllib.parse import urlsplit

import httpx

from parking.kit.errors import InvalidInputError

CONNECTIONS_MAX = 64
# Shorter than servers keep an idle connection, so that a charge rarely meets one just closed.
KEEPALIVE_S = 4.0
# A packed answer could become a thousand times as large before anybody counts it.
UNPACKED: Final = {"Accept-Encoding": "identity"}
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class AnswerTooLongError(httpx.DecodingError):
    """An answer has more bytes than anything we asked for."""


def is_secure_url(url: str) -> bool:
    """Whether nobody on the way can read what is sent there: https, or http on loopback."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS)


def require_secure_url(field: str, url: str) -> None:
    """Raise InvalidInputError for `field` unless `is_secure_url`."""
    if not is_secure_url(url):
        raise InvalidInputError(field, "an https URL, or http on loopback")


def open_connections(headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
    """Return a client whose callers put one deadline on everything, waiting for it included."""
    return httpx.AsyncClient(
        headers={**UNPACKED, **(headers or {})},
        limits=httpx.Limits(
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=CONNECTIONS_MAX,
            keepalive_expiry=KEEPALIVE_S,
        ),
        verify=_trusted_roots(),
        timeout=None,  # noqa: S113 - the callers' deadline counts
        # Money takes the way that the settings name, not one from the environment.
        trust_env=False,
    )


async def read_bounded(response: httpx.Response, bytes_max: int) -> bytes:
    """Return the body of a streamed answer, and give back its connection.

    Raises:
        AnswerTooLongError: it has more than `bytes_max`, or is packed, which nobody asked for.
    """
    content = bytearray()
    try:
        if "content-encoding" in response.headers:
            raise AnswerTooLongError("the answer is packed", request=response.request)
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > bytes_max:
                raise AnswerTooLongError("the answer is too long", request=response.request)
    finally:
        await response.aclose()
    return bytes(content)


@cache
def _trusted_roots() -> SSLContext:
    # Reading them takes a good part of a second; all clients of a process share them.
    return httpx.create_ssl_context(trust_env=False)
