"""The policy of one connected lane: told of now and then, and handed over in parts."""

import asyncio
import base64
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from gate_bridge.lane_budgets import LaneBudgets
from gate_bridge.options import ReadingLimits
from gate_bridge.port import LaneService
from gate_bridge.retry import call_once
from gate_bridge.turns import Turns
from gate_bridge.wire.errors import RateLimitedError
from gate_bridge.wire.limits import WireLimits
from gate_bridge.wire.offline import FetchPolicy, FetchPolicyResult, PolicyAvailable
from parking.flows.lane_types import Lane

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PAUSE_S = 0.1
# What making a policy anew counts for, in parts.
REFRESH_PARTS = 10

Tell = Callable[[PolicyAvailable], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class PolicyTools:
    """What the lanes of one bridge process share.

    Attributes:
        turns: For looking whether a policy is still true.
        budgets: How many parts each lane may still fetch.
    """

    turns: Turns
    budgets: LaneBudgets


class LanePolicies:
    """What the bridge does about the policy of one connection's lane."""

    def __init__(
        self,
        service: LaneService,
        lane: Lane,
        wire: WireLimits,
        limits: ReadingLimits,
        tools: PolicyTools,
    ) -> None:
        self._service = service
        self._lane = lane
        self._wire = wire
        self._limits = limits
        self._turns = tools.turns
        self._budgets = tools.budgets
        self._is_stale = False

    def decided(self) -> None:
        """Note that the lane told of a decision: the policy of before does not know it."""
        self._is_stale = True

    async def announce(self, tell: Tell) -> None:
        """Tell the agent which version there is, now and then, until cancelled.

        At random moments: after a restart every lane comes back at once, and a policy takes work.
        """
        longest_s = self._wire.policy_first_s
        while True:
            await asyncio.sleep(longest_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            longest_s = self._wire.policy_every_s
            try:
                async with self._turns.turn():
                    version = await call_once(
                        lambda: self._service.refresh_policy(self._lane),
                        self._limits.service_timeout_s,
                    )
                    # With the turn held: between two lanes' policies there are cars to let through.
                    await asyncio.sleep(_PAUSE_S)
                if version:
                    await tell(PolicyAvailable(version=version))
            except Exception as error:  # noqa: BLE001 - the next turn may succeed; the lane goes on
                _log.warning("policy_failed", error=repr(error), lane_id=str(self._lane.lane_id))

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
