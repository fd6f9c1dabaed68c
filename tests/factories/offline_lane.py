"""A lane that decided by itself and tells of it later, event by event, as its journal would."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from parking.flows.lane_types import (
    BarrierEvent,
    Direction,
    Lane,
    LaneEvent,
    OfflineDecision,
    PresentationState,
)
from parking.kit.ids import id_time, new_id
from parking.plates.reads import PlateRead
from tests.factories.lane_world import LaneWorld

Event = tuple[str, LaneEvent, object]


@dataclass(frozen=True)
class Choice:
    """What the gate decided."""

    presentation_id: UUID
    observation_id: UUID | None
    is_open: bool
    uncertainty_ms: int | None

    def decision(self, event: LaneEvent) -> OfflineDecision:
        return OfflineDecision(
            event=event,
            presentation_id=self.presentation_id,
            command_id=None,
            is_open=self.is_open,
            reason="fallback",
            observation_id=self.observation_id,
            policy_version=1,
            risk_minor=0,
            occupied_at=id_time(self.presentation_id),
            clock_uncertainty_ms=self.uncertainty_ms,
        )


@dataclass
class OfflineLaneBox:
    """One lane's journal."""

    world: LaneWorld
    lane: Lane
    events: list[Event] = field(default_factory=list[Event])

    def _event(self, at: datetime) -> LaneEvent:
        seq = self.world.seq.get(self.lane.lane_id, 0) + 1
        self.world.seq[self.lane.lane_id] = seq
        return LaneEvent(new_id(at), seq, at)

    def add(self, kind: str, at: datetime, what: object) -> UUID:
        event = self._event(at)
        self.events.append((kind, event, what))
        return event.event_id

    def come(self, at: datetime) -> UUID:
        presentation_id = new_id(at)
        self.add("occupied", at, presentation_id)
        return presentation_id

    def decide(
        self,
        at: datetime,
        presentation_id: UUID,
        plate: str | None,
        *,
        is_open: bool = True,
        uncertainty_ms: int | None = 500,
    ) -> UUID:
        observation_id = None
        if plate is not None:
            observation_id = self.add("read", at, (presentation_id, plate))
        choice = Choice(presentation_id, observation_id, is_open, uncertainty_ms)
        return self.add("decision", at, choice)

    def visit(self, plate: str | None, at: datetime, *, is_brief: bool = False) -> UUID:
        """Let a car come, be let through, and pass 20 s later; in brief, without loop and arm."""
        presentation_id = self.come(at)
        self.decide(at + timedelta(seconds=2), presentation_id, plate)
        if not is_brief:
            self.add("opened", at + timedelta(seconds=4), presentation_id)
        if not is_brief or self.lane.direction == Direction.EXIT:
            self.add("passed", at + timedelta(seconds=20), presentation_id)
        if not is_brief:
            self.add("cleared", at + timedelta(seconds=20), presentation_id)
        return presentation_id

    async def send(self, count: int | None = None) -> None:
        """Tell the bridge of the next events, all of them by default."""
        for kind, event, what in self.events[:count]:
            await self._send(kind, event, what)
        del self.events[:count]

    async def _send(self, kind: str, event: LaneEvent, what: object) -> None:
        gate = self.world.gate
        match kind, what:
            case (("occupied" | "cleared"), UUID()):
                await gate.present(self.lane, event, what, PresentationState(kind))
            case "read", (UUID() as presentation_id, str(plate)):
                read = PlateRead(text=plate, confidence=0.97)
                await gate.record_observation(self.lane, event, presentation_id, read, "camera-1")
            case "decision", Choice():
                await gate.record_offline_decision(self.lane, what.decision(event))
            case _, UUID():
                await gate.record_barrier_event(self.lane, BarrierEvent(event, kind, what, None))
            case _:
                raise AssertionError(kind)
