"""What the bridge asks of the domain, and nothing else."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from parking.flows.lane_types import (
    UNTRACKED,
    BarrierEvent,
    CommandState,
    Connection,
    Decision,
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
from parking.plates.reads import PlateRead


class LaneService(Protocol):
    """The lane's use cases. Each is one transaction, or none, and each may be repeated.

    A call raises a `ParkingError`; a retryable one means that the same call may succeed later.
    """

    async def authenticate(self, lane_id: UUID, token: str) -> Lane:
        """Return the lane whose device token this is.

        Raises:
            LaneUnknownError: there is no such lane.
            LaneTokenError: the token is not the lane's.
        """
        ...

    async def connect(self, lane: Lane, bridge: str) -> Connection:
        """Open a new epoch for the lane; the older ones are stale from here on."""
        ...

    async def present(
        self, lane: Lane, event: LaneEvent, presentation_id: UUID, state: PresentationState
    ) -> int:
        """Record that a car came or left; return the lane's last committed seq."""
        ...

    async def store_frame(self, lane: Lane, frame: FrameUpload) -> None:
        """Keep a picture durably."""
        ...

    async def record_observation(
        self,
        lane: Lane,
        event: LaneEvent,
        presentation_id: UUID,
        read: PlateRead,
        source: str,
        car: TrackedCar = UNTRACKED,
    ) -> int:
        """Record a camera's own read; return the lane's last committed seq."""
        ...

    async def record_barrier_event(self, lane: Lane, event: BarrierEvent) -> int:
        """Record physical feedback; return the lane's last committed seq."""
        ...

    async def record_offline_decision(self, lane: Lane, decision: OfflineDecision) -> int:
        """Record what a gate decided by itself; return the lane's last committed seq.

        A failure to draw the consequences at once is no failure of this call: they are drawn later.
        """
        ...

    async def refresh_policy(self, lane: Lane) -> int:
        """Bring the lane's policy up to date; return its version, or 0 where it has none.

        Raises:
            InvalidInputError: it cannot have one that says what is true.
        """
        ...

    async def refresh_policies(self, lanes: Sequence[Lane]) -> Mapping[UUID, int]:
        """Bring the policies of lanes of one place up to date, at most `POLICY_LANES_MAX`.

        Returns their versions, by lane; 0 where one has none that says what is true.

        Raises:
            InvalidInputError: too many lanes, or lanes of several places.
        """
        ...

    async def policy_part(self, lane: Lane, have_version: int, chunk: int) -> PolicyPart:
        """Return a part of the lane's newest policy; an empty one where the agent has it.

        Raises:
            InvalidInputError: it has no such part.
        """
        ...

    async def decide(
        self, lane: Lane, presentation_id: UUID, read: PlateRead, source: ReadSource
    ) -> Decision:
        """Decide on a presentation, once: a repeated call returns the same decision."""
        ...

    async def resume(self, lane: Lane, presentation_id: UUID) -> Decision | None:
        """Return what was decided already, or None."""
        ...

    async def report_unreadable(self, lane: Lane, presentation_id: UUID) -> None:
        """Leave a car without a decision for staff: no reader could tell its plate."""
        ...

    async def full_areas(self, areas: Collection[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
        """Return those of some areas, each with its operator, whose sign says full."""
        ...

    async def command_answered(
        self, lane: Lane, command_id: UUID, status: CommandState, reason: str | None
    ) -> None:
        """Record what the edge answered to a command."""
        ...

    async def pending_commands(self, lane: Lane, presentation_id: UUID) -> Sequence[OpenCommand]:
        """Return the commands that the edge has not answered, or must get anew.

        For a car that waits for its payment the domain looks again, which may charge and then open.
        """
        ...

    async def report_health(self, reports: Sequence[LaneReport]) -> None:
        """Keep how lanes are; a report of an older connection, or an older one, changes nothing."""
        ...

    async def ready(self) -> bool:
        """Return whether the database answers."""
        ...
