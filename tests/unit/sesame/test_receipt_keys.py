"""The settings of the key that signs receipts, and of those that did."""

from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parking.kit.errors import InvalidInputError
from parking.payments.receipt import open_receipt
from sesame.settings import Settings
from sesame.wiring import receipt_signer

OLD: Final = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
NEW: Final = Ed25519PrivateKey.from_private_bytes(b"n" * 32)


def private_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def public_pem(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_without_a_key_nothing_signs() -> None:
    assert receipt_signer(Settings()) is None


def test_a_rotated_key_leaves_old_receipts_provable(tmp_path: Path) -> None:
    old, new, retired = (tmp_path / name for name in ("old.pem", "new.pem", "retired.pem"))
    old.write_bytes(private_pem(OLD))
    before = receipt_signer(Settings(receipt_key_file=old))
    assert before is not None
    receipt = before.sign({"total_minor": 1})
    new.write_bytes(private_pem(NEW))
    retired.write_bytes(public_pem(OLD))
    after = receipt_signer(Settings(receipt_key_file=new, receipt_retired_keys_file=retired))
    assert after is not None
    assert open_receipt(receipt, after.keys) == {"total_minor": 1}
    assert len(after.key_set["keys"]) == 2
    assert after.sign({"total_minor": 1}) != receipt


def test_a_file_that_cannot_be_used_names_its_setting(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.pem", tmp_path / "bad.pem"
    good.write_bytes(private_pem(NEW))
    bad.write_bytes(private_pem(ec.generate_private_key(ec.SECP256R1())))
    for values, name in [
        ({"receipt_key_file": tmp_path / "missing"}, "SESAME_RECEIPT_KEY_FILE"),
        ({"receipt_key_file": bad}, "SESAME_RECEIPT_KEY_FILE"),
        # A private key has no business in the file of the published ones.
        (
            {"receipt_key_file": good, "receipt_retired_keys_file": good},
            "SESAME_RECEIPT_RETIRED_KEYS_FILE",
        ),
    ]:
        with pytest.raises(InvalidInputError) as refused:
            receipt_signer(Settings(**values))
        assert refused.value.field == name
