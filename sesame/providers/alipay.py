"""Alipay, put together from the settings SESAME_ALIPAY_*."""

from typing import Final
from uuid import UUID

from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.payments.providers.alipay import AlipayProvider, AlipaySettings
from sesame.providers.variables import content, named, required
from sesame.settings import Settings

CALLBACK_PATH = "/callbacks/alipay"
PARKING_IDS: Final = "PLACE=PARKING pairs with commas, each place once"
_VARIABLES: Final = {
    "app_id": "SESAME_ALIPAY_APP_ID",
    "seller_id": "SESAME_ALIPAY_SELLER_ID",
    "app_key": "SESAME_ALIPAY_KEY_FILE",
    "alipay_public_keys": "SESAME_ALIPAY_PUBLIC_KEYS_FILE",
    "gateway_url": "SESAME_ALIPAY_GATEWAY_URL",
    "notify_url": "SESAME_PUBLIC_URL",
    "sign_channel": "SESAME_ALIPAY_SIGN_CHANNEL",
    "parking_ids": "SESAME_ALIPAY_PARKING_IDS",
}


def alipay_provider(settings: Settings, *, clock: Clock) -> AlipayProvider | None:
    """Return the adapter; None where it is not set up.

    Raises:
        InvalidInputError: a setting is missing or of no use; it names the variable.
    """
    texts = (settings.alipay_app_id, settings.alipay_seller_id)
    files = (settings.alipay_key_file, settings.alipay_public_keys_file)
    if not any((*texts, *files)):
        return None
    with named(_VARIABLES):
        return AlipayProvider(_adapter_settings(settings), clock)


def _adapter_settings(settings: Settings) -> AlipaySettings:
    return AlipaySettings(
        app_id=required(_VARIABLES["app_id"], settings.alipay_app_id),
        seller_id=required(_VARIABLES["seller_id"], settings.alipay_seller_id),
        app_key_pem=content(_VARIABLES["app_key"], settings.alipay_key_file),
        alipay_public_keys_pem=content(
            _VARIABLES["alipay_public_keys"], settings.alipay_public_keys_file
        ),
        notify_url=settings.public_url.rstrip("/") + CALLBACK_PATH,
        gateway_url=settings.alipay_gateway_url,
        bill_host=settings.alipay_bill_host,
        sign_scene=settings.alipay_sign_scene,
        sign_channel=settings.alipay_sign_channel or None,
        charge_minor_max=settings.alipay_charge_minor_max or None,
        day_minor_max=settings.alipay_day_minor_max or None,
        parking_ids=_parking_ids(settings.alipay_parking_ids or ""),
    )


def _parking_ids(text: str) -> dict[UUID, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    try:
        found = {UUID(place.strip()): parking.strip() for place, _, parking in pairs}
    except ValueError as error:
        raise InvalidInputError("parking_ids", PARKING_IDS) from error
    if len(found) != len(pairs) or not all(found.values()):
        raise InvalidInputError("parking_ids", PARKING_IDS)
    return found
