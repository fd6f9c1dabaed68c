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
from parking.flows.campaigns import delivering, scheduling
from parking.flows.campaigns.noticing import EventWatch
from parking.flows.context import ParkingContext
from parking.flows.coupons import granting, settling
from parking.flows.coupons.attaching import AttachWatch
from parking.flows.disputes import dispute_decision, dispute_misread
from parking.flows.invoices import invoice_fapiao
from parking.flows.offers import life as offers
from parking.flows.offline import reconcile
from parking.flows.passes import pass_renewal
from parking.flows.payments import (
    announcing,
    collection,
    cross_place,
    mandates,
    refunds,
    settlement,
)
from parking.flows.reconciliation import nightly
from parking.kit.partitions import ensure_partitions

DAY_S: Final = 24 * 3600.0
SWEEP_EVERY_S: Final = 1.0
MANDATES_EVERY_S: Final = 5.0
STAYS_EVERY_S: Final = 2.0
PASSES_EVERY_S: Final = 2.0
OFFERS_EVERY_S: Final = 2.0
COUPONS_EVERY_S: Final = 5.0
COUPONS_EXPIRED_EVERY_S: Final = 60.0
DISPUTES_EVERY_S: Final = 5.0
FAPIAO_EVERY_S: Final = 5.0
OFFLINE_EVERY_S: Final = 30.0
COLLECTION_EVERY_S: Final = 30.0
PARTNERS_EVERY_S: Final = 30.0
CAMPAIGNS_EVERY_S: Final = 2.0
NOTICING_EVERY_S: Final = 5.0
COUNT_EVERY_S: Final = 15.0
DIFFERENCES_EVERY_S: Final = 60.0
CALL_TIMEOUT_S: Final = 60.0
# A failed call is repeated soon, even where its turn comes once a day.
RETRY_S_MAX: Final = 30.0

_PARKED: Final = Gauge("sesame_outbox_parked", "Events that nobody could take and nobody resumed")
_DIFFERENCES: Final = Gauge(
    "sesame_reconciliation_differences_open",
    "Rows that do not match between gate, bills and provider, and that nobody resolved",
    ("provider", "code"),
)


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

    async def count_parked() -> None:
        async with context.database.begin() as unit:
            _PARKED.set(await outbox.count_parked(unit))

    return [
        PeriodicTask("partitions", DAY_S, make_partitions),
        PeriodicTask("payment sweep", SWEEP_EVERY_S, partial(settlement.sweep, context)),
        PeriodicTask("refund sweep", SWEEP_EVERY_S, partial(refunds.sweep, context)),
        PeriodicTask("dispute sweep", DISPUTES_EVERY_S, partial(dispute_decision.sweep, context)),
        PeriodicTask("misread search", DISPUTES_EVERY_S, partial(dispute_misread.sweep, context)),
        PeriodicTask("pass renewals", PASSES_EVERY_S, partial(pass_renewal.sweep, context)),
        PeriodicTask("offers", OFFERS_EVERY_S, partial(offers.sweep, context)),
        PeriodicTask("collection", COLLECTION_EVERY_S, partial(collection.sweep, context)),
        PeriodicTask("partner sweep", PARTNERS_EVERY_S, partial(cross_place.sweep, context)),
        PeriodicTask("mandate sweep", MANDATES_EVERY_S, partial(mandates.sweep, context)),
        PeriodicTask("stay sweep", STAYS_EVERY_S, partial(announcing.sweep, context)),
        PeriodicTask("offline sweep", OFFLINE_EVERY_S, partial(reconcile.sweep, context)),
        PeriodicTask("fapiao sweep", FAPIAO_EVERY_S, partial(invoice_fapiao.sweep, context)),
        PeriodicTask("campaign runs", CAMPAIGNS_EVERY_S, partial(scheduling.sweep, context)),
        PeriodicTask("campaign sends", CAMPAIGNS_EVERY_S, partial(delivering.deliver_due, context)),
        PeriodicTask("campaign events", NOTICING_EVERY_S, EventWatch(context).sweep),
        PeriodicTask("coupons of stays", COUPONS_EVERY_S, AttachWatch(context).sweep),
        PeriodicTask("coupons of bills", COUPONS_EVERY_S, partial(settling.sweep, context)),
        PeriodicTask("coupons over", COUPONS_EXPIRED_EVERY_S, partial(granting.sweep, context)),
        PeriodicTask("parked events", COUNT_EVERY_S, count_parked),
        PeriodicTask("open differences", DIFFERENCES_EVERY_S, partial(_count_differences, context)),
    ]


async def _count_differences(context: ParkingContext) -> None:
    counts = await nightly.count_open(context)
    _DIFFERENCES.clear()
    for (provider, code), count in counts.items():
        _DIFFERENCES.labels(provider, code).set(count)
