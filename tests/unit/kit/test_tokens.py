"""Access tokens of two realms, and refresh tokens."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from parking.kit.clock import ManualClock
from parking.kit.crypto import Vault
from parking.kit.errors import InvalidInputError
from parking.kit.token_errors import TokenExpiredError, TokenRefusedError
from parking.kit.tokens import (
    DriverIdentity,
    RefreshToken,
    StaffToken,
    TokenIssuer,
    new_token_key,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = new_token_key()
DRIVER, SIGN_IN, OPERATOR = UUID(int=1), UUID(int=2), UUID(int=3)
VAULT = Vault(field_key=b"f" * 32, index_key=b"i" * 32)


def issuer(clock: ManualClock | None = None, key: bytes = KEY) -> TokenIssuer:
    return TokenIssuer(key, clock=clock or ManualClock(START))


def claims(**changes: object) -> dict[str, Any]:
    return {
        "iss": "sesame",
        "aud": "driver",
        "realm": "driver",
        "sub": str(DRIVER),
        "sid": str(SIGN_IN),
        "iat": int(START.timestamp()),
        "exp": int(START.timestamp()) + 900,
        **changes,
    }


def test_a_driver_token_proves_driver_and_sign_in_for_fifteen_minutes() -> None:
    clock = ManualClock(START)
    token, expires_at = issuer(clock).issue_driver(DRIVER, SIGN_IN)
    assert expires_at == START + timedelta(minutes=15)
    assert issuer(clock).verify_driver(token) == DriverIdentity(DRIVER, SIGN_IN, expires_at)
    clock.advance(timedelta(minutes=15) - timedelta(seconds=1))
    assert issuer(clock).verify_driver(token).driver_id == DRIVER
    clock.advance(timedelta(seconds=1))
    with pytest.raises(TokenExpiredError):
        issuer(clock).verify_driver(token)


def test_a_staff_token_proves_operator_and_name_for_twelve_hours() -> None:
    clock = ManualClock(START)
    token, expires_at = issuer(clock).issue_staff(OPERATOR, "Ada")
    assert expires_at == START + timedelta(hours=12)
    assert issuer(clock).verify_staff(token) == StaffToken(OPERATOR, "Ada", expires_at)
    clock.advance(timedelta(hours=12))
    with pytest.raises(TokenExpiredError):
        issuer(clock).verify_staff(token)


def test_the_realms_do_not_open_each_other() -> None:
    driver, _ = issuer().issue_driver(DRIVER, SIGN_IN)
    staff, _ = issuer().issue_staff(OPERATOR, "Ada")
    with pytest.raises(TokenRefusedError):
        issuer().verify_staff(driver)
    with pytest.raises(TokenRefusedError):
        issuer().verify_driver(staff)


def unsigned(payload: dict[str, Any]) -> str:
    return jwt.encode(payload, key="", algorithm="none")


def by_public_key_as_secret(payload: dict[str, Any]) -> str:
    private = serialization.load_pem_private_key(KEY, password=None)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # By hand: the library refuses to make what an attacker would.
    parts = ({"alg": "HS256", "typ": "JWT"}, payload)
    head = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    return f"{head}.{base64url(hmac.digest(public, head.encode(), 'sha256'))}"


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "x" * 5000,
        unsigned(claims()),
        by_public_key_as_secret(claims()),
        jwt.encode(claims(), new_token_key(), algorithm="ES256"),
        jwt.encode(claims(realm="staff"), KEY, algorithm="ES256"),
        jwt.encode(claims(aud="staff"), KEY, algorithm="ES256"),
        jwt.encode(claims(iss="other"), KEY, algorithm="ES256"),
        jwt.encode(claims(sub="me"), KEY, algorithm="ES256"),
        jwt.encode(claims(sid=None), KEY, algorithm="ES256"),
        jwt.encode(claims(exp="soon"), KEY, algorithm="ES256"),
        jwt.encode(claims(exp=10**30), KEY, algorithm="ES256"),
        jwt.encode({k: v for k, v in claims().items() if k != "exp"}, KEY, algorithm="ES256"),
        jwt.encode({k: v for k, v in claims().items() if k != "sid"}, KEY, algorithm="ES256"),
    ],
)
def test_forged_tokens(token: str) -> None:
    with pytest.raises(TokenRefusedError) as refused:
        issuer().verify_driver(token)
    assert refused.value.code == "UNAUTHENTICATED"


def test_a_key_of_another_kind_is_refused_at_start() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for key in (b"", b"-----BEGIN", other):
        with pytest.raises(InvalidInputError, match="token_key"):
            issuer(key=key)


def test_a_refresh_token_names_its_sign_in_and_is_never_the_same() -> None:
    token = RefreshToken.mint(VAULT, DRIVER, SIGN_IN)
    assert RefreshToken.read(VAULT, token.text) == token
    assert (token.owner_id, token.sign_in_id) == (DRIVER, SIGN_IN)
    again = RefreshToken.mint(VAULT, DRIVER, SIGN_IN)
    assert again.text != token.text
    assert again.digest(VAULT) != token.digest(VAULT)
    assert token.text not in repr(token)


def test_a_successor_is_always_the_same_and_only_we_can_tell_it() -> None:
    token = RefreshToken.mint(VAULT, DRIVER, SIGN_IN)
    successor = token.successor(VAULT)
    assert successor == token.successor(VAULT)
    assert RefreshToken.read(VAULT, successor.text) == successor
    assert (successor.owner_id, successor.sign_in_id) == (DRIVER, SIGN_IN)
    other = Vault(field_key=b"f" * 32, index_key=b"j" * 32)
    told = {token.text, successor.text, successor.successor(VAULT).text}
    assert len(told | {token.successor(other).text}) == 4


def test_a_refresh_token_that_we_did_not_make() -> None:
    token = RefreshToken.mint(VAULT, DRIVER, SIGN_IN).text
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    raw[40] ^= 1
    changed = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    other = RefreshToken.mint(Vault(field_key=b"f" * 32, index_key=b"j" * 32), DRIVER, SIGN_IN).text
    for text in ("", "x", "é", token[:-2], token + "AAAA", changed, other):
        with pytest.raises(TokenRefusedError):
            RefreshToken.read(VAULT, text)


def test_our_own_tokens_are_read_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = issuer()
    token, _ = verifier.issue_driver(DRIVER, SIGN_IN)
    monkeypatch.setattr(jwt, "decode", None)
    assert verifier.verify_driver(token).driver_id == DRIVER


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_of_ours_that_was_altered_in_any_part_is_refused(part: int) -> None:
    token, _ = issuer().issue_driver(DRIVER, SIGN_IN)
    parts = token.split(".")
    parts[part] = ("A" if parts[part][0] != "A" else "B") + parts[part][1:]
    with pytest.raises(TokenRefusedError):
        issuer().verify_driver(".".join(parts))


def test_a_token_of_ours_for_another_realm_or_with_more_parts_is_refused() -> None:
    driver, _ = issuer().issue_driver(DRIVER, SIGN_IN)
    staff, _ = issuer().issue_staff(OPERATOR, "Ada")
    with pytest.raises(TokenRefusedError):
        issuer().verify_driver(staff)
    with pytest.raises(TokenRefusedError):
        issuer().verify_staff(driver)
    for altered in (f"{driver}.", driver.rpartition(".")[0], f"{driver}\n", f"{driver}="):
        with pytest.raises(TokenRefusedError):
            issuer().verify_driver(altered)
