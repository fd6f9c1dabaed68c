"""How much everybody may ask for: each driver, each of the staff, each address."""

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil
from typing import Final
from uuid import UUID

from api.config import Rate, Rates
from api.graphql.refused import RequestRefusedError
from api.request import RequestContext
from parking.drivers.rules import address_group
from parking.events.buckets import Buckets
from parking.kit.clock import Clock

# A request takes its points from what the process took before: one call to Valkey for many. What
# is not spent in time is lost: in each process at most a sixth of what fills a driver's bucket.
LEASE_POINTS: Final = 2000
LEASE_S: Final = 60.0
LEASES_MAX: Final = 20_000


@dataclass(slots=True)
class Lease:
    """Points of one bucket that this process may spend.

    Attributes:
        filled_at_s: When it was filled last; while Valkey is away it is a bucket of its own.
    """

    points: float
    filled_at_s: float


class RateLimiter:
    """Takes points for what is asked for; shared by all processes through Valkey.

    While Valkey does not answer each process keeps buckets of its own: nobody is stopped by that.
    """

    def __init__(self, buckets: Buckets, clock: Clock, rates: Rates) -> None:
        self._buckets = buckets
        self._clock = clock
        self._rates = rates
        self._leases: OrderedDict[str, Lease] = OrderedDict()
        # Buckets that a lease is being taken from at this moment.
        self._leasing: set[str] = set()

    async def charge_driver(
        self, context: RequestContext, points: int, *, leases: bool = True
    ) -> None:
        """Take points from the driver whose token it is, or else from the address.

        Args:
            context: Of what is asked for.
            points: How many.
            leases: Whether more are taken, for what is asked for soon.

        Raises:
            RequestRefusedError: there are not as many; it says when there will be.
        """
        driver_id = context.claimed_driver()
        await self._charge_one(context, "driver", driver_id, points, leases=leases)

    async def charge_staff(
        self, context: RequestContext, points: int, *, leases: bool = True
    ) -> None:
        """Take points from the staff member; as `charge_driver`."""
        await self._charge_one(context, "staff", context.claimed_staff(), points, leases=leases)

    async def _charge_one(
        self, context: RequestContext, realm: str, person: UUID | None, points: int, *, leases: bool
    ) -> None:
        if person is not None:
            await self.charge(f"{realm}:{person}", points, self._rates.person, leases=leases)
        else:
            group = address_group(context.client_address)
            await self.charge(f"address:{group}", points, self._rates.address, leases=leases)

    async def charge(self, key: str, points: int, rate: Rate, *, leases: bool = True) -> None:
        """Take points from a bucket.

        Raises:
            RequestRefusedError: there are not as many; it says when there will be.
        """
        now_s = self._clock.now().timestamp()
        lease = self._leases.get(key)
        if lease is not None and self._held(key, now_s) >= points:
            lease.points -= points
            return
        await self._charge_shared(key, points, rate, now_s, leases=leases)

    async def _charge_shared(
        self, key: str, points: int, rate: Rate, now_s: float, *, leases: bool
    ) -> None:
        held = self._held(key, now_s)
        # Whoever asks meanwhile must not count on them too.
        self._add(key, -held)
        least = ceil(points - held)
        answer = await self._take(key, least, rate, now_s, leases=leases)
        if answer is None or answer[0] < least:
            self._add(key, held)
        if answer is None:
            self._charge_own(key, points, rate, now_s)
            return
        taken, wait_s = answer
        if taken < least:
            raise _too_many(wait_s)
        # Others may have added to the lease meanwhile.
        left = self._held(key, now_s) + held + taken - points
        if leases or left or key in self._leases:
            self._keep(key, Lease(left, now_s))

    async def _take(
        self, key: str, least: int, rate: Rate, now_s: float, *, leases: bool
    ) -> tuple[int, float] | None:
        # Of requests that come at once one takes a lease: together they would empty the bucket.
        is_leasing = leases and key not in self._leasing
        wanted = least
        if is_leasing:
            wanted = max(least, min(LEASE_POINTS, rate.points_max // 10))
            self._leasing.add(key)
        try:
            return await self._buckets.take(
                key,
                size=rate.points_max,
                per_s=rate.points_per_s,
                now_s=now_s,
                least=least,
                wanted=wanted,
            )
        finally:
            if is_leasing:
                self._leasing.discard(key)

    def _held(self, key: str, now_s: float) -> float:
        lease = self._leases.get(key)
        return lease.points if lease and now_s - lease.filled_at_s < LEASE_S else 0

    def _add(self, key: str, points: float) -> None:
        lease = self._leases.get(key)
        if lease is not None:
            lease.points += points

    def _charge_own(self, key: str, points: int, rate: Rate, now_s: float) -> None:
        lease = self._leases.get(key) or Lease(rate.points_max, now_s)
        filled = lease.points + max(0.0, now_s - lease.filled_at_s) * rate.points_per_s
        lease = Lease(min(rate.points_max, filled), now_s)
        self._keep(key, lease)
        if lease.points < points:
            raise _too_many((points - lease.points) / rate.points_per_s)
        lease.points -= points

    def _keep(self, key: str, lease: Lease) -> None:
        self._leases[key] = lease
        self._leases.move_to_end(key)
        if len(self._leases) > LEASES_MAX:
            self._leases.popitem(last=False)


def _too_many(wait_s: float) -> RequestRefusedError:
    retry_after_s = max(1, ceil(wait_s))
    message = f"too much was asked for; try again in {retry_after_s} s"
    return RequestRefusedError(429, "RATE_LIMITED", message, retry_after_s=retry_after_s)
