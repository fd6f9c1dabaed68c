"""WeChat Pay is set up wholly or not at all, and a wrong setting is named."""

from pathlib import Path

import pytest

from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError
from parking.payments.port import PayerDevice
from sesame.providers.wechat import wechat_provider
from sesame.sandbox.wechat.signing import PlatformKey, new_private_pem
from sesame.settings import Settings


@pytest.fixture
def values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Everything that is needed, set."""
    files = {
        "key.pem": new_private_pem().decode(),
        "api_key": "0123456789abcdef0123456789ABCDEF\n",
        "platform": PlatformKey("PUB_KEY_ID_1", new_private_pem()).public_text(),
        "short": "0123456789abcdef\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    needed = {
        "SESAME_WECHAT_MERCHANT": "1900000109",
        "SESAME_WECHAT_APP": "wxcbda96de0b165486",
        "SESAME_WECHAT_KEY_FILE": str(tmp_path / "key.pem"),
        "SESAME_WECHAT_KEY_SERIAL": "5157F09E",
        "SESAME_WECHAT_API_KEY_FILE": str(tmp_path / "api_key"),
        "SESAME_WECHAT_PLATFORM_KEYS_FILE": str(tmp_path / "platform"),
        "SESAME_WECHAT_SERVICE_URL": "https://pay.example/parking",
    }
    monkeypatch.setenv("SESAME_PUBLIC_URL", "https://api.example")
    for name, value in needed.items():
        monkeypatch.setenv(name, value)
    return needed


async def test_all_of_it_is_enough(values: dict[str, str]) -> None:
    assert len(values) == 7
    provider = wechat_provider(Settings(), clock=SystemClock())
    assert provider is not None
    assert (provider.name, provider.traits.timezone) == ("wechat", "Asia/Shanghai")
    await provider.aclose()


def test_nothing_of_it_is_fine(values: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in values:
        monkeypatch.delenv(name)
    assert wechat_provider(Settings(), clock=SystemClock()) is None


def test_a_part_of_it_is_not(values: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in values.items():
        monkeypatch.delenv(name)
        with pytest.raises(InvalidInputError, match=f"^{name}: expected a value"):
            wechat_provider(Settings(), clock=SystemClock())
        monkeypatch.setenv(name, value)


async def test_the_official_account_is_set_up_wholly_or_not_at_all(
    values: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert values
    (tmp_path / "secret").write_text("7813490da6f1265e4901ffb80afaa36f\n")
    account = {
        "SESAME_WECHAT_ACCOUNT_APP": "wx8397f8696b538317",
        "SESAME_WECHAT_ACCOUNT_SECRET_FILE": str(tmp_path / "secret"),
    }
    for (name, value), other in zip(account.items(), reversed(account), strict=True):
        with monkeypatch.context() as patched:
            patched.setenv(name, value)
            with pytest.raises(InvalidInputError, match=f"^{other}: expected a value"):
                wechat_provider(Settings(), clock=SystemClock())
    monkeypatch.setenv("SESAME_WECHAT_PHONE_PAGES", "false")
    for name, value in account.items():
        monkeypatch.setenv(name, value)
    provider = wechat_provider(Settings(), clock=SystemClock())
    assert provider is not None
    assert provider.traits.devices == {PayerDevice.APP}
    state = "0a"
    assert provider.payer_page("https://api.example/pay/x", state) == (
        "https://open.weixin.qq.com/connect/oauth2/authorize?appid=wx8397f8696b538317"
        "&redirect_uri=https%3A%2F%2Fapi.example%2Fpay%2Fx&response_type=code"
        "&scope=snsapi_base&state=0a#wechat_redirect"
    )
    await provider.aclose()


@pytest.mark.usefixtures("values")
@pytest.mark.parametrize(
    "name", ["SESAME_WECHAT_ACCOUNT_PAGE_URL", "SESAME_WECHAT_ACCOUNT_API_URL"]
)
def test_the_official_accounts_secret_goes_nowhere_in_the_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "secret").write_text("7813490da6f1265e4901ffb80afaa36f\n")
    monkeypatch.setenv("SESAME_WECHAT_ACCOUNT_APP", "wx8397f8696b538317")
    monkeypatch.setenv("SESAME_WECHAT_ACCOUNT_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv(name, "http://api.weixin.qq.com")
    with pytest.raises(InvalidInputError, match=f"^{name}: expected an https URL"):
        wechat_provider(Settings(), clock=SystemClock())


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SESAME_WECHAT_URL", "http://api.mch.weixin.qq.com", "an https URL"),
        ("SESAME_PUBLIC_URL", "http://api.example", "an https URL without a query"),
        ("SESAME_WECHAT_API_KEY_FILE", "short", "32 characters"),
        ("SESAME_WECHAT_API_KEY_FILE", "missing", "a readable file"),
        ("SESAME_WECHAT_KEY_FILE", "platform", "a private key in PEM"),
        ("SESAME_WECHAT_PLATFORM_KEYS_FILE", "key.pem", "1 to 4 PEM blocks"),
    ],
)
@pytest.mark.usefixtures("values")
def test_what_is_of_no_use_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, str(tmp_path / value) if name.endswith("FILE") else value)
    with pytest.raises(InvalidInputError, match=f"^{name}: expected {expected}") as caught:
        wechat_provider(Settings(), clock=SystemClock())
    assert "0123456789" not in str(caught.value)
