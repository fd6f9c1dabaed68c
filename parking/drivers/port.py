"""What the domain asks of an SMS gateway, and a twin that keeps what it was given."""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from parking.kit.errors import UnavailableError

KEPT_MESSAGES_MAX = 1000


class SmsNotSentError(UnavailableError):
    """The gateway did not take the message; asking for a new code may work."""

    code = "SMS_NOT_SENT"


@dataclass(frozen=True, slots=True)
class SmsMessage:
    """One text message.

    Attributes:
        id: The same in every repetition, so that a gateway can drop a second copy.
        phone_number: E.164, such as `+8613800138000`.
    """

    id: UUID
    phone_number: str
    text: str = field(repr=False)


class SmsSender(Protocol):
    """One gateway; safe to share between tasks. Never called while a transaction is open."""

    async def send(self, message: SmsMessage) -> None:
        """Hand the message over, within the adapter's own timeout.

        Raises:
            SmsNotSentError: refused, or no answer in time.
        """
        ...


class RecordingSmsSender:
    """Keeps the newest messages in memory instead of sending them: for tests and the demo."""

    def __init__(self) -> None:
        self.messages: list[SmsMessage] = []

    async def send(self, message: SmsMessage) -> None:
        """Keep the message; the oldest goes when KEPT_MESSAGES_MAX are kept."""
        self.messages.append(message)
        del self.messages[:-KEPT_MESSAGES_MAX]


class NullSmsSender:
    """Refuses every message: for an installation without a gateway."""

    async def send(self, message: SmsMessage) -> None:
        """Refuse.

        Raises:
            SmsNotSentError: always.
        """
        raise SmsNotSentError(f"message {message.id}: no SMS gateway is configured")
