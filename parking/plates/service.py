"""Binding a plate to a driver, with proof, and ending it at any time.

A refusal that must leave a trace (a counted attempt) is returned, not raised: raising would roll
the trace back.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from parking.events import outbox
from parking.kit.crypto import Vault, same_digest
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError, ParkingError
from parking.kit.ids import derive_id, new_id
from parking.kit.locks import lock
from parking.plates import contests, events, licences, repository, rules
from parking.plates.errors import (
    ClaimInReviewError,
    ClaimNotFoundError,
    ClaimRefusedError,
    ClaimsExhaustedError,
    LaneCodeWrongError,
    PlateAlreadyBoundError,
    PlateBusyError,
    PlateNotFoundError,
)
from parking.plates.models import (
    BindingClaim,
    ClaimRefusal,
    ClaimState,
    DriverPlate,
    LaneCode,
    PlateBinding,
    Proof,
)
from parking.plates.normalise import fold_plate, normalise_plate

PLATE_CONTEXT: Final = "plate"
STAFF_NAME_LENGTH_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class PlateClaim:
    """A driver's open wish to bind a plate, the plate in clear for the driver or for staff."""

    plate_index: UUID
    claim_id: UUID
    plate: str
    created_at: datetime
    expires_at: datetime
    in_review: bool
    pictures: int = 0
    is_contested: bool = False


@dataclass(frozen=True, slots=True)
class BoundPlate:
    """One of a driver's plates, in clear for that driver.

    Attributes:
        is_paused: Whether its car pays by hand while staff check something.
    """

    binding_id: UUID
    plate: str
    bound_at: datetime
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class LanePresentation:
    """Where the car stands."""

    operator_id: UUID
    lane_id: UUID
    presentation_id: UUID


def plate_index(vault: Vault, text: str) -> UUID:
    """Return the key under which everything about a plate is found, however it is spelled."""
    return vault.blind_index(PLATE_CONTEXT, fold_plate(text))


def is_plate(text: str) -> bool:
    """Return whether a plate can read so; a camera may send anything."""
    try:
        normalise_plate(text)
    except InvalidInputError:
        return False
    return True


async def claim_plate(unit: UnitOfWork, driver_id: UUID, plate_text: str) -> PlateClaim:
    """Open a claim; the same claim again while one on the plate is open.

    The answer is the same whether or not the plate is bound to somebody else.

    Raises:
        InvalidInputError: no plate can read so.
        PlateAlreadyBoundError: it is bound to this driver.
        ClaimsExhaustedError: too many of the driver's claims are open.
    """
    plate = normalise_plate(plate_text)
    index = plate_index(unit.vault, plate)
    now = unit.now()
    await repository.lock_claims_of(unit, driver_id)
    binding = await repository.find_active(unit, index)
    if binding is not None and binding.driver_id == driver_id:
        raise PlateAlreadyBoundError
    pending = await repository.pending_claims(unit, driver_id, now=now)
    for claim in pending:
        if claim.plate_index == index:
            return _claim(unit.vault, claim)
    if len(pending) >= rules.PENDING_CLAIMS_MAX:
        raise ClaimsExhaustedError(rules.PENDING_CLAIMS_MAX)
    claim = BindingClaim(
        plate_index=index,
        id=new_id(now),
        driver_id=driver_id,
        plate_sealed=unit.vault.seal(plate, context=PLATE_CONTEXT),
        state=ClaimState.PENDING,
        created_at=now,
        expires_at=now + rules.CLAIM_PERIOD,
    )
    unit.session.add(claim)
    return _claim(unit.vault, claim)


async def issue_lane_code(
    unit: UnitOfWork, plate_text: str, presentation: LanePresentation
) -> str | None:
    """Return the code that the lane must show, or None where nobody claims the plate.

    Idempotent: one presentation has one live code, which comes back on every call. After its time
    a car that still stands there gets a new one; after its use, none.
    """
    index = plate_index(unit.vault, plate_text)
    now = unit.now()
    claims = await repository.claims_of_plate(unit, index, now=now)
    if not any(rules.claim_refusal(claim, now) is None for claim in claims):
        return None
    text = rules.lane_code(unit.vault, presentation.presentation_id, index, now)
    stored = await repository.store_lane_code(
        unit,
        LaneCode(
            plate_index=index,
            id=derive_id(presentation.presentation_id, "lane_code"),
            code_digest=rules.lane_code_digest(unit.vault, index, text),
            operator_id=presentation.operator_id,
            lane_id=presentation.lane_id,
            presentation_id=presentation.presentation_id,
            created_at=now,
            expires_at=now + rules.LANE_CODE_PERIOD,
        ),
    )
    if stored.used_at is not None:
        return None
    return rules.lane_code(unit.vault, presentation.presentation_id, index, stored.created_at)


async def confirm_claim(
    unit: UnitOfWork, driver_id: UUID, claim_id: UUID, code: str
) -> BoundPlate | ParkingError:
    """Bind the claimed plate if `code` is the one that a lane shows for it now.

    The code proves who stands in the car, not whose it is: a plate with an active binding of
    another driver is left to staff, and nobody is charged for it until they decide. Idempotent
    once confirmed.
    """
    claim = await repository.lock_claim_of(unit, driver_id, claim_id)
    if claim is None:
        return ClaimNotFoundError()
    if claim.state is ClaimState.CONFIRMED:
        return await _confirmed_before(unit, claim)
    now = unit.now()
    refusal = rules.claim_refusal(claim, now)
    if refusal is not None:
        return refusal
    claim.attempts += 1
    if not await _use_matching_code(unit, claim.plate_index, code):
        left = rules.CLAIM_ATTEMPTS_MAX - claim.attempts
        if not left:
            contests.begin_review(claim, now)
        return LaneCodeWrongError(left)
    return await prove(unit, claim, Proof.LANE_CODE)


async def prove(
    unit: UnitOfWork, claim: BindingClaim, proof: Proof
) -> BoundPlate | ClaimInReviewError:
    """Bind the plate of a locked claim whose driver showed to be in the car; or leave it to staff.

    Returned, not raised: that somebody contests the plate must stay.
    """
    bound = await _bind(unit, claim, proof)
    if bound is None:
        await contests.contest(unit, claim)
        return ClaimInReviewError()
    return bound


async def approve_claim(
    unit: UnitOfWork, plate_index: UUID, claim_id: UUID, *, staff_name: str
) -> BoundPlate:
    """Bind a plate after staff saw the vehicle licence, which outweighs any earlier binding.

    Idempotent. An earlier driver's binding ends with the same commit.

    Raises:
        ClaimNotFoundError: there is no such claim.
        ClaimRefusedError: it was refused, or its binding has ended.
        PlateBusyError: a rival binding was committed at the same moment.
    """
    claim = await lock(unit, BindingClaim, plate_index=plate_index, id=claim_id)
    if claim is None:
        raise ClaimNotFoundError
    if claim.state is ClaimState.CONFIRMED:
        before = await _confirmed_before(unit, claim)
        if isinstance(before, ParkingError):
            raise before
        return before
    if claim.state is not ClaimState.PENDING:
        raise ClaimRefusedError
    binding = await repository.find_active(unit, plate_index)
    if binding is not None and binding.driver_id != claim.driver_id:
        ended = await repository.end_binding(unit, plate_index)
        if ended is not None:
            outbox.append(unit, events.plate_unbound(unit, ended, reason="staff"))
    bound = await _bind(unit, claim, Proof.VEHICLE_LICENCE)
    if bound is None:
        raise PlateBusyError
    claim.decided_by = staff_name[:STAFF_NAME_LENGTH_MAX]
    return bound


async def refuse_claim(
    unit: UnitOfWork,
    plate_index: UUID,
    claim_id: UUID,
    *,
    staff_name: str,
    refusal: ClaimRefusal = ClaimRefusal.OTHER,
) -> None:
    """Refuse a claim; idempotent. A plate that it contested goes on as before.

    Raises:
        ClaimNotFoundError: there is no such claim, or it was confirmed before.
    """
    claim = await lock(unit, BindingClaim, plate_index=plate_index, id=claim_id)
    if claim is None or claim.state is ClaimState.CONFIRMED:
        raise ClaimNotFoundError
    if claim.state is ClaimState.REFUSED:
        return
    claim.state = ClaimState.REFUSED
    claim.decided_at = unit.now()
    claim.decided_by = staff_name[:STAFF_NAME_LENGTH_MAX]
    claim.refusal = refusal
    await contests.end_contest(unit, claim)
    await licences.claim_decided(unit, claim)
    outbox.append(unit, events.plate_claim_refused(unit, claim))


async def unbind_plate(unit: UnitOfWork, driver_id: UUID, binding_id: UUID) -> None:
    """End a binding at once, effective at the next gate; idempotent.

    Raises:
        PlateNotFoundError: the driver never had this binding.
    """
    plate = await repository.find_driver_plate(unit, driver_id, binding_id)
    if plate is None:
        raise PlateNotFoundError
    ended = await repository.end_binding(unit, plate.plate_index, binding_id)
    if ended is not None:
        outbox.append(unit, events.plate_unbound(unit, ended, reason="driver"))


async def active_binding(unit: UnitOfWork, plate_index: UUID) -> UUID | None:
    """Return whom gates take for the plate's driver; None also while its binding is frozen."""
    return await repository.active_driver(unit, plate_index)


async def is_paused(unit: UnitOfWork, plate_index: UUID) -> bool:
    """Return whether nothing is taken for the plate by itself, because staff check whose it is."""
    binding = await repository.find_active(unit, plate_index)
    return binding is not None and contests.is_frozen(binding.frozen_until, unit.now())


async def list_plates(unit: UnitOfWork, driver_id: UUID) -> list[BoundPlate]:
    """Return the driver's bound plates, oldest binding first."""
    found = await repository.active_plates(unit, driver_id)
    return [_bound(unit, row, frozen_until) for row, frozen_until in found]


async def find_plate(unit: UnitOfWork, driver_id: UUID, binding_id: UUID) -> BoundPlate | None:
    """Return one of the driver's bound plates."""
    row = await repository.find_driver_plate(unit, driver_id, binding_id)
    if row is None or row.unbound_at is not None:
        return None
    binding = await unit.session.get(PlateBinding, (row.plate_index, binding_id))
    return _bound(unit, row, None if binding is None else binding.frozen_until)


async def hold_plate(unit: UnitOfWork, driver_id: UUID, binding_id: UUID) -> str:
    """Return one of the driver's bound plates, which stays bound until the transaction ends.

    Raises:
        PlateNotFoundError: it is not bound to the driver now.
    """
    row = await repository.find_driver_plate(unit, driver_id, binding_id)
    if row is None or not await repository.hold_binding(unit, row.plate_index, driver_id):
        raise PlateNotFoundError
    return unit.vault.open(row.plate_sealed, context=PLATE_CONTEXT)


async def list_claims(unit: UnitOfWork, driver_id: UUID) -> list[PlateClaim]:
    """Return the driver's claims that wait for their proof, oldest first."""
    claims = await repository.pending_claims(unit, driver_id, now=unit.now())
    return [_claim(unit.vault, claim) for claim in claims]


async def list_claims_of_plate(unit: UnitOfWork, plate_text: str) -> list[PlateClaim]:
    """Return everybody's open claims on a plate, oldest first: for staff only.

    Raises:
        InvalidInputError: no plate can read so.
    """
    index = plate_index(unit.vault, normalise_plate(plate_text))
    claims = await repository.claims_of_plate(unit, index, now=unit.now())
    return [_claim(unit.vault, claim) for claim in claims]


async def list_reviews(unit: UnitOfWork, *, first: int) -> list[PlateClaim]:
    """Return everybody's claims that wait for staff, the longest first: for staff only."""
    return [_claim(unit.vault, row) for row in await repository.claims_in_review(unit, rows=first)]


async def _use_matching_code(unit: UnitOfWork, plate_index: UUID, code: str) -> bool:
    now = unit.now()
    digest = rules.lane_code_digest(unit.vault, plate_index, code)
    live = await repository.live_lane_codes(unit, plate_index, now=now)
    # Every code is compared: the time taken tells neither how many there are nor which one fits.
    matching = [row for row in live if same_digest(row.code_digest, digest)]
    return bool(matching) and await repository.use_lane_code(unit, matching[0], now=now)


async def _bind(unit: UnitOfWork, claim: BindingClaim, proof: Proof) -> BoundPlate | None:
    """Bind the claimed plate; None where another driver's binding is active."""
    now = unit.now()
    binding = PlateBinding(
        plate_index=claim.plate_index,
        id=derive_id(claim.id, "binding"),
        driver_id=claim.driver_id,
        proof=proof,
        bound_at=now,
        frozen_until=await contests.frozen_from_the_start(unit, claim, proof),
    )
    plate = unit.vault.open(claim.plate_sealed, context=PLATE_CONTEXT)
    # Sealed anew: equal bytes in two tables would link their rows.
    sealed = unit.vault.seal(plate, context=PLATE_CONTEXT)
    if not await repository.insert_binding(unit, binding, plate_sealed=sealed):
        return None
    claim.state = ClaimState.CONFIRMED
    claim.decided_at = now
    await licences.claim_decided(unit, claim)
    outbox.append(unit, events.plate_bound(binding))
    is_paused = contests.tell_frozen(unit, binding)
    return BoundPlate(binding_id=binding.id, plate=plate, bound_at=now, is_paused=is_paused)


async def _confirmed_before(unit: UnitOfWork, claim: BindingClaim) -> BoundPlate | ParkingError:
    binding_id = derive_id(claim.id, "binding")
    bound = await find_plate(unit, claim.driver_id, binding_id)
    return ClaimRefusedError() if bound is None else bound


def _bound(unit: UnitOfWork, row: DriverPlate, frozen_until: datetime | None) -> BoundPlate:
    return BoundPlate(
        binding_id=row.binding_id,
        plate=unit.vault.open(row.plate_sealed, context=PLATE_CONTEXT),
        bound_at=row.bound_at,
        is_paused=contests.is_frozen(frozen_until, unit.now()),
    )


def _claim(vault: Vault, row: BindingClaim) -> PlateClaim:
    return PlateClaim(
        plate_index=row.plate_index,
        claim_id=row.id,
        plate=vault.open(row.plate_sealed, context=PLATE_CONTEXT),
        created_at=row.created_at,
        expires_at=row.expires_at,
        in_review=row.attempts >= rules.CLAIM_ATTEMPTS_MAX,
        pictures=row.pictures,
        is_contested=row.contested_at is not None,
    )
