"""An intake that keeps what comes, for whatever feeds it."""

from uuid import UUID, uuid4

from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.site.intake import Intake
from gate_bridge.drivers.port import DeviceMessage


class RecordingIntake(Intake):
    """Keeps messages in memory; `refusals` of them first find no room."""

    def __init__(self) -> None:
        self.kept: list[DeviceMessage] = []
        self.acted: list[UUID] = []
        self.refusals = 0

    async def keep(self, device_name: str, message: DeviceMessage) -> UUID:
        assert device_name == "entry-camera"
        if self.refusals:
            self.refusals -= 1
            raise JournalFullError("the disk is full")
        self.kept.append(message)
        return uuid4()

    async def act(self, stored_id: UUID) -> bool:
        self.acted.append(stored_id)
        return False

    def bodies(self) -> list[bytes]:
        return [message.body for message in self.kept]
