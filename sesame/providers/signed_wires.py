"""The acquirer and the ETC acquirer, from the settings SESAME_ACQUIRER_* and SESAME_ETC_*."""

from pathlib import Path
from typing import Final, TypeVar

from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError
from parking.payments.providers.acquirer import AcquirerProvider
from parking.payments.providers.etc import EtcProvider
from parking.payments.signed_wire import SignedWireSettings
from sesame.settings import Settings

_ProviderT = TypeVar("_ProviderT", AcquirerProvider, EtcProvider)
# What an adapter calls a setting, and how its variable ends.
_VARIABLES: Final = {
    "base_url": "URL",
    "merchant": "MERCHANT",
    "merchant_key": "KEY_FILE",
    "platform_keys": "PLATFORM_KEYS_FILE",
}


def acquirer_provider(settings: Settings, *, clock: Clock) -> AcquirerProvider | None:
    """Return the adapter; None where it is not set up.

    Raises:
        InvalidInputError: a setting is missing or of no use; it names the variable.
    """
    return _provider(AcquirerProvider, "acquirer", settings, clock)


def etc_provider(settings: Settings, *, clock: Clock) -> EtcProvider | None:
    """Return the adapter; None where it is not set up; raises as `acquirer_provider`."""
    return _provider(EtcProvider, "etc", settings, clock)


def _provider(
    kind: type[_ProviderT], name: str, settings: Settings, clock: Clock
) -> _ProviderT | None:
    variables = {field: f"SESAME_{name}_{end}".upper() for field, end in _VARIABLES.items()}
    given = {field: getattr(settings, f"{name}_{end}".lower()) for field, end in _VARIABLES.items()}
    if not any(given.values()):
        return None
    missing = next((variables[field] for field, value in given.items() if not value), None)
    if missing is not None:
        expected = f"a value in the environment: all of SESAME_{name.upper()}_*, or none"
        raise InvalidInputError(missing, expected)
    try:
        return kind(_wire_settings(given), clock)
    except InvalidInputError as error:
        raise InvalidInputError(variables.get(error.field, error.field), error.expected) from error


def _wire_settings(given: dict[str, str | Path]) -> SignedWireSettings:
    return SignedWireSettings(
        base_url=str(given["base_url"]),
        merchant=str(given["merchant"]),
        merchant_key_pem=_content(Path(given["merchant_key"]), "merchant_key"),
        platform_keys_pem=_content(Path(given["platform_keys"]), "platform_keys"),
    )


def _content(path: Path, field: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(field, "a readable file with keys in PEM") from error
