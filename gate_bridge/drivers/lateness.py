"""What the transport itself knows about a message being old."""

from collections.abc import Mapping
from typing import Final

from gate_bridge.drivers.port import DeviceMessage

LATE_HEADER: Final = "sesame-late"
LATE: Final[Mapping[str, str]] = {LATE_HEADER: "1"}


def is_late(message: DeviceMessage) -> bool:
    """Return whether the message waited somewhere before it came, however fresh it looks.

    A broker keeps messages while nobody fetches them. Such a read opens nothing, and such a
    device time says nothing of the device's clock.
    """
    return message.headers.get(LATE_HEADER) == LATE[LATE_HEADER]
