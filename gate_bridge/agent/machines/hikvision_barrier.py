"""A Hikvision entrance's own barrier, opened through ISAPI.

The entrance must be set to be controlled from outside (`ctrlMod` 1): by its own rules the camera
would open by itself for every plate on its list.
"""

from gate_bridge.agent.errors import BarrierError
from gate_bridge.agent.machines.device_http import DeviceAddress, DeviceAnswer, DeviceCall
from gate_bridge.agent.machines.http_relay import HttpRelay
from gate_bridge.drivers.device_options import DeviceOptions

CHANNELS_MAX = 64
_XML = "application/xml"
_PROBE = DeviceCall(method="GET", path="/ISAPI/System/deviceInfo")
_REFUSED = (b"<statusCode>", b"<statusCode>1</statusCode>")


class HikvisionBarrier(HttpRelay):
    """One channel's barrier."""

    def __init__(
        self, address: DeviceAddress, channel: int = 1, *, can_lower: bool = False
    ) -> None:
        super().__init__(
            address,
            _PROBE,
            gate_call(channel, "open"),
            gate_call(channel, "close") if can_lower else None,
        )

    def _accepted(self, answer: DeviceAnswer) -> DeviceAnswer:
        marker, fine = _REFUSED
        body = bytes(answer.body).replace(b" ", b"")
        if marker in body and fine not in body:
            raise BarrierError("the camera refused the order: see its parking settings")
        return answer


def hikvision_barrier(address: DeviceAddress, options: DeviceOptions) -> HikvisionBarrier:
    """Return the barrier that a site file describes.

    Raises:
        InvalidInputError: naming the option.
    """
    options.only("channel", "can_lower")
    channel = options.integer("channel", 1, CHANNELS_MAX, 1)
    return HikvisionBarrier(address, channel, can_lower=options.flag("can_lower", default=False))


def gate_call(channel: int, mode: str) -> DeviceCall:
    """Return the order to `open` or `close`."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<BarrierGate><ctrlMode>{mode}</ctrlMode></BarrierGate>"
    )
    path = f"/ISAPI/Parking/channels/{channel}/barrierGate"
    return DeviceCall(method="PUT", path=path, body=body.encode(), content_type=_XML)
