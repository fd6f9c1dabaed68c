"""A provider is set up whole or not at all, and a setting of no use is named."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError
from sesame.providers.gocardless import gocardless_provider
from sesame.providers.signed_wires import acquirer_provider, etc_provider
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem
from sesame.sandbox.etc.signing import etc_public_pem, new_etc_private_pem
from sesame.settings import Settings

OPEN = serialization.NoEncryption()


def _file(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content)
    return str(folder / name)


def _private_pem(key: rsa.RSAPrivateKey, cipher: serialization.KeySerializationEncryption) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, cipher).decode()


@pytest.mark.parametrize("name", ["acquirer", "etc"])
def test_a_signed_wire_needs_all_of_its_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    is_etc = name == "etc"
    make = etc_provider if is_etc else acquirer_provider
    assert make(Settings(), clock=SystemClock()) is None
    private = new_etc_private_pem() if is_etc else new_private_pem()
    public = etc_public_pem(private) if is_etc else public_pem(private)
    key = _file(tmp_path, "key.pem", private.decode())
    prefix = f"SESAME_{name.upper()}"
    values = {
        f"{prefix}_URL": "https://wire.example",
        f"{prefix}_MERCHANT": "parkside",
        f"{prefix}_KEY_FILE": key,
        f"{prefix}_PLATFORM_KEYS_FILE": _file(tmp_path, "public.pem", public),
    }
    for variable, value in values.items():
        monkeypatch.setenv(variable, value)
    for variable, value in values.items():
        monkeypatch.delenv(variable)
        with pytest.raises(InvalidInputError, match=f"^{variable}: expected a value"):
            make(Settings(), clock=SystemClock())
        monkeypatch.setenv(variable, value)
    assert make(Settings(), clock=SystemClock()) is not None
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - refused
    locked = serialization.BestAvailableEncryption(b"hush")
    nonsense = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    kind = "an Ed25519 private key" if is_etc else "an RSA key of 2048 bits"
    public_kind = "Ed25519 keys" if is_etc else "RSA keys of 2048 bits"
    for end, value, expected in (
        ("URL", "http://wire.example", "an https URL"),
        ("KEY_FILE", values[f"{prefix}_PLATFORM_KEYS_FILE"], kind),
        ("KEY_FILE", _file(tmp_path, "weak", _private_pem(weak, OPEN)), kind),
        ("KEY_FILE", _file(tmp_path, "locked", _private_pem(weak, locked)), kind),
        ("KEY_FILE", str(tmp_path / "none"), "a readable file"),
        ("PLATFORM_KEYS_FILE", key, "1 to 4 PEM public keys"),
        ("PLATFORM_KEYS_FILE", _file(tmp_path, "nonsense", nonsense), public_kind),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(f"{prefix}_{end}", value)
            with pytest.raises(InvalidInputError, match=f"^{prefix}_{end}: expected {expected}"):
                make(Settings(), clock=SystemClock())


def test_gocardless_needs_all_of_its_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert gocardless_provider(Settings(), clock=SystemClock()) is None
    token = _file(tmp_path, "token", "live_token\n")
    secret = _file(tmp_path, "secret", "a secret of the endpoint\n")
    empty = _file(tmp_path, "empty", "\n")
    values = {
        "SESAME_GOCARDLESS_URL": "https://api.gocardless.com",
        "SESAME_GOCARDLESS_ACCESS_TOKEN_FILE": token,
        "SESAME_GOCARDLESS_WEBHOOK_SECRET_FILE": secret,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    for name, value in values.items():
        monkeypatch.delenv(name)
        with pytest.raises(InvalidInputError, match=f"^{name}: expected a value"):
            gocardless_provider(Settings(), clock=SystemClock())
        monkeypatch.setenv(name, value)
    assert gocardless_provider(Settings(), clock=SystemClock()) is not None
    for name, value, expected in (
        ("SESAME_GOCARDLESS_URL", "http://api.gocardless.com", "an https URL"),
        ("SESAME_GOCARDLESS_ACCESS_TOKEN_FILE", empty, "a file that is not empty"),
        ("SESAME_GOCARDLESS_WEBHOOK_SECRET_FILE", str(tmp_path / "none"), "a readable file"),
        ("SESAME_GOCARDLESS_WEBHOOK_SECRET_FILE", _file(tmp_path, "s", "x"), "16 characters"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            with pytest.raises(InvalidInputError, match=f"^{name}: expected {expected}") as caught:
                gocardless_provider(Settings(), clock=SystemClock())
            assert "live_token" not in str(caught.value)
