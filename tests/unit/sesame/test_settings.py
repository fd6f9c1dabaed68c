"""A wrong setting is named in one line, and its value is not shown."""

import base64

import pytest

from parking.kit.errors import InvalidInputError
from sesame.settings import Settings

KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "SESAME_FIELD_KEY", "SESAME_INDEX_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("value", ["", "short", base64.b64encode(b"k" * 31).decode()])
def test_wrong_key_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SESAME_FIELD_KEY", value)
    with pytest.raises(InvalidInputError) as caught:
        Settings()
    assert str(caught.value) == "SESAME_FIELD_KEY: expected 32 bytes in base64"


def test_wrong_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESAME_API_PORT", "eighty")
    with pytest.raises(InvalidInputError, match=r"^SESAME_API_PORT: expected"):
        Settings()


def test_missing_settings_are_named_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    with pytest.raises(InvalidInputError, match=r"^DATABASE_URL: expected a value"):
        settings.require_database_url()
    monkeypatch.setenv("SESAME_FIELD_KEY", KEY)
    with pytest.raises(InvalidInputError, match=r"^SESAME_INDEX_KEY: expected a value"):
        Settings().require_keys()


def test_acquirer_needs_all_of_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().acquirer() is None
    monkeypatch.setenv("SESAME_ACQUIRER_URL", "https://acquirer.example")
    with pytest.raises(InvalidInputError, match=r"^SESAME_ACQUIRER_MERCHANT: expected a value"):
        Settings().acquirer()
