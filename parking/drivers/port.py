"""What the domain asks of an SMS gateway, and a twin that keeps what it was given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from parking.kit.errors import UnavailableError

KEPT_MESSAGES_MAX = 1000


class SmsNotSentError(UnavailableError):
    """The gateway did not take the message; asking for a new code may work."""

    code = "SMS_NOT_SENT"


class SmsUnansweredError(SmsNotSentError):
    """The gateway was given the message and did not say whether it took it.

    For gateways that cannot tell a repetition: each one may be sent, and paid for.
    """

    code = "SMS_UNANSWERED"


class SmsRefusedError(SmsNotSentError):
    """The gateway will never take this message: sending it again is of no use."""

    code = "SMS_REFUSED"
    retryable = False


@dataclass(frozen=True, slots=True)
class SmsMessage:
    """One text message.

    Attributes:
        id: The same in every repetition, so that a gateway can drop a second copy.
        phone_number: E.164, such as `+8613800138000`.
        template: The message's kind, for gateways that send only texts that they have approved.
        language: `en`, `zh` or `de`.
        values: What such a gateway fills into its own text.
        driver_id: Whose delivery it is; None for a code.
    """

    id: UUID
    phone_number: str
    text: str = field(repr=False)
    template: str = "code"
    language: str = "en"
    values: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    driver_id: UUID | None = None


class SmsSender(Protocol):
    """One gateway; safe to share between tasks. Never called while a transaction is open."""

    async def send(self, message: SmsMessage) -> None:
        """Hand the message over, within the adapter's own timeout.

        Raises:
            SmsNotSentError: not now; later it may be taken.
            SmsUnansweredError: it may have been taken, and would be taken again.
            SmsRefusedError: never.
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
