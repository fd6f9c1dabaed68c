"""One lane as the fleet's view shows it, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from parking.lanes.health import AgentCondition, DeviceSignal
from parking.places.models import Direction

# Four heartbeats, or as long as a bridge may take to tell of one and a little more.
NOT_SEEN_AFTER: Final = timedelta(seconds=60)
# An agent corrects its clock by the bridge's; when it restarts without network it cannot.
CLOCK_OFF_MS: Final = 10_000
QUEUE_WAITS_AFTER: Final = timedelta(seconds=60)
CERTIFICATE_EXPIRES_WITHIN: Final = timedelta(days=14)
# A lane sees no car for a night; a camera that is silent for longer is looked at.
DEVICE_SILENT_AFTER: Final = timedelta(hours=24)
# An agent that was just started has heard nobody yet.
DEVICE_UNHEARD_AFTER: Final = timedelta(hours=1)


class LaneState(StrEnum):
    """Whether the lane's agent is there."""

    NEVER = "never"
    DISCONNECTED = "disconnected"
    NOT_SEEN = "not_seen"
    CONNECTED = "connected"


class Problem(StrEnum):
    """Why somebody should look at a lane, the worst first."""

    NEVER_CONNECTED = "never_connected"
    DISCONNECTED = "disconnected"
    NOT_SEEN = "not_seen"
    CERTIFICATE_EXPIRED = "certificate_expired"
    COMMANDS_UNANSWERED = "commands_unanswered"
    CLOCK_UNKNOWN = "clock_unknown"
    CLOCK_OFF = "clock_off"
    QUEUE_WAITS = "queue_waits"
    DEVICE_SILENT = "device_silent"
    CERTIFICATE_EXPIRES = "certificate_expires"


_ORDER: Final = tuple(Problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """The newest connection of a lane's agent, as its bridge told of it."""

    session_epoch: int
    bridge: str
    agent_version: str
    connected_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None
    close_code: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStatus:
    """One lane at one moment.

    Attributes:
        contact: None for a lane that was never connected.
        certificate_expires_at: Of the last certificate to expire that is not revoked; None for a
            lane without one.
        commands_unanswered: Orders to open that its agent has not answered, of the last hour.
        taken_at: The moment.
    """

    operator_id: UUID
    operator: str
    place_id: UUID
    place: str
    lane_id: UUID
    lane: str
    direction: Direction
    contact: Contact | None
    condition: AgentCondition
    certificate_expires_at: datetime | None
    commands_unanswered: int
    taken_at: datetime

    @property
    def state(self) -> LaneState:
        """Return whether the agent is there; a killed bridge tells of no end."""
        if self.contact is None:
            return LaneState.NEVER
        if self.contact.ended_at is not None:
            return LaneState.DISCONNECTED
        silent = self.taken_at - self.contact.last_seen_at
        return LaneState.NOT_SEEN if silent > NOT_SEEN_AFTER else LaneState.CONNECTED

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return what is wrong, the worst first."""
        found = {*self._of_contact(), *self._of_certificate()}
        if self.commands_unanswered:
            found.add(Problem.COMMANDS_UNANSWERED)
        if self.state is LaneState.CONNECTED:
            # What an agent said of itself before it was lost says nothing of now.
            found |= {*self._of_clock(), *self._of_queue(), *self._of_devices()}
        return tuple(problem for problem in _ORDER if problem in found)

    @property
    def rank(self) -> tuple[int, str, str]:
        """Return where it stands in a list: the worst first, then by name."""
        worst = _ORDER.index(self.problems[0]) if self.problems else len(_ORDER)
        return worst, self.place, self.lane

    def _of_contact(self) -> Sequence[Problem]:
        match self.state:
            case LaneState.NEVER:
                return (Problem.NEVER_CONNECTED,)
            case LaneState.DISCONNECTED:
                return (Problem.DISCONNECTED,)
            case LaneState.NOT_SEEN:
                return (Problem.NOT_SEEN,)
            case LaneState.CONNECTED:
                return ()

    def _of_certificate(self) -> Sequence[Problem]:
        expires_at = self.certificate_expires_at
        if expires_at is None or expires_at - self.taken_at > CERTIFICATE_EXPIRES_WITHIN:
            return ()
        is_over = expires_at <= self.taken_at
        return (Problem.CERTIFICATE_EXPIRED if is_over else Problem.CERTIFICATE_EXPIRES,)

    def _of_clock(self) -> Sequence[Problem]:
        if self.condition.queue_depth is None:
            # An agent that says nothing of itself at all.
            return ()
        if self.condition.clock_offset_ms is None:
            return (Problem.CLOCK_UNKNOWN,)
        is_off = abs(self.condition.clock_offset_ms) > CLOCK_OFF_MS
        return (Problem.CLOCK_OFF,) if is_off else ()

    def _of_queue(self) -> Sequence[Problem]:
        oldest_at = self.condition.oldest_queued_at
        waits = oldest_at is not None and self.taken_at - oldest_at > QUEUE_WAITS_AFTER
        return (Problem.QUEUE_WAITS,) if waits else ()

    def _of_devices(self) -> Sequence[Problem]:
        silent = any(map(self._is_silent, self.condition.devices))
        return (Problem.DEVICE_SILENT,) if silent else ()

    def _is_silent(self, device: DeviceSignal) -> bool:
        if device.last_signal_at is not None:
            return self.taken_at - device.last_signal_at > DEVICE_SILENT_AFTER
        since = self.contact and self.contact.connected_at
        return since is not None and self.taken_at - since > DEVICE_UNHEARD_AFTER
