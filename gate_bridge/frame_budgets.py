"""How many bytes of pictures each lane may still store."""

from uuid import UUID

from gate_bridge.wire.limits import WireLimits
from gate_bridge.wire.rate import TokenBucket


class FrameBudgets:
    """One bucket of bytes for each lane of this process.

    It belongs to the lane and not to its connection: connecting again fills no bucket.
    """

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._buckets: dict[UUID, TokenBucket] = {}

    def of(self, lane_id: UUID) -> TokenBucket:
        """Return the lane's bucket; ask each time, for it is replaced once it is full again."""
        bucket = self._buckets.get(lane_id)
        if bucket is None:
            # A full bucket is as good as a new one: what is kept are lanes that just sent pictures.
            self._buckets = {known: kept for known, kept in self._buckets.items() if not kept.full}
            bucket = self._buckets[lane_id] = TokenBucket(
                self._limits.frame_bytes_per_s, self._limits.frame_bytes_burst
            )
        return bucket
