"""What raises the arm of a lane: a relay, its camera's own output, or our reply to the camera."""

from collections.abc import Mapping
from typing import Final

from gate_bridge.agent.errors import BarrierError
from gate_bridge.agent.machines.relay import InputListener, Permit, Relay
from gate_bridge.agent.machines.relays import RELAY_DRIVERS, RelaySettings, open_relay
from gate_bridge.agent.machines.vzenith_mqtt import (
    DIRECT,
    GPIO,
    Commander,
    VzenithMqttOptions,
    VzenithMqttRelay,
)
from gate_bridge.agent.site.reply_relay import ReplyRelay
from gate_bridge.agent.site.settings import BarrierSettings, SiteDevice
from gate_bridge.drivers.device_options import DeviceOptions
from gate_bridge.drivers.vzenith_mqtt import VzenithCommands, check_serial
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError

REPLY: Final = "reply"
VZENITH_MQTT: Final = "vzenith-mqtt"
NONE: Final = "none"
BARRIER_DRIVERS: Final = (*RELAY_DRIVERS, REPLY, VZENITH_MQTT, NONE)
OUTPUT_MAX: Final = 3
PULSE_MS_MAX: Final = 60_000


class NoRelay:
    """A lane that is only watched: no order is ever carried out."""

    can_lower = False
    has_inputs = False

    async def pulse(self, permit: Permit) -> None:
        """Refuse.

        Raises:
            BarrierError: always.
        """
        raise BarrierError(f"this lane has no relay for {permit.command_id}")

    async def lower(self) -> None:
        """Do nothing."""

    async def watch(self, tell: InputListener) -> None:
        """Return: there are no inputs."""
        del tell

    async def close(self) -> None:
        """Let go of nothing."""


def lane_relay(
    barrier: BarrierSettings,
    device: SiteDevice | None,
    brokers: Mapping[str, Commander],
    clock: Clock,
    where: str,
) -> Relay:
    """Return what raises the arm; nothing is connected yet.

    Args:
        barrier: What the site file says.
        device: The camera that is the barrier, too; None for a relay of its own.
        brokers: By name.
        clock: For commands that carry a time.
        where: What stands before a key in errors.

    Raises:
        InvalidInputError: naming the key.
    """
    match barrier.driver:
        case "reply":
            _only(barrier, where)
            return ReplyRelay()
        case "none":
            _only(barrier, where)
            return NoRelay()
        case "vzenith-mqtt":
            return _vzenith_mqtt(barrier, device, brokers, clock, where)
        case name if name in RELAY_DRIVERS:
            return open_relay(_relay_settings(barrier, device), where)
        case _:
            raise InvalidInputError(f"{where}.driver", f"one of {', '.join(BARRIER_DRIVERS)}")


def _relay_settings(barrier: BarrierSettings, device: SiteDevice | None) -> RelaySettings:
    """Return the relay's address; of the camera where the camera is the barrier."""
    settings = None if device is None else device.settings
    return RelaySettings(
        driver=barrier.driver,
        url=barrier.url or ("" if device is None else device.url),
        username=barrier.username or ("" if settings is None else settings.username),
        password=barrier.password or ("" if settings is None else settings.password),
        options=barrier.options,
    )


def _vzenith_mqtt(
    barrier: BarrierSettings,
    device: SiteDevice | None,
    brokers: Mapping[str, Commander],
    clock: Clock,
    where: str,
) -> Relay:
    commander = None if device is None or device.broker is None else brokers.get(device.broker)
    if commander is None:
        raise InvalidInputError(f"{where}.device", "the camera, with the broker that it listens to")
    options = DeviceOptions(barrier.options, f"{where}.options")
    options.only("serial", "serial_first", "output", "pulse_ms", "command")
    serial = check_serial(options.text("serial"), f"{where}.options.serial")
    is_serial_first = options.flag("serial_first", default=False)
    commands = VzenithCommands(serial=serial, is_serial_first=is_serial_first)
    return VzenithMqttRelay(
        commander,
        VzenithMqttOptions(
            commands=commands,
            output=options.integer("output", 0, OUTPUT_MAX, 0),
            pulse_ms=options.integer("pulse_ms", 1, PULSE_MS_MAX, 500),
            command=options.choice("command", (GPIO, DIRECT), GPIO),
        ),
        clock,
    )


def _only(barrier: BarrierSettings, where: str) -> None:
    DeviceOptions(barrier.options, f"{where}.options").only()
