"""What every connection of one bridge process works with."""

from collections.abc import Callable
from dataclasses import dataclass

from gate_bridge.fleet import FleetHealth
from gate_bridge.identity_port import GateIdentity
from gate_bridge.lane import Spawn
from gate_bridge.lane_budgets import LaneBudgets
from gate_bridge.liveness import Liveness
from gate_bridge.metrics import BridgeMetrics
from gate_bridge.pokes import LanePokes
from gate_bridge.policy_rounds import PolicyRounds
from gate_bridge.presentation import LaneTools
from gate_bridge.readiness import DomainWatch
from gate_bridge.registry import LaneRegistry
from gate_bridge.turns import Turns
from gate_bridge.wire.limits import WireLimits
from parking.kit.clock import Clock


@dataclass(frozen=True, slots=True)
class ConnectionTools:
    """What every connection of one bridge process works with."""

    bridge: str
    clock: Clock
    limits: WireLimits
    registry: LaneRegistry
    pokes: LanePokes
    lane_tools: LaneTools
    frame_budgets: LaneBudgets
    fleet: FleetHealth
    metrics: BridgeMetrics
    spawn: Spawn
    greetings: Turns
    policy_budgets: LaneBudgets
    policy_rounds: PolicyRounds
    liveness: Liveness
    domain: DomainWatch
    look_at_signs: Callable[[], None]
    identity: GateIdentity | None = None
