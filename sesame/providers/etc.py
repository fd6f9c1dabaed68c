"""The ETC acquirer, put together from the settings SESAME_ETC_*."""

from pathlib import Path

from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.payments.providers.etc import EtcProvider
from parking.payments.signed_wire import SignedWireSettings
from sesame.settings import Settings

_VARIABLES = {
    "base_url": "SESAME_ETC_URL",
    "merchant": "SESAME_ETC_MERCHANT",
    "merchant_key": "SESAME_ETC_KEY_FILE",
    "platform_keys": "SESAME_ETC_PLATFORM_KEYS_FILE",
}


def etc_provider(settings: Settings, *, clock: Clock) -> EtcProvider | None:
    """Return the adapter; None where it is not set up.

    Raises:
        InvalidInputError: a setting is missing or of no use; it names the variable.
    """
    url, merchant = settings.etc_url, settings.etc_merchant
    key_file, platform_keys_file = settings.etc_key_file, settings.etc_platform_keys_file
    if not (url or merchant or key_file or platform_keys_file):
        return None
    if not (url and merchant and key_file and platform_keys_file):
        given = (url, merchant, key_file, platform_keys_file)
        missing = next(
            name for name, value in zip(_VARIABLES.values(), given, strict=True) if not value
        )
        raise InvalidInputError(missing, "a value in the environment: all of SESAME_ETC_*, or none")
    try:
        return EtcProvider(
            SignedWireSettings(
                base_url=url,
                merchant=merchant,
                merchant_key_pem=_content(key_file, "merchant_key"),
                platform_keys_pem=_content(platform_keys_file, "platform_keys"),
            ),
            clock,
        )
    except InvalidInputError as error:
        name = _VARIABLES.get(error.field, error.field)
        raise InvalidInputError(name, error.expected) from error


def _content(path: Path, field: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(field, "a readable file with keys in PEM") from error
