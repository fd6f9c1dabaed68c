"""Which mandates may pay a bill, and the charge of one, stored before its provider hears of it."""

from collections.abc import Mapping
from datetime import datetime

from parking.kit.database import UnitOfWork
from parking.payments import announcements, mandate_rows, repository
from parking.payments.choice import (
    Occasion,
    counts_days,
    days_of,
    permits,
    permits_today,
    usable_mandates,
)
from parking.payments.mandate_models import StayAnnouncement
from parking.payments.models import Bill, Mandate, PaymentAttempt
from parking.payments.port import ProviderTraits
from parking.payments.service import begin_attempt


async def choose_mandates(
    unit: UnitOfWork,
    bill: Bill,
    occasion: Occasion,
    traits: Mapping[str, ProviderTraits],
    *,
    since: datetime | None = None,
) -> list[tuple[Mandate, StayAnnouncement | None]]:
    """Return the driver's mandates that may pay this bill and were not tried for it, in order.

    Each with what its provider was told of the stay.

    Args:
        unit: The transaction.
        bill: What is to be paid.
        occasion: Where, and for which car.
        traits: Of this process' providers, by name.
        since: Tries before this moment do not count; None counts them all.
    """
    if bill.driver_id is None:
        return []
    attempts = (
        await repository.find_attempts(unit, bill.operator_id, bill.id) if bill.attempts else ()
    )
    tried = {
        attempt.mandate_id for attempt in attempts if since is None or attempt.sent_at >= since
    }
    known = await announcements.find_chargeable(
        unit, bill.driver_id, bill.operator_id, bill.session_id
    )
    announced = {mandate.id: row for mandate, row in known}
    return [
        (mandate, announced[mandate.id])
        for mandate in usable_mandates((mandate for mandate, _ in known), occasion, traits)
        if mandate.id not in tried
        and await _permits_today(unit, mandate, occasion, traits[mandate.provider])
    ]


async def begin_charge(
    unit: UnitOfWork,
    bill: Bill,
    mandate: Mandate,
    occasion: Occasion,
    traits: ProviderTraits,
    announced: StayAnnouncement | None = None,
) -> PaymentAttempt | None:
    """Store a charge under a mandate before its provider hears of it.

    The mandate is locked and looked at again, so that revoking or lowering it comes wholly before
    the charge or after it, and two cars that leave at once stay within its limits of a day
    together. None: it does not permit the charge any more, or there were too many attempts.

    Raises:
        PaymentInProgressError: an earlier attempt is not settled.
    """
    counts = counts_days(mandate, traits)
    held = await mandate_rows.hold_mandate(unit, mandate.driver_id, mandate.id, alone=counts)
    if held is None or not permits(held, occasion, traits):
        return None
    if not counts and counts_days(held, traits):
        # A limit of a day was set just now: this transaction shares the row, and cannot count.
        return None
    if not await _permits_today(unit, held, occasion, traits):
        return None
    attempt = await begin_attempt(unit, bill, provider=held.provider, mandate=held)
    if attempt is not None:
        mandate_rows.add_use(unit, attempt)
        held.counted_charges += int(counts)
        if announced is not None and announced.used_by is None:
            attempt.stay_reference, announced.used_by = announced.reference, attempt.id
    return attempt


async def _permits_today(
    unit: UnitOfWork, mandate: Mandate, occasion: Occasion, traits: ProviderTraits
) -> bool:
    if not counts_days(mandate, traits):
        return True
    days = days_of(unit.now(), occasion, traits)
    driver, provider = await mandate_rows.spent(unit, mandate, occasion.due.currency, days)
    return permits_today(mandate, occasion.due, traits, driver=driver, provider=provider)
