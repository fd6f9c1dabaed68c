"""Tokens: signed access tokens of each realm, and opaque refresh tokens."""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from parking.kit.clock import Clock
from parking.kit.crypto import Vault, same_digest
from parking.kit.errors import InvalidInputError
from parking.kit.kept_identities import KeptIdentities
from parking.kit.own_tokens import own_claims
from parking.kit.token_errors import TokenExpiredError, TokenRefusedError

ALGORITHM: Final = "ES256"
ISSUER: Final = "sesame"
DRIVER_REALM: Final = "driver"
STAFF_REALM: Final = "staff"
ACCESS_PERIOD: Final = timedelta(minutes=15)
STAFF_PERIOD: Final = timedelta(hours=12)
ACCESS_TOKEN_LENGTH_MAX: Final = 2048
# Of staff, whose signatures a process remembers: those of the last ones that came first.
STAFF_KEPT_MAX: Final = 1_000
_REQUIRED: Final = ["aud", "exp", "iat", "iss", "realm", "sub"]
_SECRET_BYTES: Final = 32
_TAG_BYTES: Final = 16
_ID_BYTES: Final = 16
_REFRESH_BYTES: Final = 2 * _ID_BYTES + _SECRET_BYTES + _TAG_BYTES


@dataclass(frozen=True, slots=True)
class DriverIdentity:
    """What a driver's access token proves until `expires_at`."""

    driver_id: UUID
    sign_in_id: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StaffToken:
    """What a staff token proves until `expires_at`: not which roles, which may have changed since.

    Attributes:
        sign_in_id: None for a token of `sesame staff token`, which is nobody's sign-in.
    """

    operator_id: UUID
    name: str
    expires_at: datetime
    sign_in_id: UUID | None = None


_Proven = TypeVar("_Proven", DriverIdentity, StaffToken)


class TokenIssuer:
    """Signs and verifies access tokens with one ES256 key.

    Args:
        key: A private key on P-256 in PEM.
        clock: Tells when a token's time is over.
    """

    def __init__(self, key: bytes, *, clock: Clock) -> None:
        self._private_key = _read_key(key)
        self._public_key = self._private_key.public_key()
        self._clock = clock
        self._drivers = KeptIdentities()
        self._staff: dict[bytes, StaffToken] = {}
        public = self._public_key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._key_id = hashlib.sha256(public).hexdigest()[:16]
        self._header = self._signed({}).partition(".")[0]

    def issue_driver(self, driver_id: UUID, sign_in_id: UUID) -> tuple[str, datetime]:
        """Return a driver's access token and when it expires."""
        return self._issue(DRIVER_REALM, driver_id, ACCESS_PERIOD, {"sid": str(sign_in_id)})

    def issue_staff(self, operator_id: UUID, name: str) -> tuple[str, datetime]:
        """Return an administrator's token to set an operator up with, and when it expires."""
        return self._issue(STAFF_REALM, operator_id, STAFF_PERIOD, {"name": name})

    def issue_member(self, operator_id: UUID, name: str, sign_in_id: UUID) -> tuple[str, datetime]:
        """Return the access token of a member's sign-in, and when it expires."""
        claims = {"name": name, "sid": str(sign_in_id)}
        return self._issue(STAFF_REALM, operator_id, ACCESS_PERIOD, claims)

    def verify_driver(self, token: str) -> DriverIdentity:
        """Return whose access token it is.

        Raises:
            TokenExpiredError: its time is over.
            TokenRefusedError: not ours, altered, or of another realm.
        """
        digest = _digest(DRIVER_REALM, token)
        kept = self._drivers.find(digest)
        if kept is not None:
            return self._in_time(DriverIdentity(*kept))
        claims, expires_at = self._read(DRIVER_REALM, token)
        try:
            identity = DriverIdentity(UUID(claims["sub"]), UUID(claims["sid"]), expires_at)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TokenRefusedError from error
        self._drivers.keep(digest, identity.driver_id, identity.sign_in_id, expires_at)
        return self._in_time(identity)

    def verify_staff(self, token: str) -> StaffToken:
        """Return which operator's staff it is; raises as `verify_driver`."""
        digest = _digest(STAFF_REALM, token)
        found = self._staff.get(digest)
        if found is None:
            claims, expires_at = self._read(STAFF_REALM, token)
            try:
                found = _member_of(claims, expires_at)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise TokenRefusedError from error
            if len(self._staff) >= STAFF_KEPT_MAX:
                del self._staff[next(iter(self._staff))]
            self._staff[digest] = found
        return self._in_time(found)

    def _issue(
        self, realm: str, subject: UUID, period: timedelta, claims: dict[str, str]
    ) -> tuple[str, datetime]:
        issued_at = self._clock.now().replace(microsecond=0)
        expires_at = issued_at + period
        payload: dict[str, Any] = {
            **claims,
            "iss": ISSUER,
            "aud": realm,
            "realm": realm,
            "sub": str(subject),
            "iat": int(issued_at.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return self._signed(payload), expires_at

    def _signed(self, payload: dict[str, Any]) -> str:
        headers = {"kid": self._key_id}
        return jwt.encode(payload, self._private_key, algorithm=ALGORITHM, headers=headers)

    def _in_time(self, proven: _Proven) -> _Proven:
        if proven.expires_at <= self._clock.now():
            raise TokenExpiredError
        return proven

    def _read(self, realm: str, token: str) -> tuple[dict[str, Any], datetime]:
        claims = own_claims(token, self._header, self._public_key)
        if claims is not None and _is_whole(claims, realm):
            return claims, datetime.fromtimestamp(claims["exp"], UTC)
        # It says what is wrong with a token, and takes those that another program of ours wrote.
        return self._read_by_library(realm, token)

    def _read_by_library(self, realm: str, token: str) -> tuple[dict[str, Any], datetime]:
        try:
            claims = jwt.decode(
                token,
                self._public_key,
                algorithms=[ALGORITHM],
                audience=realm,
                issuer=ISSUER,
                # The times are compared by the caller, with our clock instead of the library's.
                options={
                    "require": _REQUIRED,
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (jwt.InvalidTokenError, TypeError, ValueError, OverflowError, OSError) as error:
            raise TokenRefusedError from error
        if claims["realm"] != realm:
            raise TokenRefusedError
        return claims, expires_at


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """An opaque refresh token: whose sign-in, a secret, and a tag that only we can make.

    The tag tells an old token of ours, whose reuse ends the sign-in, from a guess, which must not.
    """

    owner_id: UUID
    sign_in_id: UUID
    text: str = field(repr=False)

    @classmethod
    def mint(
        cls, vault: Vault, owner_id: UUID, sign_in_id: UUID, *, realm: str = DRIVER_REALM
    ) -> "RefreshToken":
        """Return a fresh one; another realm does not take it for its own."""
        return cls._of(vault, owner_id, sign_in_id, secrets.token_bytes(_SECRET_BYTES), realm)

    def successor(self, vault: Vault) -> "RefreshToken":
        """Return the driver's token that this one is exchanged for: always the same one.

        Only we can tell it, and nothing of it has to be kept to tell it again.
        """
        secret = vault.digest("refresh_token.successor", self.text)
        return self._of(vault, self.owner_id, self.sign_in_id, secret, DRIVER_REALM)

    @classmethod
    def _of(
        cls, vault: Vault, owner_id: UUID, sign_in_id: UUID, secret: bytes, realm: str
    ) -> "RefreshToken":
        body = owner_id.bytes + sign_in_id.bytes + secret
        token = base64.urlsafe_b64encode(body + _tag(vault, realm, body)).decode().rstrip("=")
        return cls(owner_id, sign_in_id, token)

    @classmethod
    def read(cls, vault: Vault, text: str, *, realm: str = DRIVER_REALM) -> "RefreshToken":
        """Return the token that a client sent.

        Raises:
            TokenRefusedError: we never made it for this realm.
        """
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise TokenRefusedError from error
        body, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
        if len(raw) != _REFRESH_BYTES or not same_digest(tag, _tag(vault, realm, body)):
            raise TokenRefusedError
        ids = UUID(bytes=body[:_ID_BYTES]), UUID(bytes=body[_ID_BYTES : 2 * _ID_BYTES])
        return cls(*ids, text)

    def digest(self, vault: Vault) -> bytes:
        """Return what is stored instead of the token."""
        return vault.digest("refresh_token", self.text)


def new_token_key() -> bytes:
    """Return a fresh private key in PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _tag(vault: Vault, realm: str, body: bytes) -> bytes:
    # The drivers' came first and keeps its name: their tokens live for months.
    kind = "refresh_token.tag" if realm == DRIVER_REALM else f"refresh_token.{realm}.tag"
    return vault.digest(kind, body.hex())[:_TAG_BYTES]


def _digest(realm: str, token: str) -> bytes:
    if len(token) > ACCESS_TOKEN_LENGTH_MAX:
        raise TokenRefusedError
    # What a signature says never changes, and a phone sends its token with every request.
    return hashlib.sha256(f"{realm}|{token}".encode(errors="replace")).digest()


def _member_of(claims: dict[str, Any], expires_at: datetime) -> StaffToken:
    sign_in_id = UUID(claims["sid"]) if "sid" in claims else None
    return StaffToken(UUID(claims["sub"]), str(claims["name"]), expires_at, sign_in_id)


def _is_whole(claims: dict[str, Any], realm: str) -> bool:
    names = all(name in claims for name in _REQUIRED)
    times = isinstance(claims.get("exp"), int) and isinstance(claims.get("iat"), int)
    ours = claims.get("iss") == ISSUER and claims.get("aud") == realm == claims.get("realm")
    return names and times and ours and isinstance(claims["sub"], str)


def _read_key(key: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        private_key = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInputError("token_key", "an unencrypted private key in PEM") from error
    if not isinstance(private_key, ec.EllipticCurvePrivateKey) or not isinstance(
        private_key.curve, ec.SECP256R1
    ):
        raise InvalidInputError("token_key", "a key on the curve P-256")
    return private_key
