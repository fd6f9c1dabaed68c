"""ETC and GoCardless are set up whole or not at all, and a setting of no use is named."""

from pathlib import Path

import pytest

from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError
from sesame.providers.etc import etc_provider
from sesame.providers.gocardless import gocardless_provider
from sesame.sandbox.etc.signing import etc_public_pem, new_etc_private_pem
from sesame.settings import Settings


def _file(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content)
    return str(folder / name)


def test_etc_needs_all_of_its_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert etc_provider(Settings(), clock=SystemClock()) is None
    private = new_etc_private_pem()
    key = _file(tmp_path, "key.pem", private.decode())
    public = _file(tmp_path, "public.pem", etc_public_pem(private))
    values = {
        "SESAME_ETC_URL": "https://etc.example",
        "SESAME_ETC_MERCHANT": "parkside",
        "SESAME_ETC_KEY_FILE": key,
        "SESAME_ETC_PLATFORM_KEYS_FILE": public,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    for name, value in values.items():
        monkeypatch.delenv(name)
        with pytest.raises(InvalidInputError, match=f"^{name}: expected a value"):
            etc_provider(Settings(), clock=SystemClock())
        monkeypatch.setenv(name, value)
    assert etc_provider(Settings(), clock=SystemClock()) is not None
    for name, value, expected in (
        ("SESAME_ETC_URL", "http://etc.example", "an https URL"),
        ("SESAME_ETC_KEY_FILE", public, "an Ed25519 private key"),
        ("SESAME_ETC_KEY_FILE", str(tmp_path / "none"), "a readable file"),
        ("SESAME_ETC_PLATFORM_KEYS_FILE", key, "1 to 4 PEM public keys"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            with pytest.raises(InvalidInputError, match=f"^{name}: expected {expected}"):
                etc_provider(Settings(), clock=SystemClock())


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
