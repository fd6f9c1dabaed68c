"""The operator's sign-in provider: OpenID Connect Core 1.0, authorization code with PKCE.

What it says about itself is asked for and kept for a while; its keys are asked for again when a
token names one that is not known.
"""

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast
from urllib.parse import quote, urlencode

import httpx
import jwt
import orjson

from parking.kit.clock import Clock
from parking.kit.crypto import same_digest
from parking.kit.errors import UnavailableError
from parking.kit.outbound import (
    AnswerTooLongError,
    is_secure_url,
    open_connections,
    read_bounded,
    require_secure_url,
)
from parking.staff.errors import StaffSignInRefusedError

ANSWER_TIMEOUT_S: Final = 5.0
ANSWER_BYTES_MAX: Final = 256 * 1024
DESCRIPTION_PERIOD: Final = timedelta(hours=1)
# An unknown key in a forged token must not make us ask for keys all the time.
KEYS_PERIOD_MIN: Final = timedelta(seconds=30)
KEYS_MAX: Final = 50
CLOCK_TOLERANCE: Final = timedelta(seconds=60)
TOKEN_AGE_MAX: Final = timedelta(minutes=10)
SUBJECT_LENGTH_MAX: Final = 255
SCOPE: Final = "openid email"
# Keys of ours or a shared secret sign nothing here: `none` and HMAC are not among them.
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_REQUIRED: Final = ["iss", "sub", "aud", "exp", "iat", "nonce"]


class ProviderUnavailableError(UnavailableError):
    """The sign-in provider does not answer, or not as one does."""

    code = "PROVIDER_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """By what the provider knows us."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one sign-in asks the provider with; all of it is fresh."""

    state: str
    nonce: str
    verifier: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the provider has signed in; `email` None where it did not verify one."""

    subject: str
    email: str | None


@dataclass(frozen=True, slots=True)
class _Description:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    names_itself: bool
    asked_at: datetime


class OidcProvider:
    """Talks with one provider.

    Raises:
        InvalidInputError: the issuer is no https URL.
    """

    def __init__(self, settings: ProviderSettings, *, clock: Clock) -> None:
        require_secure_url("SESAME_STAFF_OIDC_ISSUER", settings.issuer)
        self._settings = settings
        self._clock = clock
        self._description: _Description | None = None
        self._keys: dict[str, jwt.PyJWK] = {}
        self._keys_asked_at: datetime | None = None

    @property
    def issuer(self) -> str:
        """Whose accounts they are."""
        return self._settings.issuer

    async def authorization_url(self, asked: Asked) -> str:
        """Return where the browser goes.

        Raises:
            ProviderUnavailableError: it does not say where.
        """
        description = await self._describe()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": asked.redirect_uri,
            "scope": SCOPE,
            "state": asked.state,
            "nonce": asked.nonce,
            "code_challenge": code_challenge(asked.verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in description.authorization_endpoint else "?"
        return f"{description.authorization_endpoint}{joint}{urlencode(query)}"

    async def require_own(self, named: str | None) -> None:
        """Let an answer pass that this provider gave (RFC 9207).

        Raises:
            StaffSignInRefusedError: another one did: somebody mixes them up.
        """
        description = await self._describe()
        if named is None and not description.names_itself:
            return
        if named != self._settings.issuer:
            raise StaffSignInRefusedError

    async def exchange(self, code: str, asked: Asked) -> Account:
        """Return whom the provider signed in.

        Raises:
            StaffSignInRefusedError: it does not take the code, or the token does not hold.
            ProviderUnavailableError: it does not answer.
        """
        description = await self._describe()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": asked.redirect_uri,
            "code_verifier": asked.verifier,
        }
        # RFC 6749, 2.3.1: both are form-encoded before they become a user and a password.
        user, password = (
            quote(text, safe="")
            for text in (self._settings.client_id, self._settings.client_secret)
        )
        answer = await _call(
            description.token_endpoint, form=form, auth=httpx.BasicAuth(user, password)
        )
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise StaffSignInRefusedError
        return self._account(await self._claims(token), asked)

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(header.get("kid"), header.get("alg"))
            return jwt.decode(
                token,
                key,
                algorithms=[str(key.algorithm_name)],
                audience=self._settings.client_id,
                issuer=self._settings.issuer,
                # The times are compared below, with our clock instead of the library's.
                options={
                    "require": _REQUIRED,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.InvalidTokenError, TypeError, ValueError) as error:
            raise StaffSignInRefusedError from error

    def _account(self, claims: Mapping[str, Any], asked: Asked) -> Account:
        now = self._clock.now()
        try:
            expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
            issued_at = datetime.fromtimestamp(int(claims["iat"]), UTC)
        except (TypeError, ValueError, OverflowError, OSError) as error:
            raise StaffSignInRefusedError from error
        is_timely = (
            now < expires_at + CLOCK_TOLERANCE
            and now - TOKEN_AGE_MAX < issued_at < now + CLOCK_TOLERANCE
        )
        # With several readers, the token says for whom it was made.
        party = claims.get("azp", None if isinstance(claims["aud"], str) else "")
        is_ours = party in {None, self._settings.client_id}
        nonce, subject = str(claims["nonce"]), claims["sub"]
        is_asked = same_digest(nonce.encode(), asked.nonce.encode())
        if not (is_timely and is_ours and is_asked):
            raise StaffSignInRefusedError
        if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_LENGTH_MAX:
            raise StaffSignInRefusedError
        email = claims.get("email")
        is_verified = claims.get("email_verified") is True and isinstance(email, str)
        return Account(subject, cast("str", email) if is_verified else None)

    async def _key(self, key_id: object, algorithm: object) -> jwt.PyJWK:
        if not isinstance(key_id, str) or algorithm not in ALGORITHMS:
            raise StaffSignInRefusedError
        if key_id not in self._keys:
            await self._ask_keys()
        key = self._keys.get(key_id)
        if key is None or key.algorithm_name != algorithm:
            raise StaffSignInRefusedError
        return key

    async def _ask_keys(self) -> None:
        now = self._clock.now()
        if self._keys_asked_at is not None and now < self._keys_asked_at + KEYS_PERIOD_MIN:
            return
        answer = await _call((await self._describe()).jwks_uri)
        self._keys_asked_at = now
        self._keys = _keys(answer)

    async def _describe(self) -> _Description:
        now = self._clock.now()
        known = self._description
        if known is not None and now < known.asked_at + DESCRIPTION_PERIOD:
            return known
        answer = await _call(self._settings.issuer.rstrip("/") + _WELL_KNOWN)
        self._description = _description(answer, self._settings.issuer, now)
        return self._description


def code_challenge(verifier: str) -> str:
    """Return what the provider compares the verifier with (RFC 7636, S256)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _description(answer: Mapping[str, Any], issuer: str, now: datetime) -> _Description:
    named = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    urls = {name: str(answer.get(name)) for name in named}
    # Whoever describes another issuer would have its tokens taken for this one's.
    if answer.get("issuer") != issuer or not all(map(is_secure_url, urls.values())):
        raise ProviderUnavailableError("the sign-in provider describes itself as another")
    names_itself = answer.get("authorization_response_iss_parameter_supported") is True
    return _Description(**urls, names_itself=names_itself, asked_at=now)


def _keys(answer: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    found: dict[str, jwt.PyJWK] = {}
    listed = answer.get("keys")
    for one in cast("list[Any]", listed)[:KEYS_MAX] if isinstance(listed, list) else ():
        try:
            key = jwt.PyJWK(one)
        except (jwt.PyJWTError, TypeError, ValueError, AttributeError):
            # Providers list keys of kinds that we do not know; theirs sign nothing for us.
            continue
        if key.key_id and one.get("use", "sig") == "sig" and key.algorithm_name in ALGORITHMS:
            found[key.key_id] = key
    return found


async def _call(
    url: str, *, form: Mapping[str, str] | None = None, auth: httpx.BasicAuth | None = None
) -> dict[str, Any]:
    """Return the JSON object that the provider answers with; it is never followed elsewhere."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S), open_connections() as http:
            request = http.build_request("GET" if form is None else "POST", url, data=form)
            response = await http.send(request, stream=True, auth=auth)
            status = response.status_code
            content = await read_bounded(response, ANSWER_BYTES_MAX)
    except (httpx.HTTPError, TimeoutError, AnswerTooLongError) as error:
        raise ProviderUnavailableError("the sign-in provider does not answer") from error
    if form is not None and httpx.codes.is_client_error(status):
        raise StaffSignInRefusedError
    try:
        answer: object = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ProviderUnavailableError("the sign-in provider does not answer in JSON") from error
    if not httpx.codes.is_success(status) or not isinstance(answer, dict):
        raise ProviderUnavailableError(f"the sign-in provider answers {status}")
    return cast("dict[str, Any]", answer)
