"""How much of what costs the bridge a lot each lane may still ask for."""

from uuid import UUID

from gate_bridge.wire.rate import TokenBucket


class LaneBudgets:
    """One bucket for each lane of this process.

    It belongs to the lane and not to its connection: connecting again fills no bucket.

    Args:
        rate_per_s: Tokens that come back to a lane each second.
        burst: Tokens that a lane has after a quiet time.
    """

    def __init__(self, rate_per_s: float, burst: int) -> None:
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._buckets: dict[UUID, TokenBucket] = {}

    def of(self, lane_id: UUID) -> TokenBucket:
        """Return the lane's bucket; ask each time, for it is replaced once it is full again."""
        bucket = self._buckets.get(lane_id)
        if bucket is None:
            # A full bucket is as good as a new one: what is kept are lanes that asked lately.
            self._buckets = {known: kept for known, kept in self._buckets.items() if not kept.full}
            bucket = self._buckets[lane_id] = TokenBucket(self._rate_per_s, self._burst)
        return bucket
