"""A Google service account: its file, and the grant that it exchanges for an access token."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import httpx
import jwt
import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from parking.drivers.errors import FirebaseUnavailableError
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.kit.outbound import is_secure_url, read_bounded

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE: Final = "https://oauth2.googleapis.com/token"
SCOPE: Final = "https://www.googleapis.com/auth/identitytoolkit"
GRANT_LIFE: Final = timedelta(hours=1)
# A token is not used in its last minutes: it could expire on the way.
RENEW_BEFORE: Final = timedelta(minutes=5)
FETCH_TIMEOUT_S: Final = 5.0
BODY_BYTES_MAX: Final = 64 * 1024
FILE_BYTES_MAX: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What Google's console gives as a file."""

    project_id: str
    client_email: str
    key_id: str
    token_url: str
    key: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def read(cls, path: Path, *, name: str) -> Self:
        """Read a credentials file.

        Args:
            path: Of the file.
            name: Of the setting, for the refusal.

        Raises:
            InvalidInputError: it cannot be read, or is of another kind.
        """
        try:
            with path.open("rb") as opened:
                # Cut off, a longer one is no JSON.
                values: Any = orjson.loads(opened.read(FILE_BYTES_MAX))
            key = serialization.load_pem_private_key(values["private_key"].encode(), password=None)
            names = ("project_id", "client_email", "private_key_id", "token_uri")
            project_id, email, key_id, token_url = (str(values[one]) for one in names)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, UnsupportedAlgorithm):
            # Without the cause, which may show a part of the key.
            raise InvalidInputError(name, "a service account's JSON file, readable") from None
        if not isinstance(key, rsa.RSAPrivateKey) or not is_secure_url(token_url):
            raise InvalidInputError(name, "a service account with an RSA key and an https address")
        return cls(project_id, email, key_id, token_url, key)


class AccessTokens:
    """The account's access token, renewed before it expires.

    Args:
        client: Closed by whoever opened it.
        account: Whose.
        clock: Tells when it expires.
    """

    def __init__(self, client: httpx.AsyncClient, account: ServiceAccount, clock: Clock) -> None:
        self._client = client
        self._account = account
        self._clock = clock
        self._token = ""
        self._usable_until: datetime | None = None
        self._lock = asyncio.Lock()

    async def current(self) -> str:
        """Return a token that is good for some minutes.

        Raises:
            FirebaseUnavailableError: Google gives none.
        """
        async with self._lock:
            if self._usable_until is None or self._clock.now() >= self._usable_until:
                await self._fetch()
            return self._token

    def forget(self) -> None:
        """Fetch another one next time: this one was refused."""
        self._usable_until = None

    async def _fetch(self) -> None:
        form = {"grant_type": GRANT_TYPE, "assertion": self._grant()}
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                request = self._client.build_request("POST", self._account.token_url, data=form)
                response = await self._client.send(request, stream=True)
                body = await read_bounded(response, BODY_BYTES_MAX)
            response.raise_for_status()
            answer: Any = orjson.loads(body)
            self._token, life = str(answer["access_token"]), int(answer["expires_in"])
        except (httpx.HTTPError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise FirebaseUnavailableError("Google gives no access token") from error
        self._usable_until = self._clock.now() + timedelta(seconds=life) - RENEW_BEFORE

    def _grant(self) -> str:
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._account.client_email,
            "aud": AUDIENCE,
            "scope": SCOPE,
            "iat": now,
            "exp": now + int(GRANT_LIFE.total_seconds()),
        }
        headers = {"kid": self._account.key_id}
        return jwt.encode(claims, self._account.key, algorithm="RS256", headers=headers)
