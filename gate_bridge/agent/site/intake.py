"""Takes in what devices send: stored first, answered then, acted on last."""

from uuid import UUID

from gate_bridge.drivers.port import DeviceMessage


class Intake:
    """What the listener and the brokers hand their messages to."""

    async def keep(self, device_name: str, message: DeviceMessage) -> UUID:
        """Store a message durably; return the id that `act` takes.

        Raises:
            JournalFullError: there is no room: the device is to send it again later.
            DeviceUnknownError: the site has no such device.
        """
        raise NotImplementedError

    async def act(self, stored_id: UUID) -> bool:
        """Do what the message calls for; return whether the arm is to rise by the reply.

        True only for devices whose reply opens. Never raises for what the message says: what
        cannot be read is kept with its reason, counted, and answered like any other.
        """
        raise NotImplementedError
