"""Who may leave on credit, and up to how much: pure, no I/O."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from parking.payments.credit_models import CreditPolicy, CreditRequirement

# An owed amount is collected at these distances after a definitive failure; then staff must look.
COLLECTION_BACKOFF: Final[Sequence[timedelta]] = (
    timedelta(hours=1),
    timedelta(days=1),
    timedelta(days=3),
    timedelta(days=7),
    timedelta(days=14),
)
# A bill whose payment was refused at the gate waits for the first of them.
FIRST_COLLECTED_AFTER: Final = timedelta(minutes=1)


def covers(policy: CreditPolicy, place_id: UUID) -> bool:
    """Return whether the operator allows credit at a place at all."""
    return policy.is_open and (not policy.place_ids or str(place_id) in policy.place_ids)


def limit_minor(policy: CreditPolicy, good_bills: int) -> int:
    """Return a driver's limit after so many bills that were paid in time."""
    grown = policy.first_minor + good_bills // policy.step_bills * policy.step_minor
    return min(grown, policy.most_minor)


def is_trusted(policy: CreditPolicy, *, has_mandate: bool, good_bills: int) -> bool:
    """Return whether the driver has what the policy asks for."""
    has_history = good_bills >= policy.history_bills
    return {
        CreditRequirement.MANDATE: has_mandate,
        CreditRequirement.HISTORY: has_history,
        CreditRequirement.EITHER: has_mandate or has_history,
        CreditRequirement.BOTH: has_mandate and has_history,
    }[CreditRequirement(policy.requirement)]


def next_try_after(tries: int) -> timedelta | None:
    """Return how long to wait after so many tries in vain; None for no more by itself."""
    return COLLECTION_BACKOFF[tries - 1] if tries <= len(COLLECTION_BACKOFF) else None
