"""What an agent says of itself with each heartbeat."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from gate_bridge.agent.barrier import BarrierPort
from gate_bridge.agent.journal import Journal
from gate_bridge.agent.server_time import ServerTime
from gate_bridge.wire.actions import AgentHealth, BarrierPosition, DeviceHealth
from gate_bridge.wire.limits import CLOCK_OFFSET_MS_MAX, DEVICES_MAX, QUEUE_DEPTH_MAX
from parking.kit.clock import Clock
from parking.kit.ids import id_time

_MILLISECOND = timedelta(milliseconds=1)


def _no_devices() -> Sequence[DeviceHealth]:
    return ()


def _no_policy() -> str | None:
    return None


class SelfReport:
    """Looks at the parts of one agent.

    Attributes:
        devices: What the host of the lane knows of its cameras and relays; the host sets it.
        policy_version: Of the offline policy that the agent holds; its keeper sets it.
    """

    def __init__(
        self, journal: Journal, barrier: BarrierPort, server_time: ServerTime, clock: Clock
    ) -> None:
        self._journal = journal
        self._barrier = barrier
        self._server_time = server_time
        self._clock = clock
        self.devices: Callable[[], Sequence[DeviceHealth]] = _no_devices
        self.policy_version: Callable[[], str | None] = _no_policy

    async def look(self) -> AgentHealth:
        """Return how the agent is at this moment."""
        depth, oldest = await self._journal.backlog()
        offset_ms, uncertainty_ms = self._clock_error_ms()
        return AgentHealth(
            queue_depth=min(depth, QUEUE_DEPTH_MAX),
            oldest_queued_at=None if oldest is None else id_time(oldest),
            clock_offset_ms=offset_ms,
            clock_uncertainty_ms=uncertainty_ms,
            barrier=BarrierPosition(self._barrier.position().value),
            policy_version=self.policy_version(),
            devices=list(self.devices())[:DEVICES_MAX],
        )

    def _clock_error_ms(self) -> tuple[int | None, int | None]:
        """Return how far this machine's clock is ahead of the bridge's, and how sure that is."""
        earliest, latest = self._server_time.earliest(), self._server_time.latest()
        if earliest is None or latest is None:
            return None, None
        middle: datetime = earliest + (latest - earliest) / 2
        offset_ms = _milliseconds(self._clock.now() - middle)
        return offset_ms, -(-(latest - earliest) // (2 * _MILLISECOND))


def _milliseconds(difference: timedelta) -> int:
    whole = round(difference / _MILLISECOND)
    return max(-CLOCK_OFFSET_MS_MAX, min(CLOCK_OFFSET_MS_MAX, whole))
