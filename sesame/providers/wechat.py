"""WeChat Pay, put together from the settings SESAME_WECHAT_*."""

from typing import Final

from parking.kit.clock import Clock
from parking.payments.providers.wechat import OfficialAccount, WechatProvider, WechatSettings
from sesame.providers.variables import content, named, required
from sesame.settings import Settings

CALLBACK_PATH = "/callbacks/wechat"
_VARIABLES: Final = {
    "base_url": "SESAME_WECHAT_URL",
    "notice_url": "SESAME_PUBLIC_URL",
    "api_key": "SESAME_WECHAT_API_KEY_FILE",
    "account_page_url": "SESAME_WECHAT_ACCOUNT_PAGE_URL",
    "account_api_url": "SESAME_WECHAT_ACCOUNT_API_URL",
    "key": "SESAME_WECHAT_KEY_FILE",
    "platform_keys": "SESAME_WECHAT_PLATFORM_KEYS_FILE",
}


def wechat_provider(settings: Settings, *, clock: Clock) -> WechatProvider | None:
    """Return the adapter; None where it is not set up.

    Raises:
        InvalidInputError: a setting is missing or of no use; it names the variable.
    """
    texts = (settings.wechat_merchant, settings.wechat_app, settings.wechat_key_serial)
    files = (
        settings.wechat_key_file,
        settings.wechat_api_key_file,
        settings.wechat_platform_keys_file,
    )
    account = (settings.wechat_account_app, settings.wechat_account_secret_file)
    if not any((*texts, *files, *account, settings.wechat_service_url)):
        return None
    with named(_VARIABLES):
        return WechatProvider(_adapter_settings(settings), clock)


def _adapter_settings(settings: Settings) -> WechatSettings:
    return WechatSettings(
        merchant=required("SESAME_WECHAT_MERCHANT", settings.wechat_merchant),
        app=required("SESAME_WECHAT_APP", settings.wechat_app),
        key_pem=content("SESAME_WECHAT_KEY_FILE", settings.wechat_key_file),
        key_serial=required("SESAME_WECHAT_KEY_SERIAL", settings.wechat_key_serial),
        api_key=content("SESAME_WECHAT_API_KEY_FILE", settings.wechat_api_key_file),
        platform_keys_pem=content(
            "SESAME_WECHAT_PLATFORM_KEYS_FILE", settings.wechat_platform_keys_file
        ),
        service_url=required("SESAME_WECHAT_SERVICE_URL", settings.wechat_service_url),
        notice_url=settings.public_url.rstrip("/") + CALLBACK_PATH,
        sub_merchant=settings.wechat_sub_merchant or None,
        sub_app=settings.wechat_sub_app or None,
        is_advance_funded=settings.wechat_advance_funded,
        account=_account(settings),
        has_phone_pages=settings.wechat_phone_pages,
        base_url=settings.wechat_url,
    )


def _account(settings: Settings) -> OfficialAccount | None:
    app, secret_file = settings.wechat_account_app, settings.wechat_account_secret_file
    if not app and not secret_file:
        return None
    return OfficialAccount(
        app=required("SESAME_WECHAT_ACCOUNT_APP", app),
        secret=content("SESAME_WECHAT_ACCOUNT_SECRET_FILE", secret_file),
        page_url=settings.wechat_account_page_url,
        api_url=settings.wechat_account_api_url,
    )
