"""What the tests of several commands need."""

import base64

import pytest


@pytest.fixture
def command_settings(database_url: str, valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands find the test's own database, Valkey and keys."""
    for name, value in (
        ("DATABASE_URL", database_url),
        ("REDIS_URL", valkey_url),
        ("SESAME_FIELD_KEY", base64.b64encode(b"f" * 32).decode()),
        ("SESAME_INDEX_KEY", base64.b64encode(b"i" * 32).decode()),
    ):
        monkeypatch.setenv(name, value)
