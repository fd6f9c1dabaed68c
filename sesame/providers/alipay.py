"""Alipay, put together from the settings SESAME_ALIPAY_*."""

from pathlib import Path

from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.payments.providers.alipay import AlipayProvider, AlipaySettings
from sesame.settings import Settings

CALLBACK_PATH = "/callbacks/alipay"
_VARIABLES = {
    "app_id": "SESAME_ALIPAY_APP_ID",
    "seller_id": "SESAME_ALIPAY_SELLER_ID",
    "app_key": "SESAME_ALIPAY_KEY_FILE",
    "alipay_public_keys": "SESAME_ALIPAY_PUBLIC_KEYS_FILE",
    "gateway_url": "SESAME_ALIPAY_GATEWAY_URL",
    "notify_url": "SESAME_PUBLIC_URL",
    "sign_channel": "SESAME_ALIPAY_SIGN_CHANNEL",
}


def alipay_provider(settings: Settings, *, clock: Clock) -> AlipayProvider | None:
    """Return the adapter; None where it is not set up.

    Raises:
        InvalidInputError: a setting is missing or of no use; it names the variable.
    """
    known = settings.alipay()
    if known is None:
        return None
    app_key = _content(known.key_file, _VARIABLES["app_key"])
    public_keys = _content(known.public_keys_file, _VARIABLES["alipay_public_keys"])
    try:
        return AlipayProvider(
            AlipaySettings(
                app_id=known.app_id,
                seller_id=known.seller_id,
                app_key_pem=app_key,
                alipay_public_keys_pem=public_keys,
                notify_url=settings.public_url.rstrip("/") + CALLBACK_PATH,
                gateway_url=known.gateway_url,
                bill_host=known.bill_host,
                sign_scene=known.sign_scene,
                sign_channel=known.sign_channel,
                parking_id=known.parking_id,
            ),
            clock,
        )
    except InvalidInputError as error:
        raise InvalidInputError(_VARIABLES[error.field], error.expected) from error


def _content(path: Path, name: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(name, "a readable file with a key in PEM") from error
