"""A barrier at a Dahua camera's output, opened through its CGI."""

from gate_bridge.agent.errors import BarrierError
from gate_bridge.agent.machines.device_http import DeviceAddress, DeviceAnswer, DeviceCall
from gate_bridge.agent.machines.http_relay import HttpRelay
from gate_bridge.drivers.device_options import DeviceOptions

CHANNELS_MAX = 64
_PROBE = DeviceCall(method="GET", path="/cgi-bin/magicBox.cgi?action=getMachineName")


class DahuaBarrier(HttpRelay):
    """One channel's barrier. It closes by itself."""

    def __init__(self, address: DeviceAddress, channel: int = 1) -> None:
        path = (
            "/cgi-bin/trafficSnap.cgi?action=openStrobe"
            f"&channel={channel}&info.openType=Normal&info.plateNumber="
        )
        super().__init__(address, _PROBE, DeviceCall(method="GET", path=path))

    def _accepted(self, answer: DeviceAnswer) -> DeviceAnswer:
        if answer.body.strip().lower().startswith(b"error"):
            raise BarrierError("the camera refused the order: see its barrier settings")
        return answer


def dahua_barrier(address: DeviceAddress, options: DeviceOptions) -> DahuaBarrier:
    """Return the barrier that a site file describes.

    Raises:
        InvalidInputError: naming the option.
    """
    options.only("channel")
    return DahuaBarrier(address, options.integer("channel", 1, CHANNELS_MAX, 1))
