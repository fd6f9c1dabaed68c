"""Firebase ID tokens, verified as Google says: signature, claims, and that nobody took them back.

The rules are those of "Verify ID tokens using a third-party JWT library" in Firebase's manual.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, cast

import httpx
import jwt
import orjson
import structlog

from parking.drivers.errors import FirebaseTokenRefusedError, FirebaseUnavailableError
from parking.drivers.firebase_port import FirebaseUser
from parking.kit.clock import Clock
from parking.kit.outbound import read_bounded
from sesame.firebase.certificates import Certificates
from sesame.firebase.service_account import AccessTokens

ALGORITHM: Final = "RS256"
ISSUER: Final = "https://securetoken.google.com/"
ACCOUNTS_URL: Final = "https://identitytoolkit.googleapis.com"
LOOKUP_TIMEOUT_S: Final = 5.0
BODY_BYTES_MAX: Final = 64 * 1024
TOKEN_LENGTH_MAX: Final = 8192
UID_LENGTH_MAX: Final = 128
KEY_ID_LENGTH_MAX: Final = 200
CLOCK_SKEW: Final = timedelta(seconds=10)
# Costs whoever makes one nothing.
ANONYMOUS: Final = "anonymous"
BY_PHONE: Final = "phone"
_UNREADABLE: Final = (
    httpx.HTTPError,
    TimeoutError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
)
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Claims:
    """What a token says, once its signature and its times are good."""

    uid: str
    phone_number: str | None
    authenticated_at: datetime


class GoogleFirebaseVerifier:
    """Verifies the tokens of one project.

    Args:
        client: Closed by whoever opened it.
        project_id: The tokens' audience.
        certificates: The keys that sign them.
        tokens: Of the service account that may look up users.
        accounts_url: Base URL of Google's Identity Toolkit.
        clock: Tells when a token is over.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        project_id: str,
        certificates: Certificates,
        tokens: AccessTokens,
        clock: Clock,
        accounts_url: str = ACCOUNTS_URL,
    ) -> None:
        self._client = client
        self._project_id = project_id
        self._certificates = certificates
        self._tokens = tokens
        self._clock = clock
        self._lookup_url = f"{accounts_url}/v1/projects/{project_id}/accounts:lookup"

    async def verify(self, id_token: str) -> FirebaseUser:
        """Return whose token it is; see the port."""
        try:
            claims = await self._claims(id_token)
            user = await self._look_up(claims.uid)
            return _user(claims, user)
        except _RefusedError as error:
            _log.info("firebase.token_refused", reason=str(error))
            raise FirebaseTokenRefusedError from error

    async def _claims(self, id_token: str) -> _Claims:
        if len(id_token) > TOKEN_LENGTH_MAX:
            raise _RefusedError("too long")
        try:
            header: Mapping[str, Any] = jwt.get_unverified_header(id_token)
        except jwt.InvalidTokenError as error:
            raise _RefusedError("no token") from error
        key_id = header.get("kid")
        if header.get("alg") != ALGORITHM:
            raise _RefusedError("alg")
        if not isinstance(key_id, str) or not 0 < len(key_id) <= KEY_ID_LENGTH_MAX:
            raise _RefusedError("kid")
        key = await self._certificates.key(key_id)
        if key is None:
            raise _RefusedError("kid")
        try:
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=[ALGORITHM],
                audience=self._project_id,
                issuer=f"{ISSUER}{self._project_id}",
                # The times are compared below, with our clock instead of the library's.
                options={
                    "require": ["aud", "auth_time", "exp", "iat", "iss", "sub"],
                    "strict_aud": True,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.InvalidTokenError, TypeError, ValueError) as error:
            raise _RefusedError(type(error).__name__) from error
        return self._checked(claims)

    def _checked(self, claims: Mapping[str, Any]) -> _Claims:
        now = self._clock.now()
        issued_at, expires_at = _time(claims, "iat"), _time(claims, "exp")
        proven_at = _time(claims, "auth_time")
        if expires_at <= now:
            raise _RefusedError("exp")
        if max(issued_at, proven_at) > now + CLOCK_SKEW:
            raise _RefusedError("iat or auth_time")
        uid = claims["sub"]
        if not isinstance(uid, str) or not 0 < len(uid) <= UID_LENGTH_MAX:
            raise _RefusedError("sub")
        firebase: Any = claims.get("firebase")
        if not isinstance(firebase, dict):
            raise _RefusedError("firebase")
        origin = cast("dict[str, Any]", firebase)
        provider = origin.get("sign_in_provider")
        # A tenant's users are another realm, whose ids may be chosen by another party.
        if not isinstance(provider, str) or provider == ANONYMOUS or "tenant" in origin:
            raise _RefusedError("sign_in_provider or tenant")
        phone = claims.get("phone_number") if provider == BY_PHONE else None
        if phone is not None and not isinstance(phone, str):
            raise _RefusedError("phone_number")
        return _Claims(uid, phone, proven_at)

    async def _look_up(self, uid: str) -> Mapping[str, Any]:
        headers = {"Authorization": f"Bearer {await self._tokens.current()}"}
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                request = self._client.build_request(
                    "POST", self._lookup_url, json={"localId": [uid]}, headers=headers
                )
                response = await self._client.send(request, stream=True)
                body = await read_bounded(response, BODY_BYTES_MAX)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                self._tokens.forget()
            response.raise_for_status()
            users: Any = orjson.loads(body).get("users", [])
            found = [one for one in users if one["localId"] == uid]
        except _UNREADABLE as error:
            _log.warning("firebase.lookup_failed", reason=type(error).__name__)
            raise FirebaseUnavailableError("Google does not tell about the user") from error
        if not found:
            raise _RefusedError("unknown user")
        return cast("dict[str, Any]", found[0])


class _RefusedError(Exception):
    """Which check failed: for the log."""


def _user(claims: _Claims, user: Mapping[str, Any]) -> FirebaseUser:
    if user.get("disabled"):
        raise _RefusedError("disabled user")
    if claims.authenticated_at < _time(user, "validSince"):
        raise _RefusedError("taken back")
    if claims.phone_number is not None and claims.phone_number != user.get("phoneNumber"):
        raise _RefusedError("the phone number is not the user's any more")
    return FirebaseUser(claims.uid, claims.phone_number, claims.authenticated_at)


def _time(values: Mapping[str, Any], name: str) -> datetime:
    value = values.get(name, 0 if name == "validSince" else None)
    try:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise _RefusedError(name)
        return datetime.fromtimestamp(int(value), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise _RefusedError(name) from error
