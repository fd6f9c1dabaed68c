"""What holds for tokens and certificates of gates, without I/O."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from parking.gates.models import GateCertificate, GateEnrolment
from parking.kit.errors import InvalidInputError

ENROLMENT_PERIOD: Final = timedelta(hours=24)
ENROLMENT_PERIOD_MAX: Final = timedelta(days=7)
ENROLMENTS_OPEN_MAX: Final = 3
CERTIFICATES_PER_DAY_MAX: Final = 10
PERSON_CHARACTERS_MAX: Final = 80
REASON_CHARACTERS_MAX: Final = 200
TOKEN_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class EnrolmentKey:
    """Where the row of a token is."""

    operator_id: UUID
    enrolment_id: UUID


def read_token(token: str) -> EnrolmentKey | None:
    """Return where the row of a token is; None for what cannot be a token."""
    operator, _, rest = token.partition(".")
    enrolment, _, secret = rest.partition(".")
    if len(token) > TOKEN_CHARACTERS_MAX or not secret:
        return None
    try:
        return EnrolmentKey(UUID(hex=operator), UUID(hex=enrolment))
    except ValueError:
        return None


def is_open(row: GateEnrolment, now: datetime) -> bool:
    """Return whether a token may still bring a certificate."""
    return row.used_at is None and row.withdrawn_at is None and now < row.expires_at


def checked_period(period: timedelta) -> timedelta:
    """Return how long a token lives.

    Raises:
        InvalidInputError: not at all, or too long.
    """
    if not timedelta(0) < period <= ENROLMENT_PERIOD_MAX:
        raise InvalidInputError("valid", f"up to {ENROLMENT_PERIOD_MAX.days} days")
    return period


def checked_words(field: str, text: str, characters_max: int) -> str:
    """Return who acts, or why, without spaces around it.

    Raises:
        InvalidInputError: nothing, too much, or not printable.
    """
    words = text.strip()
    if not 0 < len(words) <= characters_max or not words.isprintable():
        raise InvalidInputError(field, f"1 to {characters_max} printable characters")
    return words


def with_renewed(found: Iterable[GateCertificate], certificate_id: UUID) -> Collection[UUID]:
    """Return a certificate with all that were renewed from it: its key asked for them."""
    chosen = {certificate_id}
    # A renewal has a later id than what it replaces.
    for row in sorted(found, key=lambda row: row.id):
        if row.replaces_id in chosen:
            chosen.add(row.id)
    return chosen
