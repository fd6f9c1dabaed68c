"""What administrators do about members: the places that they name must be the operator's."""

from collections.abc import Sequence
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.places import repository as places
from parking.staff import members, passkeys, repository
from parking.staff.audit import ActFilter, ActView, page
from parking.staff.members import Membership
from parking.staff.models import StaffMember, StaffSignIn
from parking.staff.passkeys import Invitation


async def add(
    context: ParkingContext,
    operator_id: UUID,
    *,
    name: str,
    email: str,
    membership: Membership,
    by: str,
) -> StaffMember:
    """Let somebody work for an operator; raises as `members.add`, and for a place of another."""
    async with context.database.begin() as unit:
        await _require_places(unit, operator_id, membership)
        return await members.add(unit, operator_id, name, email, membership, by=by)


async def set_roles(
    context: ParkingContext, operator_id: UUID, member_id: UUID, membership: Membership
) -> StaffMember:
    """Change what a member may do; raises as `members.set_roles`, and for a place of another."""
    async with context.database.begin() as unit:
        await _require_places(unit, operator_id, membership)
        return await members.set_roles(unit, operator_id, member_id, membership)


async def end(context: ParkingContext, operator_id: UUID, member_id: UUID) -> StaffMember:
    """Let a member in no more; raises as `members.end`."""
    async with context.database.begin() as unit:
        return await members.end(unit, operator_id, member_id)


async def invite(
    context: ParkingContext, operator_id: UUID, member_id: UUID, *, by: str
) -> Invitation:
    """Let a member register a passkey; raises as `passkeys.invite`."""
    async with context.database.begin() as unit:
        return await passkeys.invite(unit, operator_id, member_id, by=by)


async def end_passkeys(context: ParkingContext, operator_id: UUID, member_id: UUID) -> int:
    """End every passkey of a member and all they are signed in with; returns how many passkeys."""
    async with context.database.begin() as unit:
        ended = await passkeys.end_of_member(unit, operator_id, member_id)
        await repository.end_sign_ins(unit, operator_id, member_id=member_id)
        return ended


async def page_members(
    context: ParkingContext, operator_id: UUID, *, first: int, before: UUID | None
) -> Sequence[StaffMember]:
    """Return an operator's members, newest first."""
    async with context.database.begin() as unit:
        return await repository.page_members(unit, operator_id, first=first, before=before)


async def list_sign_ins(
    context: ParkingContext, operator_id: UUID, *, member_id: UUID | None, first: int
) -> Sequence[tuple[StaffSignIn, str]]:
    """Return the sign-ins that stand, with their members' names, the newest first."""
    async with context.database.begin() as unit:
        return await repository.list_sign_ins(unit, operator_id, member_id=member_id, first=first)


async def end_sign_in(context: ParkingContext, operator_id: UUID, sign_in_id: UUID) -> bool:
    """End a sign-in of the operator's; returns whether it ended now. Idempotent."""
    async with context.database.begin() as unit:
        return await repository.end_sign_ins(unit, operator_id, sign_in_id=sign_in_id) == 1


async def trail(
    context: ParkingContext,
    operator_id: UUID,
    wanted: ActFilter,
    *,
    first: int,
    before: UUID | None,
) -> list[ActView]:
    """Return what the operator's staff did, the newest first."""
    async with context.database.begin() as unit:
        return await page(unit, operator_id, wanted, first=first, before=before)


async def _require_places(unit: UnitOfWork, operator_id: UUID, membership: Membership) -> None:
    wanted = {(operator_id, place_id) for place_id in membership.place_ids or ()}
    if wanted and len(await places.find_places(unit, wanted)) != len(wanted):
        raise InvalidInputError("place_ids", "places of yours")
