"""The policy of one connected lane, handed over in parts."""

import base64

from gate_bridge.lane_budgets import LaneBudgets
from gate_bridge.options import ReadingLimits
from gate_bridge.port import LaneService
from gate_bridge.retry import call_once
from gate_bridge.wire.errors import RateLimitedError
from gate_bridge.wire.offline import FetchPolicy, FetchPolicyResult
from parking.flows.lane_types import Lane

# What making a policy anew counts for, in parts.
REFRESH_PARTS = 10


class LanePolicies:
    """What the bridge does about the policy of one connection's lane.

    Args:
        service: Knows the policies.
        lane: The connection's.
        limits: How long the domain may take.
        budgets: How many parts each lane may still fetch.
    """

    def __init__(
        self, service: LaneService, lane: Lane, limits: ReadingLimits, budgets: LaneBudgets
    ) -> None:
        self._service = service
        self._lane = lane
        self._limits = limits
        self._budgets = budgets
        self._is_stale = False

    def decided(self) -> None:
        """Note that the lane told of a decision: the policy of before does not know it."""
        self._is_stale = True

    async def part(self, wanted: FetchPolicy) -> FetchPolicyResult:
        """Return the part that the agent asks for.

        Raises:
            RateLimitedError: the lane fetched too many.
            ParkingError: the domain does not answer, or there is no such part.
        """
        is_refreshed = self._is_stale and not wanted.chunk
        budget = self._budgets.of(self._lane.lane_id)
        # All of a policy is opened for each part: one lane must not keep the others waiting.
        if not budget.take(1 + REFRESH_PARTS if is_refreshed else 1):
            raise RateLimitedError("policy_parts_per_s", budget.rate_per_s)
        if is_refreshed:
            await call_once(
                lambda: self._service.refresh_policy(self._lane), self._limits.service_timeout_s
            )
            self._is_stale = False
        part = await call_once(
            lambda: self._service.policy_part(self._lane, wanted.have_version, wanted.chunk),
            self._limits.service_timeout_s,
        )
        return FetchPolicyResult(
            version=part.version,
            chunk=part.chunk,
            chunks=part.chunks,
            public_key=_text(part.public_key),
            signature=_text(part.signature),
            data=_text(part.data),
        )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
