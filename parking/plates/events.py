"""What happens to a driver's plates. The plate itself is never told: consumers read it sealed."""

from parking.events.envelope import Event
from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id, new_id
from parking.plates.models import BindingClaim, ClaimRefusal, PlateBinding

PLATE_BOUND = "PlateBound"
PLATE_UNBOUND = "PlateUnbound"
PLATE_CLAIM_REFUSED = "PlateClaimRefused"
PLATE_PAYMENT_PAUSED = "PlatePaymentPaused"
PLATE_PAYMENT_RESUMED = "PlatePaymentResumed"
# Their subject is a binding.
PLATE_EVENTS = frozenset({PLATE_BOUND, PLATE_UNBOUND, PLATE_PAYMENT_PAUSED, PLATE_PAYMENT_RESUMED})


def plate_bound(binding: PlateBinding) -> Event:
    """A driver proved a plate; from now on gates know it."""
    return Event(
        id=derive_id(binding.id, PLATE_BOUND),
        type=PLATE_BOUND,
        owner_id=binding.driver_id,
        subject_id=binding.id,
        occurred_at=binding.bound_at,
        payload={
            "driver_id": str(binding.driver_id),
            "plate_index": str(binding.plate_index),
            "proof": binding.proof.value,
        },
    )


def plate_unbound(unit: UnitOfWork, binding: PlateBinding, *, reason: str) -> Event:
    """A plate is no longer the driver's; `reason` is `driver` or `staff`."""
    now = unit.now()
    return Event(
        # Not derived from the binding: that id's month may be dropped already.
        id=new_id(now),
        type=PLATE_UNBOUND,
        owner_id=binding.driver_id,
        subject_id=binding.id,
        occurred_at=now,
        payload={
            "driver_id": str(binding.driver_id),
            "plate_index": str(binding.plate_index),
            "reason": reason,
        },
    )


def plate_claim_refused(unit: UnitOfWork, claim: BindingClaim) -> Event:
    """Staff looked at the vehicle licence and said no."""
    return Event(
        id=new_id(unit.now()),
        type=PLATE_CLAIM_REFUSED,
        owner_id=claim.driver_id,
        subject_id=claim.id,
        occurred_at=unit.now(),
        payload={
            "driver_id": str(claim.driver_id),
            "refusal": (claim.refusal or ClaimRefusal.OTHER).value,
        },
    )


def plate_payment(unit: UnitOfWork, binding: PlateBinding, event_type: str) -> Event:
    """Automatic payment for a bound plate stops or goes on; nothing says why.

    Args:
        unit: The transaction.
        binding: Whose plate it is now.
        event_type: PLATE_PAYMENT_PAUSED or PLATE_PAYMENT_RESUMED.
    """
    return Event(
        id=new_id(unit.now()),
        type=event_type,
        owner_id=binding.driver_id,
        subject_id=binding.id,
        occurred_at=unit.now(),
        payload={"driver_id": str(binding.driver_id)},
    )
