"""Every query about the authority, certificates and tokens of gates."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, text, tuple_, update
from sqlmodel import col, select

from parking.gates.models import GateAuthorityRow, GateCertificate, GateEnrolment
from parking.kit.database import UnitOfWork
from parking.kit.ids import floor_id

# More than a lane can have that are not expired: ten a day, for ninety days.
CERTIFICATES_READ_MAX: Final = 1000
INSTALLATION_READ_MAX: Final = 10_000
KEYS_MAX: Final = 500
DAY: Final = timedelta(days=1)
_LOCK_LANE = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


async def lock_gate(unit: UnitOfWork, lane_id: UUID) -> None:
    """Let one use case at a time change who a gate is.

    A revocation that ran beside a renewal would miss the new certificate.
    """
    await unit.run(_LOCK_LANE, {"name": f"gate:{lane_id}"})


async def find_authority(unit: UnitOfWork) -> GateAuthorityRow | None:
    """Return the installation's own authority."""
    return await unit.session.get(GateAuthorityRow, 1, populate_existing=True)


async def find_enrolment(
    unit: UnitOfWork, operator_id: UUID, enrolment_id: UUID
) -> GateEnrolment | None:
    """Return a token's row as it stands now."""
    key = (operator_id, enrolment_id)
    return await unit.session.get(GateEnrolment, key, populate_existing=True)


async def find_open_enrolments(
    unit: UnitOfWork, operator_id: UUID, lane_id: UUID
) -> Sequence[GateEnrolment]:
    """Return the tokens of a lane that may still be used."""
    statement = (
        select(GateEnrolment)
        .where(col(GateEnrolment.operator_id) == operator_id)
        .where(col(GateEnrolment.lane_id) == lane_id)
        .where(col(GateEnrolment.used_at).is_(None), col(GateEnrolment.withdrawn_at).is_(None))
        .where(col(GateEnrolment.expires_at) > unit.now())
        .limit(CERTIFICATES_READ_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def find_certificate(
    unit: UnitOfWork, operator_id: UUID, certificate_id: UUID
) -> GateCertificate | None:
    """Return a certificate's row as it stands now."""
    key = (operator_id, certificate_id)
    return await unit.session.get(GateCertificate, key, populate_existing=True)


async def find_certificate_anywhere(
    unit: UnitOfWork, certificate_id: UUID
) -> GateCertificate | None:
    """Return a certificate of whatever operator: for who runs the installation."""
    statement = select(GateCertificate).where(col(GateCertificate.id) == certificate_id).limit(1)
    return (await unit.session.exec(statement)).one_or_none()


async def list_certificates(
    unit: UnitOfWork, operator_id: UUID, lane_id: UUID
) -> Sequence[GateCertificate]:
    """Return the newest CERTIFICATES_READ_MAX certificates of a lane, newest first."""
    statement = (
        select(GateCertificate)
        .where(col(GateCertificate.operator_id) == operator_id)
        .where(col(GateCertificate.lane_id) == lane_id)
        .order_by(col(GateCertificate.id).desc())
        .limit(CERTIFICATES_READ_MAX)
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).all()


async def list_all_certificates(unit: UnitOfWork) -> Sequence[GateCertificate]:
    """Return the newest INSTALLATION_READ_MAX certificates of all lanes, newest first."""
    statement = (
        select(GateCertificate)
        .order_by(col(GateCertificate.id).desc())
        .limit(INSTALLATION_READ_MAX)
    )
    return (await unit.session.exec(statement)).all()


async def count_issued_lately(unit: UnitOfWork, operator_id: UUID, lane_id: UUID) -> int:
    """Return how many certificates a lane got within a day."""
    statement = (
        select(func.count())
        .select_from(GateCertificate)
        .where(col(GateCertificate.operator_id) == operator_id)
        .where(col(GateCertificate.lane_id) == lane_id)
        .where(col(GateCertificate.id) >= floor_id(unit.now() - DAY))
    )
    return int((await unit.session.exec(statement)).one())


async def find_standing(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> set[tuple[UUID, UUID]]:
    """Return which of up to KEYS_MAX certificates, by operator and id, are not revoked."""
    if not keys:
        return set()
    statement = (
        select(GateCertificate.operator_id, GateCertificate.id)
        .where(tuple_(col(GateCertificate.operator_id), col(GateCertificate.id)).in_(list(keys)))
        .where(col(GateCertificate.revoked_at).is_(None))
    )
    return {(operator_id, found) for operator_id, found in await unit.session.exec(statement)}


async def revoke(
    unit: UnitOfWork, operator_id: UUID, certificate_ids: Collection[UUID], by: str, reason: str
) -> int:
    """Revoke the certificates that are not revoked yet; returns how many."""
    statement = (
        update(GateCertificate)
        .where(col(GateCertificate.operator_id) == operator_id)
        .where(col(GateCertificate.id).in_(list(certificate_ids)))
        .where(col(GateCertificate.revoked_at).is_(None))
        .values(revoked_at=unit.now(), revoked_by=by, revoked_reason=reason)
        .execution_options(synchronize_session=False)
    )
    return (await unit.run(statement)).rowcount


async def withdraw_enrolments(unit: UnitOfWork, operator_id: UUID, lane_id: UUID) -> int:
    """Take back the unused tokens of a lane; returns how many."""
    statement = (
        update(GateEnrolment)
        .where(col(GateEnrolment.operator_id) == operator_id)
        .where(col(GateEnrolment.lane_id) == lane_id)
        .where(col(GateEnrolment.used_at).is_(None), col(GateEnrolment.withdrawn_at).is_(None))
        .values(withdrawn_at=unit.now())
        .execution_options(synchronize_session=False)
    )
    return (await unit.run(statement)).rowcount
