"""Text messages through a gateway that takes our signed webhook: docs/sms-webhook.md."""

import asyncio
import hashlib
import hmac
import json
from typing import Final

import httpx

from parking.drivers.port import SmsMessage, SmsNotSentError
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError

TIMEOUT_S: Final = 5.0
CONNECTIONS_MAX: Final = 20
SECRET_LENGTH_MIN: Final = 16
ID_HEADER: Final = "Sesame-Message-Id"
TIMESTAMP_HEADER: Final = "Sesame-Timestamp"
SIGNATURE_HEADER: Final = "Sesame-Signature"


class WebhookSmsSender:
    """Posts each message, signed, to one address.

    Args:
        url: Where to; `https`, except on loopback.
        secret: Shared with the gateway, at least SECRET_LENGTH_MIN characters.
        clock: For the timestamp under the signature.

    Raises:
        InvalidInputError: the secret is too short.
    """

    def __init__(self, url: str, secret: str, clock: Clock) -> None:
        if len(secret) < SECRET_LENGTH_MIN:
            expected = f"at least {SECRET_LENGTH_MIN} characters"
            raise InvalidInputError("SESAME_SMS_WEBHOOK_SECRET", expected)
        self._url = url
        self._secret = secret.encode()
        self._clock = clock
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, message: SmsMessage) -> None:
        """Hand the message over, once: the person asks for another code if none comes.

        Raises:
            SmsNotSentError: refused, or no answer in time.
        """
        body = json.dumps(
            {"id": str(message.id), "to": message.phone_number, "text": message.text},
            ensure_ascii=False,
        ).encode()
        timestamp = str(int(self._clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            ID_HEADER: str(message.id),
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature(self._secret, timestamp, str(message.id), body),
        }
        try:
            # The client's own limit is one between two bytes. What the gateway says beside the
            # status is of no use, and could be long.
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._client.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                pass
        except (httpx.HTTPError, TimeoutError) as error:
            raise SmsNotSentError(f"message {message.id}: {type(error).__name__}") from error
        if not response.is_success:
            raise SmsNotSentError(f"message {message.id}: status {response.status_code}")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def signature(secret: bytes, timestamp: str, message_id: str, body: bytes) -> str:
    """Return the header's value: HMAC-SHA-256 over timestamp, id and body, with dots between."""
    signed = b".".join((timestamp.encode(), message_id.encode(), body))
    return "v1=" + hmac.new(secret, signed, hashlib.sha256).hexdigest()
