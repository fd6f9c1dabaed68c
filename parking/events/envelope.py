"""The form of every event."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, told once it is committed.

    Attributes:
        id: UUIDv7; consumers dedupe by it. Derive it from its cause where the cause can repeat.
        type: Past tense, such as `SessionEntered`.
        owner_id: The operator or driver whose rows changed.
        subject_id: What it is about: a session, a mandate, a driver.
        occurred_at: Aware.
        payload: JSON values only; never a plate or a phone number in clear.
        version: The subject's version after the event, where the subject counts versions.
    """

    id: UUID
    type: str
    owner_id: UUID
    subject_id: UUID
    occurred_at: datetime
    payload: dict[str, Any] = field(default_factory=dict[str, Any])
    version: int | None = None
