"""The answer of drivers whose devices need no more than "received"."""

from gate_bridge.drivers.port import DeviceMessage, DeviceReply, DeviceSettings


class PlainReply:
    """Status 200 with an empty body, whatever came; the arm has its own way to open."""

    reply_opens = False

    def reply(
        self,
        message: DeviceMessage,  # noqa: ARG002 - the port's
        settings: DeviceSettings,  # noqa: ARG002 - the port's
        *,
        opens: bool,  # noqa: ARG002 - the port's
    ) -> DeviceReply:
        """Return the bare answer."""
        return DeviceReply()
