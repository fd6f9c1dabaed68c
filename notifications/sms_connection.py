"""What the SMS services have in common: one bounded call, and what failed is said without text."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final, cast

import httpx

from parking.drivers.port import SmsNotSentError, SmsUnansweredError
from parking.kit.errors import InvalidInputError
from parking.kit.outbound import is_secure_url

TIMEOUT_S: Final = 5.0
CONNECTIONS_MAX: Final = 20
ANSWER_BYTES_MAX: Final = 64 * 1024
# What fails before anything was written.
_UNTOLD: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class SmsConnection:
    """Posts to one service; every failure is an SmsNotSentError that names the message only.

    Args:
        url: Of the service: https, or http on loopback.
        field: The setting that names it.

    Raises:
        InvalidInputError: anybody on the way could read what is sent to `url`.
    """

    def __init__(self, url: str, field: str) -> None:
        if not is_secure_url(url):
            raise InvalidInputError(field, "an https URL, or http on loopback")
        self.url = url.rstrip("/")
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            follow_redirects=False,
            trust_env=False,
        )

    async def post(
        self, url: str, *, named: str, headers: Mapping[str, str], content: bytes
    ) -> tuple[int, dict[str, Any]]:
        """Return the status and the JSON object of the answer; empty where it is none.

        Raises:
            SmsNotSentError: the service cannot be reached.
            SmsUnansweredError: it did not answer in time, or at too great a length.
        """
        try:
            # The client's own limit is one between two bytes: an answer could take hours.
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._client.stream("POST", url, headers=headers, content=content) as response,
            ):
                body = await _read(response, named)
        except _UNTOLD as error:
            raise SmsNotSentError(f"message {named}: {type(error).__name__}") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise SmsUnansweredError(f"message {named}: {type(error).__name__}") from error
        return response.status_code, _object(body)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def _read(response: httpx.Response, named: str) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise SmsUnansweredError(f"message {named}: the answer is too long")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        said: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", said) if isinstance(said, dict) else {}
