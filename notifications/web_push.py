"""Web Push (RFC 8030): messages to browsers, encrypted for them (RFC 8291), signed (RFC 8292)."""

import hashlib
import json
import os
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from notifications.push import PushMessage, PushOutcome, PushResult
from parking.drivers.web_push import PushServices, decode, encode, public_bytes, read_point
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError

HTTP_TIMEOUT_S: Final = 10.0
CONNECTIONS_MAX: Final = 50
# A parking message that comes a day late is of no use.
TIME_TO_LIVE: Final = timedelta(days=1)
# Push services refuse more than a day; half leaves room for clocks that differ.
TOKEN_LIFE: Final = timedelta(hours=12)
RECORD_BYTES: Final = 4096
# One record less its header of 86 bytes, its delimiter and its tag: RFC 8291, section 4.
MESSAGE_BYTES_MAX: Final = RECORD_BYTES - 86 - 1 - 16
TOPIC_LENGTH: Final = 32
_SALT_BYTES: Final = 16
_LAST_RECORD: Final = b"\x02"
_GONE: Final = frozenset({404, 410})
_TOO_LARGE: Final = 413
_TOO_MANY: Final = 429
_SERVER_FAULT: Final = 500


class WebPushSender:
    """Posts each message to the endpoint that a browser gave.

    Args:
        key: Of VAPID, on P-256; browsers subscribe with its public half.
        contact: Whom a push service writes to: `mailto:` or `https:`.
        services: Where messages may go at all.
        clock: For the life of tokens.
    """

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, contact: str, services: PushServices, clock: Clock
    ) -> None:
        if not contact.startswith(("mailto:", "https:")):
            raise InvalidInputError("SESAME_VAPID_CONTACT", "an address: mailto:… or https:…")
        self._key = key
        self._public = encode(public_bytes(key.public_key()))
        self._contact = contact
        self._services = services
        self._clock = clock
        self._client = httpx.AsyncClient(
            timeout=HTTP_TIMEOUT_S,
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, message: PushMessage) -> PushResult:
        """Hand one message to its push service, once."""
        try:
            self._services.check(message.target)
            keys = message.keys or {}
            content = encrypt(
                _payload(message), p256dh=keys.get("p256dh", ""), auth=keys.get("auth", "")
            )
        except InvalidInputError as error:
            return PushResult(PushOutcome.REFUSED, failure=f"invalid_{error.field}")
        try:
            async with self._client.stream(
                "POST", message.target, content=content, headers=self._headers(message)
            ) as response:
                # What it says beside the status is of no use, and could be long.
                return _result(response)
        except httpx.HTTPError as error:
            return PushResult(PushOutcome.RETRY, failure=type(error).__name__)
        except (httpx.InvalidURL, UnicodeError):
            return PushResult(PushOutcome.REFUSED, failure="invalid_target")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _headers(self, message: PushMessage) -> dict[str, str]:
        return {
            "Authorization": f"vapid t={self._token(message.target)}, k={self._public}",
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(int(TIME_TO_LIVE.total_seconds())),
            "Topic": topic_of(message.tag),
            "Urgency": "high",
        }

    def _token(self, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int((self._clock.now() + TOKEN_LIFE).timestamp()),
            "sub": self._contact,
        }
        return jwt.encode(claims, self._key, algorithm="ES256")


def encrypt(
    message: bytes,
    *,
    p256dh: str,
    auth: str,
    key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """Return a message as only one browser can read it, in one record of aes128gcm.

    Args:
        message: At most MESSAGE_BYTES_MAX bytes.
        p256dh: The browser's public key, base64url.
        auth: Its secret, base64url.
        key: Of this message alone; made where None.
        salt: Likewise.

    Raises:
        InvalidInputError: the message is too long, or a key is none.
    """
    if len(message) > MESSAGE_BYTES_MAX:
        raise InvalidInputError("message", f"at most {MESSAGE_BYTES_MAX} bytes")
    key = key or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(_SALT_BYTES)
    theirs, ours = read_point(p256dh), public_bytes(key.public_key())
    info = b"WebPush: info\x00" + public_bytes(theirs) + ours
    shared = _derive(key.exchange(ec.ECDH(), theirs), salt=decode(auth), info=info, length=32)
    cipher = AESGCM(_derive(shared, salt=salt, info=b"Content-Encoding: aes128gcm\x00", length=16))
    nonce = _derive(shared, salt=salt, info=b"Content-Encoding: nonce\x00", length=12)
    header = salt + RECORD_BYTES.to_bytes(4) + len(ours).to_bytes(1) + ours
    return header + cipher.encrypt(nonce, message + _LAST_RECORD, None)


def topic_of(tag: str) -> str:
    """Return the topic under which a push service keeps only the newest message."""
    digest = hashlib.sha256(tag.encode()).digest()
    return encode(digest)[:TOPIC_LENGTH]


def _derive(secret: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)


def _payload(message: PushMessage) -> bytes:
    said = {
        "title": message.title,
        "body": message.body,
        "tag": message.tag,
        "data": dict(message.data),
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _result(response: httpx.Response) -> PushResult:
    status = response.status_code
    if response.is_success:
        return PushResult(PushOutcome.SENT, reference=response.headers.get("Location"))
    if status in _GONE:
        return PushResult(PushOutcome.GONE, failure="unsubscribed")
    if status == _TOO_MANY or status >= _SERVER_FAULT:
        asked = response.headers.get("Retry-After", "")
        after_s = float(asked) if asked.isascii() and asked.isdigit() else None
        return PushResult(PushOutcome.RETRY, failure=f"status_{status}", retry_after_s=after_s)
    failure = "too_large" if status == _TOO_LARGE else f"status_{status}"
    return PushResult(PushOutcome.REFUSED, failure=failure)
