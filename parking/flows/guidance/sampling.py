"""Counting once an hour how full each pool is, for what will be expected of that hour."""

from datetime import datetime

from parking.flows.context import ParkingContext
from parking.guidance import patterns
from parking.guidance.forecast import learn_hour, learn_persistence
from parking.guidance.patterns import POOLS_PER_PAGE, DuePool, Sampled


async def sample_due(context: ParkingContext) -> int:
    """Sample every public pool whose hour was not sampled yet; returns how many there were.

    A pool is due in the middle half of each hour, as the clock at its place says. What no worker
    was there for is left out: nothing is made up.
    """
    async with context.database.begin() as unit:
        await patterns.add_missing(unit)
    sampled = 0
    while True:
        async with context.database.begin() as unit:
            due = await patterns.take_due(unit)
            if due:
                await patterns.keep(unit, [_learnt(pool, unit.now()) for pool in due])
        sampled += len(due)
        if len(due) < POOLS_PER_PAGE:
            return sampled


def _learnt(pool: DuePool, at: datetime) -> Sampled:
    return Sampled(
        pool,
        learn_hour(pool.hour, pool.share, at),
        learn_persistence(pool.persistence, pool.hour, pool.share, at),
    )
