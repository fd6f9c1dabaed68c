"""What the notifications ask of a push service, and a twin that keeps what it was given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from parking.drivers.models import TargetKind

KEPT_MESSAGES_MAX = 1000


class PushOutcome(StrEnum):
    """What became of one message.

    SENT: the service took it. GONE: the target exists no more. RETRY: it may succeed later.
    REFUSED: this message never will.
    """

    SENT = "sent"
    GONE = "gone"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PushMessage:
    """One message to one device.

    Attributes:
        delivery_id: The phone acknowledges by it.
        tag: A second copy with the same tag replaces the first on the phone.
        collapse_key: While the phone is away, only the newest message of a key is kept for it.
            FCM keeps four keys a device, so few messages have a key of their own.
        data: For the app; shown to nobody.
        keys: What a browser gave with its endpoint: `p256dh` and `auth`.
    """

    delivery_id: UUID
    target_kind: TargetKind
    target: str = field(repr=False)
    title: str
    body: str
    tag: str
    collapse_key: str
    data: Mapping[str, str]
    keys: Mapping[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PushResult:
    """The answer to one message.

    Attributes:
        reference: The service's name of the message, where it was taken.
        failure: Stable word, where it was not.
        retry_after_s: How long the service asked to be left alone, where it did.
    """

    outcome: PushOutcome
    reference: str | None = None
    failure: str | None = None
    retry_after_s: float | None = None


class PushSender(Protocol):
    """One push service; safe to share between tasks of one event loop.

    Never called while a transaction is open. Failures are results, never exceptions.
    """

    async def send(self, message: PushMessage) -> PushResult:
        """Hand one message over, once, within the adapter's own timeout."""
        ...


class RecordingPushSender:
    """Keeps messages, and answers what it was told to: for tests."""

    def __init__(self) -> None:
        self.messages: list[PushMessage] = []
        self.answers: list[PushResult] = []

    async def send(self, message: PushMessage) -> PushResult:
        """Keep the message; the answer is the next of `answers`, or that it was taken."""
        self.messages.append(message)
        del self.messages[:-KEPT_MESSAGES_MAX]
        if self.answers:
            return self.answers.pop(0)
        return PushResult(PushOutcome.SENT, reference=f"kept/{len(self.messages)}")
