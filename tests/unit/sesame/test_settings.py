"""A wrong setting is named in one line, and its value is not shown."""

import base64
from pathlib import Path

import pytest

from parking.kit.clock import SystemClock
from parking.kit.database import driver_url
from parking.kit.errors import InvalidInputError
from sesame.commands.stand_in_server import listen, secret_of
from sesame.providers.alipay import alipay_provider
from sesame.sandbox.alipay.signing import new_private_pem, public_pem
from sesame.settings import Settings

PLACE = "0199c1a2-b3c4-7d5e-8f90-a1b2c3d4e5f1"
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


def test_two_keys_are_two_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESAME_FIELD_KEY", KEY)
    monkeypatch.setenv("SESAME_INDEX_KEY", KEY)
    with pytest.raises(InvalidInputError, match=r"^SESAME_INDEX_KEY: expected another key") as told:
        Settings().require_keys()
    assert KEY not in str(told.value)


def test_what_is_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "DATABASE_URL": "postgresql://sesame:hush@db/sesame",
        "REDIS_URL": "redis://:hush@valkey",
        "SESAME_FIELD_KEY": KEY,
        "SESAME_INDEX_KEY": KEY,
        "SESAME_SMS_WEBHOOK_SECRET": "hush",
        "SESAME_STRIPE_SECRET_KEY": "hush",
        "SESAME_STRIPE_WEBHOOK_SECRETS": "hush",
        "SESAME_FAPIAO_SECRET": "hush",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    shown = repr(Settings())
    assert "hush" not in shown
    assert KEY not in shown
    assert "api_port=8080" in shown


def test_what_is_neither_true_nor_false_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESAME_WECHAT_ADVANCE_FUNDED", "maybe")
    with pytest.raises(InvalidInputError, match=r"_ADVANCE_FUNDED: expected a valid boolean"):
        Settings()


def test_an_address_that_is_none_is_named_without_its_password() -> None:
    with pytest.raises(InvalidInputError, match=r"^DATABASE_URL: expected an address") as caught:
        driver_url("postgresql://sesame:hush@db:port/x")
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_port_that_is_taken_is_named() -> None:
    taken, url = listen("127.0.0.1", 0)
    with taken, pytest.raises(InvalidInputError, match=r"^--host, --port: expected .* free"):
        listen("127.0.0.1", int(url.rpartition(":")[2]))


def test_a_secret_is_made_once_and_long_enough(tmp_path: Path) -> None:
    made = secret_of(tmp_path / "secret")
    assert len(made) == 32
    assert secret_of(tmp_path / "secret") == made
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


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


def test_alipay_needs_all_of_its_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert alipay_provider(Settings(), clock=SystemClock()) is None
    key, public = tmp_path / "key.pem", tmp_path / "public.pem"
    private_pem = new_private_pem()
    key.write_bytes(private_pem)
    public.write_text(public_pem(private_pem))
    values = {
        "SESAME_ALIPAY_APP_ID": "2021000000000001",
        "SESAME_ALIPAY_SELLER_ID": "2088000000000002",
        "SESAME_ALIPAY_KEY_FILE": str(key),
        "SESAME_ALIPAY_PUBLIC_KEYS_FILE": str(public),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    for name, value in values.items():
        monkeypatch.delenv(name)
        with pytest.raises(InvalidInputError, match=f"^{name}: expected a value"):
            alipay_provider(Settings(), clock=SystemClock())
        monkeypatch.setenv(name, value)
    set_up = alipay_provider(Settings(), clock=SystemClock())
    assert set_up is not None
    assert (set_up.traits.charge_minor_max, set_up.traits.day_minor_max) == (100_00, 1_000_00)
    assert not set_up.traits.announces_stays
    with monkeypatch.context() as changed:
        changed.setenv("SESAME_ALIPAY_CHARGE_MINOR_MAX", "0")
        changed.setenv("SESAME_ALIPAY_DAY_MINOR_MAX", "500000")
        changed.setenv("SESAME_ALIPAY_PARKING_IDS", f"{PLACE}=PI1, {PLACE[:-1]}2=PI2")
        by_contract = alipay_provider(Settings(), clock=SystemClock())
    assert by_contract is not None
    assert (by_contract.traits.charge_minor_max, by_contract.traits.day_minor_max) == (None, 500000)
    assert by_contract.traits.announces_stays
    for name, value, expected in (
        ("SESAME_ALIPAY_GATEWAY_URL", "http://openapi.alipay.com/gateway.do", "an https URL"),
        ("SESAME_ALIPAY_SIGN_CHANNEL", "PIGEON", "ALIPAYAPP, QRCODE"),
        ("SESAME_ALIPAY_PARKING_IDS", "PI1", "PLACE=PARKING pairs"),
        ("SESAME_ALIPAY_PARKING_IDS", f"{PLACE}=", "PLACE=PARKING pairs"),
        ("SESAME_ALIPAY_PARKING_IDS", f"{PLACE}=PI1,{PLACE}=PI2", "PLACE=PARKING pairs"),
        ("SESAME_ALIPAY_KEY_FILE", str(public), "an RSA key"),
        ("SESAME_ALIPAY_PUBLIC_KEYS_FILE", str(key), "1 to 2 PEM public keys"),
        ("SESAME_ALIPAY_PUBLIC_KEYS_FILE", str(tmp_path / "none"), "a readable file"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            with pytest.raises(InvalidInputError, match=f"^{name}: expected {expected}"):
                alipay_provider(Settings(), clock=SystemClock())
