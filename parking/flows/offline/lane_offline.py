"""The part of a lane's use cases that is about the time without network."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.lane_types import Lane, OfflineDecision, PolicyPart
from parking.flows.offline import policy, reconcile


class OfflineLane:
    """Policies for lanes, and what lanes decided by them; each call may be repeated."""

    def __init__(self, context: ParkingContext) -> None:
        self._context = context

    async def record_offline_decision(self, lane: Lane, decision: OfflineDecision) -> int:
        """Record what a gate decided by itself; return the lane's last committed seq."""
        return await reconcile.record(self._context, lane, decision)

    async def refresh_policies(self, lanes: Sequence[Lane]) -> Mapping[UUID, int]:
        """Bring the policies of lanes of one place up to date; return their versions, or 0."""
        return await policy.refresh(self._context, lanes)

    async def refresh_policy(self, lane: Lane) -> int:
        """Bring the lane's policy up to date; return its version, or 0 where it has none."""
        return (await self.refresh_policies([lane]))[lane.lane_id]

    async def policy_part(self, lane: Lane, have_version: int, chunk: int) -> PolicyPart:
        """Return a part of the lane's newest policy; an empty one where the agent has it.

        Raises:
            InvalidInputError: it has no such part.
        """
        return await policy.part(self._context, lane, have_version, chunk)
