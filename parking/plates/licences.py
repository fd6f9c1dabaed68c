"""Pictures of the vehicle licence: sent by the driver for a claim, seen by staff alone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, update
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.plates import repository, rules
from parking.plates.errors import (
    ClaimExpiredError,
    ClaimNotFoundError,
    ClaimRefusedError,
    PicturesExhaustedError,
)
from parking.plates.models import BindingClaim, ClaimState, LicencePicture

_CONTEXT: Final = "licence_picture"
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture that staff can fetch."""

    plate_index: UUID
    claim_id: UUID
    picture_id: UUID
    uploaded_at: datetime


async def add_picture(unit: UnitOfWork, driver_id: UUID, claim_id: UUID, picture: bytes) -> int:
    """Keep a remade picture for a claim, which staff then see; returns how many it has.

    A code that a lane shows still proves the claim meanwhile.

    Raises:
        ClaimNotFoundError: the driver has no such claim.
        ClaimRefusedError: it was decided on.
        ClaimExpiredError: its time is over.
        PicturesExhaustedError: it has enough pictures, or the driver sent many today.
    """
    claim = await require_open(unit, driver_id, claim_id)
    now = unit.now()
    claim.pictures += 1
    if claim.review_at is None:
        claim.review_at, claim.expires_at = now, now + rules.REVIEW_PERIOD
    unit.session.add(
        LicencePicture(
            plate_index=claim.plate_index,
            claim_id=claim.id,
            id=new_id(now),
            driver_id=driver_id,
            picture_sealed=unit.vault.seal_bytes(picture, context=_CONTEXT),
            uploaded_at=now,
            ends_at=claim.expires_at,
        )
    )
    return claim.pictures


async def require_open(unit: UnitOfWork, driver_id: UUID, claim_id: UUID) -> BindingClaim:
    """Return a driver's claim, locked, that another picture may come for; raises as `add_picture`.

    One after the other: two pictures at once would both be the last that may come.
    """
    await repository.lock_claims_of(unit, driver_id)
    claim = await repository.lock_claim_of(unit, driver_id, claim_id)
    now = unit.now()
    if claim is None:
        raise ClaimNotFoundError
    if claim.state is not ClaimState.PENDING:
        raise ClaimRefusedError
    if claim.expires_at <= now:
        raise ClaimExpiredError
    is_full = claim.pictures >= rules.PICTURES_PER_CLAIM_MAX
    if is_full or await _sent_since(unit, driver_id, now - _DAY) >= rules.PICTURES_PER_DAY_MAX:
        raise PicturesExhaustedError
    return claim


async def claim_decided(unit: UnitOfWork, claim: BindingClaim) -> None:
    """Let the period of a claim's pictures begin: they have served."""
    if claim.pictures:
        await unit.run(
            update(LicencePicture)
            .where(col(LicencePicture.plate_index) == claim.plate_index)
            .where(col(LicencePicture.claim_id) == claim.id)
            .values(ends_at=unit.now())
        )


async def list_pictures(
    unit: UnitOfWork, claims: Collection[tuple[UUID, UUID]]
) -> dict[UUID, list[StoredPicture]]:
    """Return the pictures of some claims by the claim's id, oldest first; one statement."""
    statement = (
        select(
            LicencePicture.plate_index,
            LicencePicture.claim_id,
            LicencePicture.id,
            LicencePicture.uploaded_at,
        )
        .where(col(LicencePicture.plate_index).in_([index for index, _ in claims]))
        .where(col(LicencePicture.claim_id).in_([claim_id for _, claim_id in claims]))
        .order_by(col(LicencePicture.id))
        .limit(len(claims) * rules.PICTURES_PER_CLAIM_MAX)
    )
    rows: Sequence[tuple[UUID, UUID, UUID, datetime]] = (await unit.session.exec(statement)).all()
    found: dict[UUID, list[StoredPicture]] = {}
    for row in rows:
        found.setdefault(row[1], []).append(StoredPicture(*row))
    return found


async def open_picture(
    unit: UnitOfWork, plate_index: UUID, claim_id: UUID, picture_id: UUID
) -> bytes | None:
    """Return a picture as a JPEG for staff; None where it is not there any more."""
    row = await unit.session.get(LicencePicture, (plate_index, claim_id, picture_id))
    return None if row is None else unit.vault.open_bytes(row.picture_sealed, context=_CONTEXT)


async def _sent_since(unit: UnitOfWork, driver_id: UUID, since: datetime) -> int:
    statement = (
        select(func.count())
        .select_from(LicencePicture)
        .where(col(LicencePicture.driver_id) == driver_id)
        .where(col(LicencePicture.uploaded_at) > since)
    )
    return (await unit.session.exec(statement)).one()
