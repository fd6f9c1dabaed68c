"""Every query about staff members and their sign-ins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row as ResultRow
from sqlalchemy import text, update
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.staff.models import StaffMember, StaffSignIn
from parking.staff.rules import SIGN_INS_PER_MEMBER_MAX

# The roles of this moment: a change or an end counts with the next operation.
_IDENTITY: Final = text(
    """
    SELECT member.id, member.name, member.roles, member.place_ids FROM staff_sign_ins AS sign_in
    JOIN staff_members AS member
        ON member.operator_id = sign_in.operator_id AND member.id = sign_in.member_id
    WHERE sign_in.operator_id = :operator_id AND sign_in.id = :sign_in_id
        AND sign_in.revoked_at IS NULL AND sign_in.expires_at > :now AND member.ended_at IS NULL
    """
)


async def find_identity(
    unit: UnitOfWork, operator_id: UUID, sign_in_id: UUID
) -> ResultRow[Any] | None:
    """Return the member of a sign-in that stands: id, name, roles, places."""
    values = {"operator_id": operator_id, "sign_in_id": sign_in_id, "now": unit.now()}
    return (await unit.run(_IDENTITY, values)).one_or_none()


async def find_member(unit: UnitOfWork, operator_id: UUID, member_id: UUID) -> StaffMember | None:
    """Return one member, also one who has ended."""
    return await unit.session.get(StaffMember, (operator_id, member_id))


async def is_taken(unit: UnitOfWork, operator_id: UUID, *, name: str, email_index: UUID) -> bool:
    """Return whether the operator ever had the name, or somebody active has the address."""
    statement = select(StaffMember.id).where(
        ((col(StaffMember.operator_id) == operator_id) & (col(StaffMember.name) == name))
        | ((col(StaffMember.email_index) == email_index) & col(StaffMember.ended_at).is_(None))
    )
    return (await unit.session.exec(statement.limit(1))).first() is not None


async def find_active(
    unit: UnitOfWork, *, email_index: UUID | None = None, provider_index: UUID | None = None
) -> StaffMember | None:
    """Return who works anywhere and has this address, or comes by this account."""
    statement = select(StaffMember).where(col(StaffMember.ended_at).is_(None))
    if email_index is not None:
        statement = statement.where(col(StaffMember.email_index) == email_index)
    else:
        statement = statement.where(col(StaffMember.provider_index) == provider_index)
    return (await unit.session.exec(statement)).one_or_none()


async def page_members(
    unit: UnitOfWork, operator_id: UUID, *, first: int, before: UUID | None = None
) -> Sequence[StaffMember]:
    """Return an operator's members, newest first, those who have ended too."""
    statement = (
        select(StaffMember)
        .where(col(StaffMember.operator_id) == operator_id)
        .order_by(col(StaffMember.id).desc())
        .limit(first)
    )
    if before is not None:
        statement = statement.where(col(StaffMember.id) < before)
    return (await unit.session.exec(statement)).all()


async def list_sign_ins(
    unit: UnitOfWork, operator_id: UUID, *, member_id: UUID | None, first: int
) -> Sequence[tuple[StaffSignIn, str]]:
    """Return the sign-ins that stand with their members' names, the newest first."""
    statement = (
        select(StaffSignIn, StaffMember.name)
        .join(
            StaffMember,
            (col(StaffMember.operator_id) == col(StaffSignIn.operator_id))
            & (col(StaffMember.id) == col(StaffSignIn.member_id)),
        )
        .where(col(StaffSignIn.operator_id) == operator_id, col(StaffSignIn.revoked_at).is_(None))
        .where(col(StaffSignIn.expires_at) > unit.now())
        .order_by(col(StaffSignIn.id).desc())
        .limit(first)
    )
    if member_id is not None:
        statement = statement.where(col(StaffSignIn.member_id) == member_id)
    return (await unit.session.exec(statement)).all()


async def rotate_refresh(
    unit: UnitOfWork,
    sign_in: StaffSignIn,
    *,
    old_digest: bytes,
    new_digest: bytes,
    expires_at: datetime,
) -> bool:
    """Replace the refresh token where `old_digest` is the valid one; returns whether it was."""
    statement = (
        update(StaffSignIn)
        .where(col(StaffSignIn.operator_id) == sign_in.operator_id)
        .where(col(StaffSignIn.id) == sign_in.id, col(StaffSignIn.refresh_digest) == old_digest)
        .where(col(StaffSignIn.revoked_at).is_(None), col(StaffSignIn.expires_at) > unit.now())
        .values(refresh_digest=new_digest, refreshed_at=unit.now(), expires_at=expires_at)
    )
    return (await unit.run(statement)).rowcount == 1


async def end_sign_ins(
    unit: UnitOfWork,
    operator_id: UUID,
    *,
    member_id: UUID | None = None,
    sign_in_id: UUID | None = None,
) -> int:
    """End one sign-in, or all of a member; returns how many ended now."""
    statement = (
        update(StaffSignIn)
        .where(col(StaffSignIn.operator_id) == operator_id, col(StaffSignIn.revoked_at).is_(None))
        .values(revoked_at=unit.now())
    )
    if sign_in_id is not None:
        statement = statement.where(col(StaffSignIn.id) == sign_in_id)
    else:
        statement = statement.where(col(StaffSignIn.member_id) == member_id)
    return (await unit.run(statement)).rowcount


async def end_surplus(unit: UnitOfWork, operator_id: UUID, member_id: UUID) -> None:
    """Leave room for one sign-in more: those that were used last stay."""
    surplus = (
        select(StaffSignIn.id)
        .where(col(StaffSignIn.operator_id) == operator_id)
        .where(col(StaffSignIn.member_id) == member_id, col(StaffSignIn.revoked_at).is_(None))
        .order_by(col(StaffSignIn.refreshed_at).desc())
        .offset(SIGN_INS_PER_MEMBER_MAX - 1)
    )
    await unit.run(
        update(StaffSignIn)
        .where(col(StaffSignIn.operator_id) == operator_id, col(StaffSignIn.id).in_(surplus))
        .values(revoked_at=unit.now())
    )
