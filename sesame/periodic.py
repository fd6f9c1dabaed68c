"""What a worker does again and again, whatever happens meanwhile."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from prometheus_client import Gauge

from parking.events import outbox
from parking.events.outage import Outage
from parking.flows.context import ParkingContext
from parking.flows.disputes import dispute_decision, dispute_misread
from parking.flows.housekeeping import purge_expired
from parking.flows.invoices import invoice_fapiao
from parking.flows.passes import pass_renewal
from parking.flows.payments import collection, cross_place, mandates, refunds, settlement
from parking.kit.partitions import ensure_partitions

DAY_S: Final = 24 * 3600.0
PURGE_EVERY_S: Final = 3600.0
SWEEP_EVERY_S: Final = 1.0
MANDATES_EVERY_S: Final = 5.0
PASSES_EVERY_S: Final = 2.0
DISPUTES_EVERY_S: Final = 5.0
FAPIAO_EVERY_S: Final = 5.0
COLLECTION_EVERY_S: Final = 30.0
PARTNERS_EVERY_S: Final = 30.0
COUNT_EVERY_S: Final = 15.0
CALL_TIMEOUT_S: Final = 60.0
# A failed call is repeated soon, even where its turn comes once a day.
RETRY_S_MAX: Final = 30.0

_PARKED: Final = Gauge("sesame_outbox_parked", "Events that nobody could take and nobody resumed")


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """A call that is made at once and then every `every_s` seconds; every worker makes it."""

    name: str
    every_s: float
    call: Callable[[], Awaitable[object]]

    async def run(self) -> None:
        """Repeat until cancelled."""
        outage = Outage(self.name)
        while True:
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    await self.call()
                outage.ended()
                wait_s = self.every_s
            except Exception as error:  # noqa: BLE001 - the next turn may succeed, and others must go on
                outage.failed(error)
                wait_s = min(self.every_s, RETRY_S_MAX)
            # Several workers must not come at the same moment for ever; no secrecy is needed.
            await asyncio.sleep(wait_s * random.uniform(0.9, 1.1))  # noqa: S311


def periodic_tasks(context: ParkingContext) -> list[PeriodicTask]:
    """Return what the workers of an installation repeat."""

    async def make_partitions() -> None:
        await ensure_partitions(context.database)

    async def sweep_payments() -> None:
        await settlement.sweep(context)

    async def sweep_refunds() -> None:
        await refunds.sweep(context)

    async def sweep_disputes() -> None:
        await dispute_decision.sweep(context)

    async def look_for_misreads() -> None:
        await dispute_misread.sweep(context)

    async def renew_passes() -> None:
        await pass_renewal.sweep(context)

    async def purge() -> None:
        await purge_expired(context.database)

    async def sweep_mandates() -> None:
        await mandates.sweep(context)

    async def count_parked() -> None:
        async with context.database.begin() as unit:
            _PARKED.set(await outbox.count_parked(unit))

    return [
        PeriodicTask("partitions", DAY_S, make_partitions),
        PeriodicTask("purge", PURGE_EVERY_S, purge),
        PeriodicTask("payment sweep", SWEEP_EVERY_S, sweep_payments),
        PeriodicTask("refund sweep", SWEEP_EVERY_S, sweep_refunds),
        PeriodicTask("dispute sweep", DISPUTES_EVERY_S, sweep_disputes),
        PeriodicTask("misread search", DISPUTES_EVERY_S, look_for_misreads),
        PeriodicTask("pass renewals", PASSES_EVERY_S, renew_passes),
        PeriodicTask("collection", COLLECTION_EVERY_S, partial(collection.sweep, context)),
        PeriodicTask("partner sweep", PARTNERS_EVERY_S, partial(cross_place.sweep, context)),
        PeriodicTask("mandate sweep", MANDATES_EVERY_S, sweep_mandates),
        PeriodicTask("fapiao sweep", FAPIAO_EVERY_S, partial(invoice_fapiao.sweep, context)),
        PeriodicTask("parked events", COUNT_EVERY_S, count_parked),
    ]
