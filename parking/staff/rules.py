"""Who staff are, what their roles are called, and what a name or an address may be."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from parking.kit.errors import InvalidInputError
from parking.staff.errors import StaffForbiddenError

NAME_LENGTH_MAX: Final = 80
EMAIL_LENGTH_MAX: Final = 254
PLACES_MAX: Final = 200
MEMBERS_MAX: Final = 1000
CLIENT_LENGTH_MAX: Final = 120
EMAIL_CONTEXT: Final = "staff.email"
# Whoever goes home does not stay signed in, and nobody for longer than a working week.
IDLE_PERIOD: Final = timedelta(hours=12)
SIGN_IN_PERIOD: Final = timedelta(days=7)
SIGN_INS_PER_MEMBER_MAX: Final = 10
_EMAIL: Final = re.compile(r"[^\s@<>\"(),:;\[\]\\]+@[a-z0-9-]+(\.[a-z0-9-]+)+")


class Role(StrEnum):
    """What somebody does for the operator."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    FINANCE = "finance"
    MARKETING_AUTHOR = "marketing_author"
    MARKETING_APPROVER = "marketing_approver"
    ADMIN = "admin"


class SignInMethod(StrEnum):
    """How a member proved who they are."""

    OIDC = "oidc"
    PASSKEY = "passkey"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class StaffIdentity:
    """Who asks, as the rows stand at this moment.

    Attributes:
        member_id: None for a token of `sesame staff token`, which sets an installation up.
        places: To which the member is limited; None for all of the operator's.
    """

    operator_id: UUID
    name: str
    roles: frozenset[Role]
    expires_at: datetime
    member_id: UUID | None = None
    sign_in_id: UUID | None = None
    places: frozenset[UUID] | None = None

    @property
    def recorded_name(self) -> str:
        """The name as it is kept beside what they decide: with their operator's id."""
        return f"{self.operator_id}:{self.name}"

    def sees(self, place_id: UUID | None) -> bool:
        """Return whether something at this place may be shown; None for of no place."""
        return self.places is None or place_id in self.places

    def require(self, roles: Collection[Role]) -> None:
        """Let whoever has one of the roles pass; an administrator has them all.

        Raises:
            StaffForbiddenError: the member has none.
        """
        if Role.ADMIN not in self.roles and self.roles.isdisjoint(roles):
            needed = " or ".join(role.value for role in Role if role in {*roles, Role.ADMIN})
            raise StaffForbiddenError(f"the role {needed}")


def checked_name(name: str) -> str:
    """Return a person's name as it is kept.

    Raises:
        InvalidInputError: it is empty, too long, or holds what cannot be printed.
    """
    person = unicodedata.normalize("NFC", name.strip())
    if not 0 < len(person) <= NAME_LENGTH_MAX or not person.isprintable():
        raise InvalidInputError("name", f"1 to {NAME_LENGTH_MAX} printable characters")
    return person


def checked_email(email: str) -> str:
    """Return an address as it is compared: providers tell it in any case.

    Raises:
        InvalidInputError: it is none.
    """
    address = unicodedata.normalize("NFC", email.strip()).casefold()
    if len(address) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(address):
        raise InvalidInputError("email", "an address such as ada@example.org")
    return address


def checked_roles(roles: Iterable[Role]) -> list[Role]:
    """Return the roles, each once, in their order.

    Raises:
        InvalidInputError: there is none.
    """
    given = set(roles)
    if not given:
        raise InvalidInputError("roles", "at least one")
    return [role for role in Role if role in given]


def checked_places(place_ids: Collection[UUID] | None) -> list[UUID] | None:
    """Return the places, each once; None for all.

    Raises:
        InvalidInputError: there are none, or too many.
    """
    if place_ids is None:
        return None
    if not 0 < len(set(place_ids)) <= PLACES_MAX:
        raise InvalidInputError("place_ids", f"1 to {PLACES_MAX} places, or none for all")
    return sorted(set(place_ids))


def sign_in_ends_at(created_at: datetime, now: datetime) -> datetime:
    """Return until when a sign-in that was used now may be refreshed."""
    return min(now + IDLE_PERIOD, created_at + SIGN_IN_PERIOD)
