"""Members: who works for an operator, as what, and where."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from parking.kit.crypto import Vault
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id
from parking.kit.locks import lock
from parking.staff import acting, repository, rules
from parking.staff.errors import OwnRolesError, StaffMemberExistsError, StaffMemberUnknownError
from parking.staff.models import StaffMember
from parking.staff.rules import Role


@dataclass(frozen=True, slots=True)
class Membership:
    """What somebody does and where; `place_ids` None for all places."""

    roles: Collection[Role]
    place_ids: Collection[UUID] | None = None


def email_index(vault: Vault, email: str) -> UUID:
    """Return the key under which an address is found."""
    return vault.blind_index(rules.EMAIL_CONTEXT, rules.checked_email(email))


def email_of(vault: Vault, member: StaffMember) -> str:
    """Return a member's address."""
    return vault.open(member.email_sealed, context=rules.EMAIL_CONTEXT)


async def add(
    unit: UnitOfWork, operator_id: UUID, name: str, email: str, membership: Membership, *, by: str
) -> StaffMember:
    """Let somebody work for an operator; the caller has checked whose the places are.

    Raises:
        InvalidInputError: a value is unusable.
        StaffMemberExistsError: the name was ever taken, or the address is in use.
    """
    person, address = rules.checked_name(name), rules.checked_email(email)
    if await repository.is_taken(
        unit, operator_id, name=person, email_index=email_index(unit.vault, address)
    ):
        raise StaffMemberExistsError
    places = rules.checked_places(membership.place_ids)
    member = StaffMember(
        operator_id=operator_id,
        id=new_id(unit.now()),
        name=person,
        email_index=email_index(unit.vault, address),
        email_sealed=unit.vault.seal(address, context=rules.EMAIL_CONTEXT),
        roles=[role.value for role in rules.checked_roles(membership.roles)],
        place_ids=None if places is None else [str(place) for place in places],
        added_by=by,
        added_at=unit.now(),
    )
    unit.session.add(member)
    acting.note_change(before=None, after=shown(member))
    return member


async def set_roles(
    unit: UnitOfWork, operator_id: UUID, member_id: UUID, membership: Membership
) -> StaffMember:
    """Change what a member may do; it counts with their next operation. Idempotent.

    Raises:
        InvalidInputError: there is no role, or no place.
        StaffMemberUnknownError: the operator has no such member.
        OwnRolesError: it is who asks.
    """
    roles, places = (
        rules.checked_roles(membership.roles),
        rules.checked_places(membership.place_ids),
    )
    member = await _lock(unit, operator_id, member_id)
    before = shown(member)
    member.roles = [role.value for role in roles]
    member.place_ids = None if places is None else [str(place) for place in places]
    unit.session.add(member)
    acting.note_change(before=before, after=shown(member))
    return member


async def end(unit: UnitOfWork, operator_id: UUID, member_id: UUID) -> StaffMember:
    """Let a member in no more; whatever they are signed in with ends now. Idempotent.

    Raises:
        StaffMemberUnknownError: the operator never had such a member.
        OwnRolesError: it is who asks.
    """
    member = await _lock(unit, operator_id, member_id, also_ended=True)
    if member.ended_at is None:
        before = shown(member)
        member.ended_at = unit.now()
        unit.session.add(member)
        acting.note_change(before=before, after=shown(member))
    await repository.end_sign_ins(unit, operator_id, member_id=member_id)
    return member


def shown(member: StaffMember) -> dict[str, object]:
    """Return a membership as the record of acts keeps it."""
    return {
        "member": str(member.id),
        "name": member.name,
        "roles": list(member.roles),
        "places": None if member.place_ids is None else list(member.place_ids),
        "ended": member.ended_at is not None,
    }


async def _lock(
    unit: UnitOfWork, operator_id: UUID, member_id: UUID, *, also_ended: bool = False
) -> StaffMember:
    actor = acting.current()
    if actor is not None and actor.identity.member_id == member_id:
        raise OwnRolesError
    member = await lock(unit, StaffMember, operator_id=operator_id, id=member_id)
    if member is None or (member.ended_at is not None and not also_ended):
        raise StaffMemberUnknownError
    return member
