"""One lane that fetches its policy over and over keeps no other lane waiting."""

from uuid import UUID

import pytest

from gate_bridge.fake_lane_service import FakeLaneService
from gate_bridge.lane_budgets import LaneBudgets
from gate_bridge.options import ReadingLimits
from gate_bridge.policies import REFRESH_PARTS, LanePolicies
from gate_bridge.wire.errors import RateLimitedError
from gate_bridge.wire.limits import WireLimits
from gate_bridge.wire.offline import POLICY_CHUNKS_MAX, FetchPolicy
from parking.flows.lane_types import Direction, Lane, PolicyPart
from parking.kit.clock import SystemClock

FIRST = FetchPolicy(have_version=0, chunk=0)


def a_lane(number: int) -> Lane:
    key = UUID(int=number)
    return Lane(key, key, key, key, Direction.ENTRY, "Entry")


class CountingService(FakeLaneService):
    """Counts what costs something."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.parts = 0
        self.refreshed = 0

    async def policy_part(self, lane: Lane, have_version: int, chunk: int) -> PolicyPart:
        self.parts += 1
        return await super().policy_part(lane, have_version, chunk)

    async def refresh_policy(self, lane: Lane) -> int:
        self.refreshed += 1
        return await super().refresh_policy(lane)


def policies_of(service: CountingService, lane: Lane, budgets: LaneBudgets) -> LanePolicies:
    return LanePolicies(service, lane, ReadingLimits(), budgets)


async def test_parts_are_few_also_over_a_new_connection_and_other_lanes_have_their_own() -> None:
    service, budgets = CountingService(), LaneBudgets(0.001, 3)
    for _ in range(3):
        await policies_of(service, a_lane(1), budgets).part(FIRST)
    with pytest.raises(RateLimitedError) as caught:
        await policies_of(service, a_lane(1), budgets).part(FIRST)
    assert caught.value.details["field"] == "policy_parts_per_s"
    assert service.parts == 3
    await policies_of(service, a_lane(2), budgets).part(FIRST)
    assert service.parts == 4


async def test_making_one_anew_after_each_decision_is_bounded() -> None:
    service = CountingService()
    budgets = LaneBudgets(0.001, 2 * (1 + REFRESH_PARTS))
    policies = policies_of(service, a_lane(1), budgets)
    for _ in range(2):
        policies.decided()
        await policies.part(FIRST)
    policies.decided()
    # One of before the decision is not given either: it would allow the same again.
    with pytest.raises(RateLimitedError):
        await policies.part(FIRST)
    assert (service.refreshed, service.parts) == (2, 2)


def test_the_largest_policy_can_be_fetched_several_times_at_once() -> None:
    assert WireLimits().policy_parts_burst >= 5 * POLICY_CHUNKS_MAX + 5 * REFRESH_PARTS
