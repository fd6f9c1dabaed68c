"""Pokes: the hint that something changed. Whoever gets one reads PostgreSQL again."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from parking.events.envelope import Event
from parking.events.types import PLACE_EVENTS, SESSION_EVENTS

RELAY_CHANNEL: Final = "sesame:{relay}"
GATES_CHANNEL: Final = "sesame:{gates}"
"""What every bridge listens to: certificates of gates were revoked."""
EVENT_CHANNELS_MAX: Final = 8
_CHANNEL: Final = re.compile(r"sesame:\{[0-9A-Za-z:._-]{1,80}\}")


def session_channel(session_id: UUID) -> str:
    """Return the channel of one session."""
    return f"sesame:{{session:{session_id}}}"


def lane_channel(lane_id: UUID) -> str:
    """Return the channel of one lane."""
    return f"sesame:{{lane:{lane_id}}}"


def place_channel(place_id: UUID | str) -> str:
    """Return the channel of how much room one place has."""
    return f"sesame:{{place:{place_id}}}"


def driver_channel(driver_id: UUID | str) -> str:
    """Return the channel of one driver."""
    return f"sesame:{{driver:{driver_id}}}"


@dataclass(frozen=True, slots=True)
class Poke:
    """Something happened to what the channel names. It may repeat, and it may be lost."""

    event_id: UUID
    type: str
    version: int | None = None

    def to_json(self) -> bytes:
        """Return the body that is published."""
        body = {"event_id": str(self.event_id), "type": self.type, "version": self.version}
        return json.dumps(body).encode()

    @classmethod
    def from_json(cls, body: bytes) -> "Poke":
        """Read a published body.

        Raises:
            ValueError: it is not a poke.
        """
        fields: Any = json.loads(body)
        if not isinstance(fields, dict):
            raise ValueError("poke: expected an object")  # noqa: TRY004 - one kind of refusal
        values = cast("dict[str, Any]", fields)
        version = values.get("version")
        if version is not None and type(version) is not int:
            raise ValueError("version: expected an int or null")
        return cls(UUID(str(values.get("event_id"))), str(values.get("type")), version)


@dataclass(frozen=True, slots=True)
class Resync:
    """Pokes may have been missed: read everything again."""


RESYNC: Final = Resync()


def poke_of(event: Event) -> Poke:
    """Return the poke that tells of `event`."""
    return Poke(event.id, event.type, event.version)


def channels_of(event: Event) -> tuple[str, ...]:
    """Return where an event is told: session, driver, place, and what its payload names."""
    named: list[str] = []
    if event.type in SESSION_EVENTS:
        named.append(session_channel(event.subject_id))
    driver_id = event.payload.get("driver_id")
    if driver_id:
        named.append(driver_channel(str(driver_id)))
    place_id = event.payload.get("place_id")
    if place_id and event.type in PLACE_EVENTS:
        named.append(place_channel(str(place_id)))
    more: object = event.payload.get("channels")
    if isinstance(more, list):
        named.extend(str(channel) for channel in cast("list[object]", more))
    return tuple(_well_formed(named))[:EVENT_CHANNELS_MAX]


def _well_formed(channels: Iterable[str]) -> dict[str, None]:
    # A dict keeps the order and drops repetitions.
    return {channel: None for channel in channels if _CHANNEL.fullmatch(channel)}
