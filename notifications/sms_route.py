"""Numbers in China through one gateway, all others through another."""

from typing import Final

from parking.drivers.port import SmsMessage, SmsSender

_CHINA: Final = "+86"


class SmsByCountry:
    """Gives each message to the gateway of its number's country."""

    def __init__(self, china: SmsSender, elsewhere: SmsSender) -> None:
        self._china = china
        self._elsewhere = elsewhere

    async def send(self, message: SmsMessage) -> None:
        """Hand the message over; raises as its gateway does."""
        is_in_china = message.phone_number.startswith(_CHINA)
        await (self._china if is_in_china else self._elsewhere).send(message)
