"""A domain in memory that keeps the promises of `LaneService`; for tests of the bridge."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from parking.flows.lane_types import (
    POLICY_LANES_MAX,
    UNTRACKED,
    Action,
    BarrierEvent,
    CommandState,
    Connection,
    Decision,
    DisplayText,
    FrameUpload,
    Lane,
    LaneEvent,
    LaneReport,
    OfflineDecision,
    OpenCommand,
    PolicyPart,
    PresentationState,
    ReadSource,
    TrackedCar,
)
from parking.kit.clock import Clock
from parking.kit.errors import InvalidInputError, UnavailableError
from parking.kit.ids import derive_id
from parking.lanes.errors import EventOutOfOrderError, PresentationUnknownError
from parking.lanes.service import COMMANDS_PER_PRESENTATION_MAX
from parking.places.errors import LaneUnknownError
from parking.plates.reads import PlateRead

Decide = Callable[[UUID, PlateRead], tuple[Action, DisplayText]]


def always_open(_presentation_id: UUID, _read: PlateRead) -> tuple[Action, DisplayText]:
    """Let every car through."""
    return Action.OPEN, DisplayText(("Have a good trip",))


@dataclass
class FakeLaneService:
    """Lanes, events and decisions in memory.

    Attributes:
        failures_left: Calls that fail for a passing reason before the next one succeeds.
        commands: By id, as last issued.
        sources: Who read the plate that was decided on last, by presentation.
        answers: What the edge answered, by command id.
        health: The newest report, by lane.
        unreadable: Cars that were left to staff.
        full: Areas that are full, each with its operator.
    """

    clock: Clock
    ttl_ms: int = 5000
    decide_rule: Decide = always_open
    failures_left: int = 0
    lanes: dict[UUID, tuple[Lane, str]] = field(default_factory=dict[UUID, tuple[Lane, str]])
    epochs: dict[UUID, int] = field(default_factory=dict[UUID, int])
    last_seqs: dict[UUID, int] = field(default_factory=dict[UUID, int])
    events: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])
    presentations: dict[UUID, PresentationState] = field(
        default_factory=dict[UUID, PresentationState]
    )
    frames: dict[UUID, FrameUpload] = field(default_factory=dict[UUID, FrameUpload])
    decisions: dict[UUID, Decision] = field(default_factory=dict[UUID, Decision])
    decide_calls: list[tuple[UUID, str]] = field(default_factory=list[tuple[UUID, str]])
    sources: dict[UUID, ReadSource] = field(default_factory=dict[UUID, ReadSource])
    commands: dict[UUID, OpenCommand] = field(default_factory=dict[UUID, OpenCommand])
    answers: dict[UUID, tuple[CommandState, str | None]] = field(
        default_factory=dict[UUID, tuple[CommandState, str | None]]
    )
    unreadable: set[UUID] = field(default_factory=set[UUID])
    full: set[tuple[UUID, UUID]] = field(default_factory=set[tuple[UUID, UUID]])
    health: dict[UUID, LaneReport] = field(default_factory=dict[UUID, LaneReport])

    offline_decisions: list[OfflineDecision] = field(default_factory=list[OfflineDecision])
    policies: dict[UUID, PolicyPart] = field(default_factory=dict[UUID, PolicyPart])

    def add_lane(self, lane: Lane, token: str) -> None:
        """Make a lane known."""
        self.lanes[lane.lane_id] = (lane, token)

    async def authenticate(self, lane_id: UUID, token: str) -> Lane:
        """Return the lane whose device token this is."""
        self._maybe_fail()
        known = self.lanes.get(lane_id)
        if known is None or known[1] != token:
            raise LaneUnknownError("no such lane, or not with this token")
        return known[0]

    async def connect(self, lane: Lane, bridge: str) -> Connection:
        """Open a new epoch for the lane."""
        del bridge
        self._maybe_fail()
        epoch = self.epochs.get(lane.lane_id, 0) + 1
        self.epochs[lane.lane_id] = epoch
        return Connection(epoch, self.last_seqs.get(lane.lane_id, 0))

    async def present(
        self, lane: Lane, event: LaneEvent, presentation_id: UUID, state: PresentationState
    ) -> int:
        """Record that a car came or left."""
        if self._commit(lane, event, "Presentation", state.value):
            self.presentations[presentation_id] = state
        return self.last_seqs[lane.lane_id]

    async def store_frame(self, lane: Lane, frame: FrameUpload) -> None:
        """Keep a picture."""
        del lane
        self._maybe_fail()
        self.frames[frame.frame_id] = frame

    async def record_observation(
        self,
        lane: Lane,
        event: LaneEvent,
        presentation_id: UUID,
        read: PlateRead,
        source: str,
        car: TrackedCar = UNTRACKED,
    ) -> int:
        """Record a camera's own read."""
        del presentation_id, source, car
        self._commit(lane, event, "Observation", read.text)
        return self.last_seqs[lane.lane_id]

    async def record_barrier_event(self, lane: Lane, event: BarrierEvent) -> int:
        """Record physical feedback."""
        self._commit(lane, event.event, "BarrierEvent", event.kind)
        return self.last_seqs[lane.lane_id]

    async def record_offline_decision(self, lane: Lane, decision: OfflineDecision) -> int:
        """Record what a gate decided by itself."""
        if self._commit(lane, decision.event, "OfflineDecision", decision.reason):
            self.offline_decisions.append(decision)
        return self.last_seqs[lane.lane_id]

    async def refresh_policy(self, lane: Lane) -> int:
        """Return the version of the policy that a test gave the lane."""
        self._maybe_fail()
        policy = self.policies.get(lane.lane_id)
        return 0 if policy is None else policy.version

    async def refresh_policies(self, lanes: Sequence[Lane]) -> Mapping[UUID, int]:
        """Return the versions of the policies that a test gave some lanes."""
        self._maybe_fail()
        if len(lanes) > POLICY_LANES_MAX or len({lane.place_id for lane in lanes}) > 1:
            raise InvalidInputError("lanes", f"at most {POLICY_LANES_MAX}, of one place")
        known = {lane.lane_id: self.policies.get(lane.lane_id) for lane in lanes}
        return {lane_id: 0 if one is None else one.version for lane_id, one in known.items()}

    async def policy_part(self, lane: Lane, have_version: int, chunk: int) -> PolicyPart:
        """Return the policy that a test gave the lane, in one part."""
        self._maybe_fail()
        policy = self.policies.get(lane.lane_id, PolicyPart(version=0))
        if policy.version in {0, have_version}:
            return PolicyPart(version=policy.version)
        if chunk >= policy.chunks:
            raise InvalidInputError("chunk", f"less than {policy.chunks}")
        return policy

    async def decide(
        self, lane: Lane, presentation_id: UUID, read: PlateRead, source: ReadSource
    ) -> Decision:
        """Decide once."""
        del lane
        self._maybe_fail()
        self.sources[presentation_id] = source
        self.decide_calls.append((presentation_id, read.text))
        if presentation_id not in self.presentations:
            raise PresentationUnknownError("presentation_id")
        if presentation_id not in self.decisions:
            action, display = self.decide_rule(presentation_id, read)
            command = self._issue(presentation_id) if action is Action.OPEN else None
            self.decisions[presentation_id] = Decision(
                action, "fake", command, display, {"match": 1.0, "commit": 2.0}
            )
        return self.decisions[presentation_id]

    async def resume(self, lane: Lane, presentation_id: UUID) -> Decision | None:
        """Return what was decided; an unanswered command gets a new time."""
        del lane
        self._maybe_fail()
        decision = self.decisions.get(presentation_id)
        if decision is None or decision.command is None:
            return decision
        renewed = self._issue(presentation_id)
        return replace(decision, command=renewed)

    async def report_unreadable(self, lane: Lane, presentation_id: UUID) -> None:
        """Note that staff must look."""
        del lane
        self._maybe_fail()
        if presentation_id in self.presentations and presentation_id not in self.decisions:
            self.unreadable.add(presentation_id)

    async def full_areas(self, areas: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
        """Return those of some areas that were made full."""
        self._maybe_fail()
        return self.full & set(areas)

    async def command_answered(
        self, lane: Lane, command_id: UUID, status: CommandState, reason: str | None
    ) -> None:
        """Record what the edge answered."""
        del lane
        self._maybe_fail()
        self.answers[command_id] = (status, reason)

    async def pending_commands(self, lane: Lane, presentation_id: UUID) -> Sequence[OpenCommand]:
        """Return the commands that have no answer, or a fresh one for a rejected one."""
        del lane
        self._maybe_fail()
        stands = self.presentations.get(presentation_id) is PresentationState.OCCUPIED
        if stands and 0 < self._rejected(presentation_id) < COMMANDS_PER_PRESENTATION_MAX:
            self._issue(presentation_id)
        return [
            command
            for command in self.commands.values()
            if command.presentation_id == presentation_id and command.command_id not in self.answers
        ]

    async def report_health(self, reports: Sequence[LaneReport]) -> None:
        """Keep the newest report of each lane."""
        self._maybe_fail()
        for report in reports:
            known = self.health.get(report.lane_id)
            if known is None or _order(known) <= _order(report):
                self.health[report.lane_id] = report

    async def ready(self) -> bool:
        """Return whether calls succeed."""
        return self.failures_left == 0

    def pay(self, presentation_id: UUID) -> OpenCommand:
        """Let a payment arrive late: the order to open is issued now."""
        return self._issue(presentation_id)

    def _issue(self, presentation_id: UUID) -> OpenCommand:
        command_id = derive_id(presentation_id, f"open:{self._rejected(presentation_id) + 1}")
        command = OpenCommand(command_id, presentation_id, self.clock.now(), self.ttl_ms)
        self.commands[command.command_id] = command
        return command

    def _rejected(self, presentation_id: UUID) -> int:
        return sum(
            command.presentation_id == presentation_id
            and self.answers.get(command.command_id, (None, None))[0] is CommandState.REJECTED
            for command in self.commands.values()
        )

    def _commit(self, lane: Lane, event: LaneEvent, action: str, what: str) -> bool:
        self._maybe_fail()
        last_seq = self.last_seqs.setdefault(lane.lane_id, 0)
        if event.seq <= last_seq:
            return False
        if event.seq > last_seq + 1:
            raise EventOutOfOrderError(last_seq)
        self.last_seqs[lane.lane_id] = event.seq
        self.events.append((event.seq, action, what))
        return True

    def _maybe_fail(self) -> None:
        if self.failures_left > 0:
            self.failures_left -= 1
            raise UnavailableError("the database is away")


def _order(report: LaneReport) -> tuple[int, datetime]:
    return report.session_epoch, report.last_seen_at
