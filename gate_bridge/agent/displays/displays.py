"""The displays that a site file may name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gate_bridge.agent.displays.board import DisplayBoard
from gate_bridge.agent.displays.display import Shown
from gate_bridge.agent.displays.http_display import http_display
from gate_bridge.agent.machines.device_http import DeviceAddress
from gate_bridge.drivers.device_options import DeviceOptions
from parking.kit.errors import InvalidInputError

DISPLAY_DRIVERS: Final = ("http",)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplaySettings:
    """What a site file says of a lane's display.

    Attributes:
        driver: One of `DISPLAY_DRIVERS`.
        idle: What stands there while there is nothing to say.
        options: The driver's own.
    """

    driver: str
    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    idle: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict[str, object])


def open_display(settings: DisplaySettings, where: str = "display") -> DisplayBoard:
    """Return a lane's display; nothing is connected yet.

    Args:
        settings: From the site file.
        where: What stands before a key in errors.

    Raises:
        InvalidInputError: naming the key.
    """
    if settings.driver not in DISPLAY_DRIVERS:
        raise InvalidInputError(f"{where}.driver", f"one of {', '.join(DISPLAY_DRIVERS)}")
    address = DeviceAddress(
        url=settings.url, username=settings.username, password=settings.password
    )
    address.check(f"{where}.url")
    options = f"{where}.options"
    display = http_display(address, DeviceOptions(settings.options, options), options)
    return DisplayBoard(display, Shown(settings.idle))
