"""What the environment says about text messages reaches the API."""

import pytest

from parking.drivers.texting import SmsPolicy
from parking.kit.errors import InvalidInputError
from sesame.settings import Settings
from sesame.sms import sms_policy


def test_without_settings_every_country_is_served() -> None:
    assert sms_policy(Settings()) == SmsPolicy(frozenset(), 2000, 20_000)


def test_settings_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESAME_SMS_COUNTRIES", "DE, AT")
    monkeypatch.setenv("SESAME_SMS_CODES_PER_HOUR_MAX", "50")
    monkeypatch.setenv("SESAME_SMS_CODES_PER_DAY_MAX", "500")
    assert sms_policy(Settings()) == SmsPolicy(frozenset({"AT", "DE"}), 50, 500)


def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESAME_SMS_COUNTRIES", "Germany")
    with pytest.raises(InvalidInputError, match=r"^SESAME_SMS_COUNTRIES: expected ISO 3166"):
        sms_policy(Settings())
    monkeypatch.setenv("SESAME_SMS_CODES_PER_HOUR_MAX", "0")
    with pytest.raises(InvalidInputError, match=r"^SESAME_SMS_CODES_PER_HOUR_MAX: "):
        Settings()
