"""The service account, and the signed grant that it exchanges for an access token (RFC 7523)."""

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from parking.kit.clock import Clock

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Google's own address, wherever the grant is sent to: google-auth writes it into every grant.
AUDIENCE: Final = "https://oauth2.googleapis.com/token"
# Either scope permits sending.
SCOPES: Final = frozenset(
    {
        "https://www.googleapis.com/auth/firebase.messaging",
        "https://www.googleapis.com/auth/cloud-platform",
    }
)
TOKEN_LIFE: Final = timedelta(hours=1)
CLOCK_SKEW: Final = timedelta(seconds=10)
TOKENS_MAX: Final = 1000
KEY_BITS: Final = 2048
PUBLIC_EXPONENT: Final = 65537


class GrantRefusedError(Exception):
    """The grant is not good; the text says why."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account as Google's console would give it."""

    project_id: str
    client_email: str
    key_id: str
    private_key_pem: str = field(repr=False)

    def to_json(self, url: str) -> str:
        """Return the credentials file for a stand-in at `url`."""
        return json.dumps(
            {
                "type": "service_account",
                "project_id": self.project_id,
                "private_key_id": self.key_id,
                "private_key": self.private_key_pem,
                "client_email": self.client_email,
                "client_id": "1",
                "token_uri": f"{url}/token",
            },
            indent=2,
        )

    def public_key(self) -> rsa.RSAPublicKey:
        """Return the key that verifies grants."""
        key = serialization.load_pem_private_key(self.private_key_pem.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("private_key: expected an RSA key")  # noqa: TRY004 - a value from a file
        return key.public_key()


def new_service_account(project_id: str) -> ServiceAccount:
    """Return an account with a fresh key."""
    key = rsa.generate_private_key(PUBLIC_EXPONENT, KEY_BITS)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    email = f"sender@{project_id}.iam.gserviceaccount.com"
    return ServiceAccount(project_id, email, uuid4().hex, pem.decode())


def load_service_account(text: str) -> ServiceAccount:
    """Read a credentials file.

    Raises:
        ValueError: it is none, or its key is not RSA.
    """
    values: Any = json.loads(text)
    try:
        account = ServiceAccount(
            values["project_id"],
            values["client_email"],
            values["private_key_id"],
            values["private_key"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError("expected a service account's file") from error
    account.public_key()
    return account


class Grants:
    """Checks grants, and the tokens that were given for them."""

    def __init__(
        self, account: ServiceAccount, clock: Clock, scopes: frozenset[str] = SCOPES
    ) -> None:
        self._scopes = scopes
        self._account = account
        self._key = account.public_key()
        self._clock = clock
        self._tokens: dict[str, datetime] = {}
        self.given = 0

    def exchange(self, form: dict[str, str]) -> str:
        """Return an access token for a grant.

        Raises:
            GrantRefusedError: the form, the signature or a claim is not good.
        """
        if form.get("grant_type") != GRANT_TYPE:
            raise GrantRefusedError("grant_type: expected jwt-bearer")
        self._check_claims(self._claims(form.get("assertion", "")))
        token = f"ya29.{secrets.token_urlsafe(24)}"
        while len(self._tokens) >= TOKENS_MAX:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[token] = self._clock.now() + TOKEN_LIFE
        self.given += 1
        return token

    def accepts(self, authorization: str) -> bool:
        """Return whether a request's header carries a token that is good now."""
        expires_at = self._tokens.get(authorization.removeprefix("Bearer "))
        return expires_at is not None and self._clock.now() < expires_at

    def revoke_all(self) -> None:
        """Forget every token."""
        self._tokens.clear()

    def _claims(self, assertion: str) -> dict[str, Any]:
        try:
            if jwt.get_unverified_header(assertion).get("kid") != self._account.key_id:
                raise GrantRefusedError("kid: unknown key")
            # Times are checked by our clock, not by the library's.
            options: Any = {"verify_aud": False, "verify_exp": False, "verify_iat": False}
            return jwt.decode(assertion, self._key, algorithms=["RS256"], options=options)
        except jwt.InvalidTokenError as error:
            raise GrantRefusedError(f"assertion: {error}") from error

    def _check_claims(self, claims: dict[str, Any]) -> None:
        now = self._clock.now().timestamp()
        skew = CLOCK_SKEW.total_seconds()
        issued, expires = claims.get("iat"), claims.get("exp")
        if claims.get("iss") != self._account.client_email:
            raise GrantRefusedError("iss: unknown account")
        if claims.get("aud") != AUDIENCE:
            raise GrantRefusedError(f"aud: expected {AUDIENCE}")
        if not self._scopes.intersection(str(claims.get("scope", "")).split()):
            raise GrantRefusedError("scope: none that permits this")
        if not isinstance(issued, int) or not isinstance(expires, int):
            raise GrantRefusedError("iat, exp: expected whole seconds")
        if issued > now + skew or expires <= now - skew:
            raise GrantRefusedError("iat, exp: not valid now")
        if expires - issued > TOKEN_LIFE.total_seconds():
            raise GrantRefusedError("exp: at most an hour after iat")
