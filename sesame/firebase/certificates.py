"""Google's public keys for ID tokens, kept as long as Google says, within bounds."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

import httpx
import orjson
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from parking.drivers.errors import FirebaseUnavailableError
from parking.kit.clock import Clock
from parking.kit.outbound import read_bounded

GOOGLE_URL: Final = (
    "https://www.googleapis.com/robot/v1/metadata/x509/securetoken@system.gserviceaccount.com"
)
FETCH_TIMEOUT_S: Final = 5.0
BODY_BYTES_MAX: Final = 64 * 1024
CERTIFICATES_MAX: Final = 20
KEY_BITS_MIN: Final = 2048
AGE_MIN: Final = timedelta(minutes=1)
AGE_MAX: Final = timedelta(hours=24)
# Whoever sends unknown key ids must not make us ask Google for each.
UNKNOWN_KEY_REST: Final = timedelta(minutes=1)
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])", re.IGNORECASE)
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Certificate:
    """A key, and when it counts."""

    key: rsa.RSAPublicKey
    valid_from: datetime
    valid_until: datetime


class Certificates:
    """The keys of one address, fetched when they are needed.

    Args:
        client: Closed by whoever opened it.
        url: Answers with a JSON object of PEM certificates by key id.
        clock: Tells when they are too old.
    """

    def __init__(self, client: httpx.AsyncClient, url: str, clock: Clock) -> None:
        self._client = client
        self._url = url
        self._clock = clock
        self._known: Mapping[str, _Certificate] = {}
        self._fetched_at: datetime | None = None
        self._fresh_until: datetime | None = None
        self._lock = asyncio.Lock()

    async def key(self, key_id: str) -> rsa.RSAPublicKey | None:
        """Return the key of an id; None where there is none that is valid now.

        Raises:
            FirebaseUnavailableError: it is not known, and nobody answers.
        """
        async with self._lock:
            if self._is_due(key_id):
                await self._fetch()
        found = self._known.get(key_id)
        if found is None or not found.valid_from <= self._clock.now() < found.valid_until:
            return None
        return found.key

    def _is_due(self, key_id: str) -> bool:
        now = self._clock.now()
        if self._fetched_at is None or self._fresh_until is None or now >= self._fresh_until:
            return True
        return key_id not in self._known and now >= self._fetched_at + UNKNOWN_KEY_REST

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                request = self._client.build_request("GET", self._url)
                response = await self._client.send(request, stream=True)
                body = await read_bounded(response, BODY_BYTES_MAX)
            response.raise_for_status()
            self._known = _read(body)
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            _log.warning("firebase.certificates_unavailable", reason=type(error).__name__)
            raise FirebaseUnavailableError("Google's certificates cannot be fetched") from error
        self._fetched_at = self._clock.now()
        age = _age(response.headers.get("cache-control", ""))
        self._fresh_until = self._fetched_at + age


def _age(cache_control: str) -> timedelta:
    found = _MAX_AGE.search(cache_control)
    told = timedelta(seconds=int(found.group(1))) if found else AGE_MIN
    return min(max(told, AGE_MIN), AGE_MAX)


def _read(body: bytes) -> Mapping[str, _Certificate]:
    fields: Any = orjson.loads(body)
    if not isinstance(fields, dict):
        raise ValueError("certificates: expected an object")  # noqa: TRY004 - one kind of failure
    texts = cast("dict[str, object]", fields)
    if len(texts) > CERTIFICATES_MAX:
        raise ValueError(f"certificates: at most {CERTIFICATES_MAX}")
    return {key_id: _certificate(str(text)) for key_id, text in texts.items()}


def _certificate(text: str) -> _Certificate:
    certificate = x509.load_pem_x509_certificate(text.encode())
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < KEY_BITS_MIN:
        raise ValueError(f"certificates: expected RSA keys of {KEY_BITS_MIN} bits or more")
    return _Certificate(key, certificate.not_valid_before_utc, certificate.not_valid_after_utc)
