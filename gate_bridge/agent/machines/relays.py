"""The relays that a site file may name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from gate_bridge.agent.machines.device_http import DeviceAddress
from gate_bridge.agent.machines.relay import Relay
from gate_bridge.drivers.device_options import DeviceOptions
from parking.kit.errors import InvalidInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """What a site file says of a relay.

    Attributes:
        driver: One of `RELAY_DRIVERS`.
        url: `http://host`, or `tcp://host:502` for Modbus.
        options: The driver's own.
    """

    driver: str
    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    options: Mapping[str, object] = field(default_factory=dict[str, object])


def open_relay(settings: RelaySettings, where: str = "barrier") -> Relay:
    """Return a relay; nothing is connected yet.

    Args:
        settings: From the site file.
        where: What stands before a field's name in errors.

    Raises:
        InvalidInputError: naming the field.
    """
    opener = _OPENERS.get(settings.driver)
    if opener is None:
        raise InvalidInputError(f"{where}.driver", f"one of {', '.join(RELAY_DRIVERS)}")
    return opener(settings, where)


def _shelly(settings: RelaySettings, where: str) -> Relay:
    from gate_bridge.agent.machines.shelly import shelly  # noqa: PLC0415

    return shelly(_address(settings, where), _options(settings, where))


def _hikvision(settings: RelaySettings, where: str) -> Relay:
    from gate_bridge.agent.machines.hikvision_barrier import hikvision_barrier  # noqa: PLC0415

    return hikvision_barrier(_address(settings, where), _options(settings, where))


def _dahua(settings: RelaySettings, where: str) -> Relay:
    from gate_bridge.agent.machines.dahua_barrier import dahua_barrier  # noqa: PLC0415

    return dahua_barrier(_address(settings, where), _options(settings, where))


def _modbus(settings: RelaySettings, where: str) -> Relay:
    # pymodbus takes a while to load, and only sites with such a board need it.
    from gate_bridge.agent.machines.modbus import modbus  # noqa: PLC0415

    return modbus(settings.url, _options(settings, where), f"{where}.url")


def _address(settings: RelaySettings, where: str) -> DeviceAddress:
    address = DeviceAddress(
        url=settings.url, username=settings.username, password=settings.password
    )
    address.check(f"{where}.url")
    return address


def _options(settings: RelaySettings, where: str) -> DeviceOptions:
    return DeviceOptions(settings.options, f"{where}.options")


_OPENERS: Final[Mapping[str, Callable[[RelaySettings, str], Relay]]] = MappingProxyType(
    {"shelly": _shelly, "modbus": _modbus, "hikvision": _hikvision, "dahua": _dahua}
)
RELAY_DRIVERS: Final = tuple(_OPENERS)
