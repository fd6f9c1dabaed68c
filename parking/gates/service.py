"""Use cases: let a gate enrol, renew its certificate, revoke it, and know it again."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from parking.gates import repository
from parking.gates.authority import (
    GateAuthority,
    GateName,
    issue_gate,
    new_authority,
    pem_of,
    private_pem,
    read_authority,
)
from parking.gates.errors import (
    CertificateRefusedError,
    EnrolmentRefusedError,
    TooManyCertificatesError,
    TooManyEnrolmentsError,
)
from parking.gates.models import GateAuthorityRow, GateCertificate, GateEnrolment
from parking.gates.requests import FIELD, RequestedKey, key_digest
from parking.gates.rules import (
    CERTIFICATES_PER_DAY_MAX,
    ENROLMENT_PERIOD,
    ENROLMENTS_OPEN_MAX,
    PERSON_CHARACTERS_MAX,
    REASON_CHARACTERS_MAX,
    checked_period,
    checked_words,
    is_open,
    read_token,
    with_renewed,
)
from parking.gates.shown import ShownCertificate
from parking.kit.crypto import same_digest
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id

_KEY_CONTEXT: Final = "gate_authority.key"
_TOKEN_KIND: Final = "gate_enrolment"  # noqa: S105 - the digest's purpose, not a secret
_TOKEN_BYTES: Final = 32

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OpenedEnrolment:
    """A token, shown this once."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Revocation:
    """What a revocation ended."""

    lane_id: UUID
    certificates: int
    tokens: int


async def own_authority(unit: UnitOfWork) -> GateAuthority:
    """Return the installation's authority, made at its first use; its key is sealed."""
    row = await repository.find_authority(unit)
    if row is None:
        made = new_authority(unit.now())
        # Two processes may be the first at once: the row that stands is everybody's.
        await unit.insert_once(
            GateAuthorityRow,
            {
                "number": 1,
                "certificate": pem_of(made.certificate),
                "key_sealed": unit.vault.seal(private_pem(made.key), context=_KEY_CONTEXT),
                "created_at": unit.now(),
            },
        )
        row = await repository.find_authority(unit)
    if row is None:
        raise RuntimeError("the authority's row was written and is not there")
    key = unit.vault.open(row.key_sealed, context=_KEY_CONTEXT)
    fields = ("gate_authorities.certificate", "gate_authorities.key_sealed")
    return read_authority(row.certificate.encode(), key.encode(), fields=fields)


async def open_enrolment(
    unit: UnitOfWork, name: GateName, by: str, period: timedelta = ENROLMENT_PERIOD
) -> OpenedEnrolment:
    """Return a token that brings the lane's gate one certificate.

    Raises:
        InvalidInputError: `by` or `period` is none.
        TooManyEnrolmentsError: the lane has ENROLMENTS_OPEN_MAX already.
    """
    person = checked_words("by", by, PERSON_CHARACTERS_MAX)
    expires_at = unit.now() + checked_period(period)
    await repository.lock_gate(unit, name.lane_id)
    standing = await repository.find_open_enrolments(unit, name.operator_id, name.lane_id)
    if len(standing) >= ENROLMENTS_OPEN_MAX:
        raise TooManyEnrolmentsError(ENROLMENTS_OPEN_MAX)
    enrolment_id = new_id(unit.now())
    token = f"{name.operator_id.hex}.{enrolment_id.hex}.{secrets.token_urlsafe(_TOKEN_BYTES)}"
    unit.session.add(
        GateEnrolment(
            operator_id=name.operator_id,
            id=enrolment_id,
            lane_id=name.lane_id,
            token_digest=unit.vault.digest(_TOKEN_KIND, token),
            created_by=person,
            created_at=unit.now(),
            expires_at=expires_at,
        )
    )
    _log.info("gate_enrolment_opened", lane_id=str(name.lane_id), by=person)
    return OpenedEnrolment(token, expires_at)


async def enrol(
    unit: UnitOfWork, authority: GateAuthority, lane_id: UUID, token: str, key: RequestedKey
) -> GateCertificate:
    """Return the certificate that a token brings; the same key gets the same one again.

    A gate whose answer was lost asks again with its key, which nobody else has.

    Raises:
        EnrolmentRefusedError: whatever is wrong with the token.
        InvalidInputError: the key's certificate was revoked.
        TooManyCertificatesError: the lane got too many lately.
    """
    await _require_token(unit, lane_id, token)
    await repository.lock_gate(unit, lane_id)
    row = await _require_token(unit, lane_id, token)
    if row.certificate_id is not None:
        return await _same_again(unit, row, row.certificate_id, key)
    if not is_open(row, unit.now()):
        raise EnrolmentRefusedError
    name = GateName(row.operator_id, row.lane_id)
    made = await _issue(unit, authority, name, key, replaces_id=None)
    row.used_at, row.certificate_id = unit.now(), made.id
    _log.info("gate_enrolled", lane_id=str(lane_id), serial=made.id.hex)
    return made


async def renew(
    unit: UnitOfWork, authority: GateAuthority, shown: ShownCertificate, key: RequestedKey
) -> GateCertificate:
    """Return the certificate that follows the one a gate shows; the same key gets the same again.

    Raises:
        CertificateRefusedError: the shown one is unknown, revoked, or not of this time.
        InvalidInputError: the key's certificate was revoked.
        TooManyCertificatesError: the lane got too many lately.
    """
    await repository.lock_gate(unit, shown.lane_id)
    old = await admit(unit, shown)
    for row in await repository.list_certificates(unit, old.operator_id, old.lane_id):
        is_answer = row.replaces_id == old.id and same_digest(row.key_digest, key_digest(key))
        if is_answer and row.revoked_at is None and unit.now() < row.not_after:
            return row
    name = GateName(old.operator_id, old.lane_id)
    made = await _issue(unit, authority, name, key, replaces_id=old.id)
    _log.info("gate_renewed", lane_id=str(old.lane_id), serial=made.id.hex)
    return made


async def admit(unit: UnitOfWork, shown: ShownCertificate) -> GateCertificate:
    """Return the row of a certificate that a gate shows.

    Raises:
        CertificateRefusedError: it is unknown, revoked, not of this time, or of another key.
    """
    shown.refuse_unless_current(unit.now())
    row = await repository.find_certificate(unit, shown.operator_id, shown.certificate_id)
    if row is None or row.lane_id != shown.lane_id:
        raise CertificateRefusedError("unknown")
    if not same_digest(row.key_digest, shown.key_digest):
        # Signed by a key of ours that somebody else has, with a number that we gave to a gate.
        raise CertificateRefusedError("other_key")
    if row.revoked_at is not None:
        raise CertificateRefusedError("revoked")
    return row


async def find_standing(
    unit: UnitOfWork, shown: Collection[ShownCertificate]
) -> set[ShownCertificate]:
    """Return which of any number of certificates are known and not revoked."""
    by_key = {(one.operator_id, one.certificate_id): one for one in shown}
    keys = list(by_key)
    standing = set[ShownCertificate]()
    for start in range(0, len(keys), repository.KEYS_MAX):
        page = keys[start : start + repository.KEYS_MAX]
        standing |= {by_key[key] for key in await repository.find_standing(unit, page)}
    return standing


async def revoke_lane(unit: UnitOfWork, name: GateName, by: str, reason: str) -> Revocation:
    """Revoke every certificate of a lane and take back its unused tokens.

    Raises:
        InvalidInputError: `by` or `reason` is none.
    """
    person, why = _signed(by, reason)
    await repository.lock_gate(unit, name.lane_id)
    found = await repository.list_certificates(unit, name.operator_id, name.lane_id)
    ids = [row.id for row in found]
    certificates = await repository.revoke(unit, name.operator_id, ids, person, why)
    tokens = await repository.withdraw_enrolments(unit, name.operator_id, name.lane_id)
    return _revoked(Revocation(name.lane_id, certificates, tokens), person, why)


async def revoke_serial(unit: UnitOfWork, certificate_id: UUID, by: str, reason: str) -> Revocation:
    """Revoke a certificate, and those that were renewed from it.

    Raises:
        InvalidInputError: there is no such certificate, or `by` or `reason` is none.
    """
    person, why = _signed(by, reason)
    row = await repository.find_certificate_anywhere(unit, certificate_id)
    if row is None:
        raise InvalidInputError("serial", "the serial number of a gate's certificate")
    await repository.lock_gate(unit, row.lane_id)
    found = await repository.list_certificates(unit, row.operator_id, row.lane_id)
    ids = with_renewed(found, certificate_id)
    certificates = await repository.revoke(unit, row.operator_id, ids, person, why)
    return _revoked(Revocation(row.lane_id, certificates, 0), person, why)


async def list_certificates(unit: UnitOfWork, name: GateName | None) -> Sequence[GateCertificate]:
    """Return certificates of a lane, or of all, newest first."""
    if name is None:
        return await repository.list_all_certificates(unit)
    return await repository.list_certificates(unit, name.operator_id, name.lane_id)


async def _require_token(unit: UnitOfWork, lane_id: UUID, token: str) -> GateEnrolment:
    key = read_token(token)
    if key is None:
        raise EnrolmentRefusedError
    row = await repository.find_enrolment(unit, key.operator_id, key.enrolment_id)
    given = unit.vault.digest(_TOKEN_KIND, token)
    if row is None or row.lane_id != lane_id or not same_digest(row.token_digest, given):
        raise EnrolmentRefusedError
    return row


async def _same_again(
    unit: UnitOfWork, row: GateEnrolment, certificate_id: UUID, key: RequestedKey
) -> GateCertificate:
    made = await repository.find_certificate(unit, row.operator_id, certificate_id)
    is_same = made is not None and same_digest(made.key_digest, key_digest(key))
    if made is None or not is_same or made.revoked_at is not None or unit.now() >= row.expires_at:
        raise EnrolmentRefusedError
    return made


async def _issue(
    unit: UnitOfWork,
    authority: GateAuthority,
    name: GateName,
    key: RequestedKey,
    *,
    replaces_id: UUID | None,
) -> GateCertificate:
    digest = key_digest(key)
    found = await repository.list_certificates(unit, name.operator_id, name.lane_id)
    if any(row.revoked_at is not None and row.key_digest == digest for row in found):
        raise InvalidInputError(FIELD, "a new key: a certificate of this one was revoked")
    issued = await repository.count_issued_lately(unit, name.operator_id, name.lane_id)
    if issued >= CERTIFICATES_PER_DAY_MAX:
        raise TooManyCertificatesError(CERTIFICATES_PER_DAY_MAX)
    certificate_id, certificate = issue_gate(authority, key, name, unit.now())
    row = GateCertificate(
        operator_id=name.operator_id,
        id=certificate_id,
        lane_id=name.lane_id,
        certificate=pem_of(certificate),
        key_digest=digest,
        replaces_id=replaces_id,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )
    unit.session.add(row)
    await unit.session.flush()
    return row


def _signed(by: str, reason: str) -> tuple[str, str]:
    return (
        checked_words("by", by, PERSON_CHARACTERS_MAX),
        checked_words("reason", reason, REASON_CHARACTERS_MAX),
    )


def _revoked(revocation: Revocation, by: str, reason: str) -> Revocation:
    _log.warning(
        "gate_revoked",
        lane_id=str(revocation.lane_id),
        certificates=revocation.certificates,
        tokens=revocation.tokens,
        by=by,
        reason=reason,
    )
    return revocation
