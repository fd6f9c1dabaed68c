"""The drivers that a site file may name."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

from gate_bridge.agent.site.settings import SiteDevice
from gate_bridge.drivers.device_options import ChecksOptions
from gate_bridge.drivers.port import PushDriver
from parking.kit.errors import InvalidInputError

FRAMES: Final = "frames"
"""In place of a driver: a camera that only shows pictures."""

_DRIVERS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "axis": ("axis", "AxisDriver"),
        "dahua": ("dahua", "DahuaDriver"),
        "generic": ("generic", "GenericDriver"),
        "hikvision": ("hikvision", "HikvisionDriver"),
        "milesight": ("milesight", "MilesightDriver"),
        "onvif": ("onvif", "OnvifDriver"),
        "platerecognizer": ("platerecognizer", "PlateRecognizerDriver"),
        "rekor": ("rekor", "RekorDriver"),
        "vzenith": ("vzenith", "VzenithDriver"),
        "vzenith-mqtt": ("vzenith_mqtt", "VzenithMqttDriver"),
    }
)
DRIVER_NAMES: Final = (*_DRIVERS, FRAMES)


def device_driver(device: SiteDevice) -> PushDriver | None:
    """Return what reads a device's messages; None where it sends none.

    Only the drivers that a site needs are loaded.

    Raises:
        InvalidInputError: there is no such driver, or one of its options makes no sense.
    """
    if device.driver == FRAMES:
        return None
    known = _DRIVERS.get(device.driver)
    if known is None:
        raise InvalidInputError(f"{device.name}.driver", f"one of {', '.join(DRIVER_NAMES)}")
    module, name = known
    driver = cast("PushDriver", getattr(import_module(f"gate_bridge.drivers.{module}"), name)())
    if isinstance(driver, ChecksOptions):
        try:
            driver.check(device.settings)
        except InvalidInputError as error:
            raise InvalidInputError(f"{device.name}.{error.field}", error.expected) from error
    return driver
