"""What a gate does for one car by itself: pure, no I/O, no clock of its own."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gate_bridge.wire.offline import OfflineReason
from parking.kit.ids import derive_id
from parking.offline.bundle import Fallback, ListedPlate, PolicyBundle, Right

ENTRY = "entry"


@dataclass(frozen=True, slots=True)
class Spent:
    """What was risked since the network went away."""

    cars: int = 0
    amount_minor: int = 0


@dataclass(frozen=True, slots=True)
class WaitingCar:
    """What the gate knows of the car that stands there.

    Attributes:
        plate: As `fold_plate` spells it; None where nobody could read it.
        at: The time, as far as it is known; None where it is not.
        was_let_out: Whether this policy has let the plate out before: one stay leaves once.
    """

    plate: str | None
    at: datetime | None
    was_let_out: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done, and what may be lost by it.

    Attributes:
        cars: What counts against the cap's number of cars: 0 or 1.
    """

    is_open: bool
    reason: OfflineReason
    risk_minor: int = 0
    cars: int = 0


_RIGHTS = {
    Right.PASS: OfflineReason.PASS,
    Right.REGISTERED: OfflineReason.REGISTERED,
    Right.NOTHING_DUE: OfflineReason.NOTHING_DUE,
}
_OF_ONE_STAY = frozenset({Right.NOTHING_DUE, Right.CREDIT})


def own_command_id(presentation_id: UUID) -> UUID:
    """Return under which order the gate opens by itself for a car: one car has one."""
    return derive_id(presentation_id, "offline")


def decide(policy: PolicyBundle, car: WaitingCar, spent: Spent) -> Verdict:
    """Return what to do for a car; doubt about the time or the policy counts against opening.

    A policy out of its time lists nobody any more. What the operator chose for cars that are not
    listed needs no time, and stays within the same cap.
    """
    listed = _listed(policy, car)
    if listed is None:
        return _fallback(policy, car, spent, policy.car_risk_minor)
    if listed.right in _RIGHTS:
        return Verdict(is_open=True, reason=_RIGHTS[listed.right])
    if listed.right is Right.CREDIT and listed.risk_minor <= listed.limit_minor:
        return _capped(policy, spent, OfflineReason.CREDIT, listed.risk_minor)
    return _fallback(policy, car, spent, listed.risk_minor, closed=OfflineReason.UNPAID)


def _listed(policy: PolicyBundle, car: WaitingCar) -> ListedPlate | None:
    if car.plate is None or car.at is None:
        return None
    if not policy.valid_from <= car.at < policy.valid_until:
        return None
    listed = policy.find(car.plate)
    if listed is None or car.at < listed.begins_at:
        return None
    if listed.until is not None and car.at >= listed.until:
        return None
    return None if car.was_let_out and listed.right in _OF_ONE_STAY else listed


def _fallback(
    policy: PolicyBundle,
    car: WaitingCar,
    spent: Spent,
    risk_minor: int,
    *,
    closed: OfflineReason | None = None,
) -> Verdict:
    if policy.fallback is not Fallback.OPEN:
        is_closed = policy.fallback is Fallback.CLOSE
        plain = OfflineReason.FALLBACK if is_closed else OfflineReason.ASK_STAFF
        return Verdict(is_open=False, reason=closed or plain)
    if policy.direction == ENTRY and car.plate is not None:
        # It pays when it leaves: its plate and its time are in the journal.
        return Verdict(is_open=True, reason=OfflineReason.FALLBACK)
    return _capped(policy, spent, OfflineReason.FALLBACK, risk_minor)


def _capped(policy: PolicyBundle, spent: Spent, reason: OfflineReason, risk_minor: int) -> Verdict:
    cap = policy.cap
    if spent.cars >= cap.cars or spent.amount_minor + risk_minor > cap.amount_minor:
        return Verdict(is_open=False, reason=OfflineReason.CAP_REACHED)
    return Verdict(is_open=True, reason=reason, risk_minor=risk_minor, cars=1)
