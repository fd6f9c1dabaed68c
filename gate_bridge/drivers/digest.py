"""HTTP Digest, the server's side (RFC 7616): devices prove that they know their password.

Offered are MD5, which is what cameras speak, and SHA-256, each with `qop="auth"`; an answer
without `qop` (RFC 2069, old firmwares) is taken once for each nonce.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

REALM: Final = "sesame"
NONCE_S_MAX: Final = 300.0
NONCES_MAX: Final = 1024  # In use at one time; each of a device that knew its password.
COUNTS_BEHIND_MAX: Final = 64  # Requests that may overtake each other on several connections.
HEADER_CHARACTERS_MAX: Final = 2048
_SCHEME: Final = "digest "
# Only from a name's beginning on: a long one without a value is not tried from each of its letters.
_PARAMETER: Final = re.compile(
    r'(?<![a-z-])([a-z-]{1,32})\s*=\s*(?:"([^"]*)"|([^\s,"]*))', re.IGNORECASE
)
_TIME_BYTES: Final = 8
_SALT_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 16


class DigestAlgorithm(StrEnum):
    """What an answer is made with; older cameras know the first only."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"


class DigestAnswer(StrEnum):
    """What became of a request's proof."""

    RIGHT = "right"
    STALE = "stale"
    """The password is right, but its nonce is too old, not ours, or was used so before."""
    WRONG = "wrong"
    """It is missing, cannot be read, or is of another password."""


@dataclass(frozen=True, slots=True)
class DigestRequest:
    """What a proof is about.

    Attributes:
        target: Path and query, as they came.
        authorization: The header; empty where there is none.
    """

    method: str
    target: str
    authorization: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DigestAccount:
    """Who may answer, and how."""

    username: str
    password: str = field(repr=False)
    algorithm: DigestAlgorithm = DigestAlgorithm.MD5


@dataclass(slots=True)
class _Uses:
    """The counts that a nonce was used with: the highest, and a bit for each one below it."""

    issued_ms: int
    highest: int = 0
    below: int = 0

    def use(self, count: int) -> bool:
        ahead = count - self.highest
        if ahead > 0:
            self.below = (self.below << ahead | 1 << ahead - 1) & (1 << COUNTS_BEHIND_MAX) - 1
            self.highest = count
            return True
        bit = 1 << -ahead - 1 if ahead < 0 else 0
        if bit == 0 or -ahead > COUNTS_BEHIND_MAX or self.below & bit:
            return False
        self.below |= bit
        return True


class DigestChecker:
    """Gives out challenges and checks the answers to them.

    A nonce is signed and carries its time, so that nothing is kept of those that are never
    answered. Of those that are, the counts are kept: no request is taken twice.

    Args:
        seconds: A steady clock.
    """

    def __init__(
        self, *, realm: str = REALM, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._realm = realm
        self._seconds = seconds
        self._key = secrets.token_bytes(32)
        self._uses: dict[str, _Uses] = {}
        # Nonces up to here may have been used and forgotten.
        self._forgotten_ms = -1

    def challenge(self, algorithm: DigestAlgorithm, *, is_stale: bool = False) -> str:
        """Return a `WWW-Authenticate` header."""
        issued = max(0, int(self._seconds() * 1000)).to_bytes(_TIME_BYTES, "big")
        unsigned = issued + secrets.token_bytes(_SALT_BYTES)
        nonce = base64.urlsafe_b64encode(unsigned + self._signature(unsigned)).decode()
        return (
            f'Digest realm="{self._realm}", qop="auth", algorithm={algorithm}, '
            f'nonce="{nonce}", stale={str(is_stale).lower()}'
        )

    def check(self, request: DigestRequest, account: DigestAccount) -> DigestAnswer:
        """Check a request's proof; RIGHT at most once for the same proof."""
        given = _parameters(request.authorization)
        if given is None or not self._is_of_password(given, request, account):
            return DigestAnswer.WRONG
        issued_ms = self._issued_ms(given["nonce"])
        if issued_ms is None or issued_ms <= self._forgotten_ms:
            return DigestAnswer.STALE
        if not self._use(given["nonce"], issued_ms, int(given.get("nc") or "1", 16)):
            return DigestAnswer.STALE
        return DigestAnswer.RIGHT

    def _is_of_password(
        self, given: dict[str, str], request: DigestRequest, account: DigestAccount
    ) -> bool:
        def hashed(*parts: str) -> str:
            text = ":".join(parts).encode()
            if account.algorithm is DigestAlgorithm.SHA_256:
                return hashlib.sha256(text).hexdigest()
            return hashlib.md5(text, usedforsecurity=False).hexdigest()

        algorithm = given.get("algorithm") or DigestAlgorithm.MD5
        secret = hashed(account.username, self._realm, account.password)
        about = hashed(request.method, given.get("uri", ""))
        middle = [given.get("nonce", "")]
        if given.get("qop"):
            # No other one was offered: what is made with `auth-int` does not fit.
            middle += [given.get("nc", ""), given.get("cnonce", ""), "auth"]
        expected = hashed(secret, *middle, about)
        # Every part is compared, so that the time tells nothing of which one was wrong.
        return all(
            [
                hmac.compare_digest(expected.encode(), given.get("response", "").lower().encode()),
                hmac.compare_digest(account.username.encode(), given.get("username", "").encode()),
                algorithm.upper() == account.algorithm,
                _is_count(given),
                _is_target(given.get("uri", ""), request.target),
            ]
        )

    def _signature(self, unsigned: bytes) -> bytes:
        return hmac.digest(self._key, unsigned, "sha256")[:_SIGNATURE_BYTES]

    def _issued_ms(self, nonce: str) -> int | None:
        """Return when we gave a nonce out; None if we did not, or too long ago."""
        try:
            raw = base64.urlsafe_b64decode(nonce)
        except (binascii.Error, ValueError):
            return None
        # Decoding passes over what follows the end, and a proof with `qop` is one without for the
        # nonce "<nonce>:<nc>:<cnonce>:auth": only the nonce as it was given out is ours.
        if base64.urlsafe_b64encode(raw).decode() != nonce:
            return None
        unsigned, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(unsigned)):
            return None
        issued_ms = int.from_bytes(unsigned[:_TIME_BYTES], "big")
        return None if issued_ms < self._oldest_ms() else issued_ms

    def _oldest_ms(self) -> float:
        return (self._seconds() - NONCE_S_MAX) * 1000

    def _use(self, nonce: str, issued_ms: int, count: int) -> bool:
        uses = self._uses.get(nonce)
        if uses is None:
            self._make_room()
            uses = self._uses[nonce] = _Uses(issued_ms)
        return uses.use(count)

    def _make_room(self) -> None:
        if len(self._uses) < NONCES_MAX:
            return
        oldest_ms = self._oldest_ms()
        self._uses = {
            nonce: uses for nonce, uses in self._uses.items() if uses.issued_ms >= oldest_ms
        }
        if len(self._uses) >= NONCES_MAX:
            oldest = min(self._uses, key=lambda nonce: self._uses[nonce].issued_ms)
            self._forgotten_ms = max(self._forgotten_ms, self._uses.pop(oldest).issued_ms)


def username_of(authorization: str) -> str:
    """Return who a request says that it comes from; empty where it does not say."""
    return (_parameters(authorization) or {}).get("username", "")


def is_empty(authorization: str) -> bool:
    """Return whether a request only shows that it can prove itself, as Dahua's first ones do."""
    given = _parameters(authorization)
    return given is not None and not given.get("nonce")


def _parameters(authorization: str) -> dict[str, str] | None:
    if len(authorization) > HEADER_CHARACTERS_MAX:
        return None
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    given: dict[str, str] = {}
    for match in _PARAMETER.finditer(authorization, len(_SCHEME)):
        name = match[1].lower()
        if name in given:
            return None
        given[name] = match[3] if match[2] is None else match[2]
    return given


def _is_count(given: dict[str, str]) -> bool:
    count = given.get("nc", "")
    if not given.get("qop"):
        return not count or count == "00000001"
    return re.fullmatch(r"[0-9a-fA-F]{8}", count) is not None and int(count, 16) > 0


def _is_target(uri: str, target: str) -> bool:
    if uri == target:
        return True
    # Some devices name themselves to a proxy and write the whole address.
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    whole = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return bool(parts.netloc) and whole == target
