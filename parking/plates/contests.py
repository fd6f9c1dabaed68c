"""A plate that two drivers say is theirs: nobody is charged for it until staff have decided.

The binding stays, frozen: gates take the plate for nobody's, so that its car pays by hand and
neither driver watches where it is. Both are told that something is being checked, and never why,
since when, or whether there is anybody else.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlmodel import col, select

from parking.events import outbox
from parking.kit.database import UnitOfWork
from parking.kit.locks import lock
from parking.plates import events, repository, rules
from parking.plates.models import BindingClaim, ClaimState, PlateBinding, Proof

_CLAIMS_MAX: Final = 100


def begin_review(claim: BindingClaim, now: datetime) -> None:
    """Leave a locked claim to staff: no code helps any more."""
    claim.attempts = rules.CLAIM_ATTEMPTS_MAX
    claim.review_at = claim.review_at or now
    claim.expires_at = now + rules.REVIEW_PERIOD


async def contest(unit: UnitOfWork, claim: BindingClaim) -> None:
    """Let a locked claim stand against another driver's binding, which it freezes.

    Only a claim that was proven by presence does: who merely types a plate stops nobody's payment.
    """
    now = unit.now()
    begin_review(claim, now)
    claim.contested_at = now
    binding = await repository.find_active(unit, claim.plate_index, is_locked=True)
    if binding is not None and binding.driver_id != claim.driver_id:
        _freeze(unit, binding, claim.expires_at)


async def end_contest(unit: UnitOfWork, claim: BindingClaim) -> None:
    """Let the plate go on as before, now that a locked claim is refused; unless others contest."""
    if claim.contested_at is None:
        return
    binding = await repository.find_active(unit, claim.plate_index, is_locked=True)
    if binding is None or not is_frozen(binding.frozen_until, unit.now()):
        return
    binding.frozen_until = await _contested_until(unit, claim)
    if binding.frozen_until is None:
        outbox.append(unit, events.plate_payment(unit, binding, events.PLATE_PAYMENT_RESUMED))


async def withdraw(unit: UnitOfWork, driver_id: UUID) -> None:
    """End what a driver contests whose claims are about to go: nobody could decide on them."""
    for row in await repository.pending_claims(unit, driver_id, now=unit.now()):
        claim = await lock(unit, BindingClaim, plate_index=row.plate_index, id=row.id)
        if claim is not None:
            await end_contest(unit, claim)


async def frozen_from_the_start(
    unit: UnitOfWork, claim: BindingClaim, proof: Proof
) -> datetime | None:
    """Return until when others contest the plate that a claim is about to bind; None for nobody.

    A driver who unbinds and binds again while staff look into it must gain nothing by that. Once
    staff have seen the licence, they have decided.
    """
    if proof is Proof.VEHICLE_LICENCE:
        return None
    return await _contested_until(unit, claim, by_others=True)


def tell_frozen(unit: UnitOfWork, binding: PlateBinding) -> bool:
    """Tell the driver of a new binding if it begins frozen; returns whether it does."""
    is_paused = is_frozen(binding.frozen_until, unit.now())
    if is_paused:
        outbox.append(unit, events.plate_payment(unit, binding, events.PLATE_PAYMENT_PAUSED))
    return is_paused


def is_frozen(frozen_until: datetime | None, now: datetime) -> bool:
    """Return whether gates take a binding for nobody's."""
    return frozen_until is not None and frozen_until > now


def _freeze(unit: UnitOfWork, binding: PlateBinding, until: datetime) -> None:
    was_frozen = is_frozen(binding.frozen_until, unit.now())
    binding.frozen_until = max(until, binding.frozen_until or until)
    if not was_frozen:
        outbox.append(unit, events.plate_payment(unit, binding, events.PLATE_PAYMENT_PAUSED))


async def _contested_until(
    unit: UnitOfWork, decided: BindingClaim, *, by_others: bool = False
) -> datetime | None:
    statement = (
        select(BindingClaim.expires_at)
        .where(col(BindingClaim.plate_index) == decided.plate_index)
        .where(col(BindingClaim.id) != decided.id)
        .where(col(BindingClaim.state) == ClaimState.PENDING)
        .where(col(BindingClaim.contested_at).is_not(None))
        .where(col(BindingClaim.expires_at) > unit.now())
        .limit(_CLAIMS_MAX)
    )
    if by_others:
        statement = statement.where(col(BindingClaim.driver_id) != decided.driver_id)
    return max(await unit.session.exec(statement), default=None)
