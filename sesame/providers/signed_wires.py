"""The acquirer and the ETC acquirer, from the settings SESAME_ACQUIRER_* and SESAME_ETC_*."""

from typing import Final, TypeVar

from parking.kit.clock import Clock
from parking.payments.providers.acquirer import AcquirerProvider
from parking.payments.providers.etc import EtcProvider
from parking.payments.signed_wire import SignedWireSettings
from sesame.providers.variables import content, named, required
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
    with named(variables):
        adapter_settings = SignedWireSettings(
            base_url=required(variables["base_url"], given["base_url"]),
            merchant=required(variables["merchant"], given["merchant"]),
            merchant_key_pem=content(variables["merchant_key"], given["merchant_key"]),
            platform_keys_pem=content(variables["platform_keys"], given["platform_keys"]),
        )
        return kind(adapter_settings, clock)
