"""Signed receipts: only what a known key signed is read, and not one byte of it may change."""

import base64
import hashlib
import hmac
import json
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from parking.kit.errors import InvalidInputError
from parking.payments.receipt import (
    RECEIPT_TYPE,
    ReceiptRefusedError,
    ReceiptSigner,
    UnknownKeyError,
    open_receipt,
    read_unverified,
)
from parking.payments.receipt_keys import (
    key_id,
    key_set,
    read_key_set,
    read_private_key,
    read_public_keys,
)

# The key of RFC 8037, appendix A.
KEY: Final = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
OTHER_KEY: Final = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
SIGNER: Final = ReceiptSigner(KEY)
CLAIMS: Final[dict[str, Any]] = {
    "total_minor": 1250,
    "currency": "CNY",
    "plate": "京A•••31",
    "lines": [{"amount_minor": 1250, "reason": "increment"}],
}
RECEIPT: Final = SIGNER.sign(CLAIMS)
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def encoded(value: bytes | dict[str, Any]) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def pem_of(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def resigned(header: dict[str, Any], claims: bytes | dict[str, Any] = CLAIMS) -> str:
    """Sign with the right key what the signer would not."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{encoded(KEY.sign(signed.encode()))}"


def header_with(**changes: object) -> dict[str, Any]:
    return {"alg": "EdDSA", "kid": key_id(KEY.public_key()), "typ": RECEIPT_TYPE, **changes}


def test_the_key_has_the_name_that_the_rfc_gives_it() -> None:
    assert key_id(KEY.public_key()) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert SIGNER.key_set == {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "alg": "EdDSA",
                "use": "sig",
                "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }
        ]
    }


def test_the_same_claims_give_the_same_receipt() -> None:
    assert open_receipt(RECEIPT, SIGNER.keys) == CLAIMS == read_unverified(RECEIPT)
    reordered = dict(reversed(CLAIMS.items()))
    assert ReceiptSigner(KEY).sign(reordered) == RECEIPT
    assert json.loads(base64.urlsafe_b64decode(RECEIPT.split(".")[0] + "==")) == header_with()


@given(st.integers(0, len(RECEIPT) - 1), st.sampled_from(ALPHABET + ".= \n+/"))
def test_no_letter_of_a_receipt_can_change(at: int, letter: str) -> None:
    if RECEIPT[at] == letter:
        return
    with pytest.raises(ReceiptRefusedError):
        open_receipt(RECEIPT[:at] + letter + RECEIPT[at + 1 :], SIGNER.keys)


def test_the_signature_has_one_spelling() -> None:
    # The last letter carries four bits that base64 ignores.
    last = ALPHABET.index(RECEIPT[-1])
    same_bytes = [letter for letter in ALPHABET if ALPHABET.index(letter) >> 4 == last >> 4]
    assert len(same_bytes) == 16
    for letter in set(same_bytes) - {RECEIPT[-1]}:
        with pytest.raises(ReceiptRefusedError, match="usual spelling"):
            open_receipt(RECEIPT[:-1] + letter, SIGNER.keys)
    with pytest.raises(ReceiptRefusedError):
        open_receipt(RECEIPT + "==", SIGNER.keys)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (header_with(alg="none"), "alg: expected EdDSA"),
        (header_with(alg="HS256"), "alg: expected EdDSA"),
        (header_with(alg="ES256"), "alg: expected EdDSA"),
        (header_with(alg=None), "alg: expected EdDSA"),
        (header_with(typ="JWT"), "typ: expected"),
        (header_with(crit=["b64"], b64=False), "nothing else"),
        (header_with(jwk=key_set([OTHER_KEY.public_key()])["keys"][0]), "nothing else"),
        (header_with(kid=7), "nothing else"),
        ({"alg": "EdDSA", "typ": RECEIPT_TYPE}, "nothing else"),
    ],
)
def test_a_header_of_another_kind_is_refused(header: dict[str, Any], words: str) -> None:
    with pytest.raises(ReceiptRefusedError, match=words):
        open_receipt(resigned(header), SIGNER.keys)


def test_no_signature_and_a_signature_with_the_public_key_are_refused() -> None:
    unsigned = f"{encoded(header_with(alg='none'))}.{encoded(CLAIMS)}."
    head = f"{encoded(header_with(alg='HS256'))}.{encoded(CLAIMS)}"
    for secret in (KEY.public_key().public_bytes_raw(), pem_of(KEY)):
        code = hmac.new(secret, head.encode(), hashlib.sha256).digest()
        with pytest.raises(ReceiptRefusedError, match="alg: expected EdDSA"):
            open_receipt(f"{head}.{encoded(code)}", SIGNER.keys)
    for text in (unsigned, f"{RECEIPT.rpartition('.')[0]}."):
        with pytest.raises(ReceiptRefusedError):
            open_receipt(text, SIGNER.keys)


def test_another_key_is_refused_under_its_own_name_and_under_ours() -> None:
    other = ReceiptSigner(OTHER_KEY)
    with pytest.raises(UnknownKeyError, match=key_id(OTHER_KEY.public_key())):
        open_receipt(other.sign(CLAIMS), SIGNER.keys)
    head = f"{encoded(header_with())}.{encoded(CLAIMS)}"
    forged = f"{head}.{encoded(OTHER_KEY.sign(head.encode()))}"
    with pytest.raises(ReceiptRefusedError, match="not of this key"):
        open_receipt(forged, SIGNER.keys)
    assert open_receipt(other.sign(CLAIMS), other.keys) == CLAIMS


def test_a_retired_key_still_verifies() -> None:
    rotated = ReceiptSigner(OTHER_KEY, read_public_keys(pem_of(KEY), field="retired"))
    assert [item["kid"] for item in rotated.key_set["keys"]] == [
        key_id(OTHER_KEY.public_key()),
        key_id(KEY.public_key()),
    ]
    assert open_receipt(RECEIPT, read_key_set(rotated.key_set)) == CLAIMS
    assert rotated.sign(CLAIMS) != RECEIPT


@pytest.mark.parametrize("claims", [b'{"a":1,"a":2}', b"[]", b"NaN", b"\xff", b""])
def test_signed_claims_that_two_readers_could_take_differently(claims: bytes) -> None:
    with pytest.raises(ReceiptRefusedError, match="payload: expected"):
        open_receipt(resigned(header_with(), claims), SIGNER.keys)


@pytest.mark.parametrize(
    "text", ["", "..", "a.b", "a.b.c.d", "é.é.é", "e30.e30.e30", "x" * 5_000_000]
)
def test_what_is_no_receipt(text: str) -> None:
    with pytest.raises(ReceiptRefusedError):
        open_receipt(text, SIGNER.keys)


def test_key_sets_are_read_with_care() -> None:
    entry = dict(SIGNER.key_set["keys"][0])
    other = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "r"}
    assert list(read_key_set({"keys": [other, entry]})) == [entry["kid"]]
    for changed, path in [
        ({**entry, "kid": "mine"}, "keys.keys[0].kid"),
        ({**entry, "x": "AAAA"}, "keys.keys[0].x"),
        ({**entry, "x": None}, "keys.keys[0].x"),
        ({**entry, "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}, "keys.keys[0].d"),
        ("key", "keys.keys[0]"),
    ]:
        with pytest.raises(InvalidInputError) as refused:
            read_key_set({"keys": [changed]})
        assert refused.value.field == path
    broken_sets: tuple[object, ...] = ([], {}, {"keys": {}}, {"keys": [entry] * 101})
    for broken in broken_sets:
        with pytest.raises(InvalidInputError):
            read_key_set(broken)


def test_key_files_are_read_with_care() -> None:
    private = KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    assert read_private_key(private, field="key").private_bytes_raw() == KEY.private_bytes_raw()
    curve = ec.generate_private_key(ec.SECP256R1())
    for wrong in (b"", pem_of(KEY), private[:40]):
        with pytest.raises(InvalidInputError, match="key: expected an unencrypted private key"):
            read_private_key(wrong, field="key")
    assert read_public_keys(b"", field="retired") == []
    two = read_public_keys(pem_of(KEY) + b"\n" + pem_of(OTHER_KEY), field="retired")
    assert [key_id(key) for key in two] == [
        key_id(KEY.public_key()),
        key_id(OTHER_KEY.public_key()),
    ]
    for wrong in (b"keys", pem_of(curve), private, pem_of(KEY) + private):
        with pytest.raises(InvalidInputError) as refused:
            read_public_keys(wrong, field="retired")
        assert refused.value.field == "retired"
