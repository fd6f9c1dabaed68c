"""Who works for the operator, who is signed in, and what everybody did: for administrators."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from api.acting import Given, outcome_of, refusable
from api.config import PAGE_SIZE
from api.global_ids import decode_id, decode_keys, encode_id
from api.idempotency import by_staff, keyed
from api.request import Info
from api.staff.member_types import (
    MEMBER_KIND,
    PLACE_KIND,
    SIGN_IN_KIND,
    StaffActPage,
    StaffActRecord,
    StaffMe,
    StaffMemberPage,
    StaffMemberRecord,
    StaffSignInRecord,
)
from api.staff.sign_in_page import INVITATION_PATH
from api.types.page import PageInfo, require_page_size
from parking.flows.staff import member_desk
from parking.kit.errors import InvalidInputError
from parking.staff.audit import ActFilter
from parking.staff.errors import StaffMemberUnknownError
from parking.staff.members import Membership
from parking.staff.rules import PLACES_MAX, Role, StaffIdentity

_MEMBER_CURSOR = "StaffMemberCursor"
_ACT_CURSOR = "StaffActCursor"
SIGN_INS_LISTED_MAX = 100


@strawberry.type(description="The member as they stand now.")
class StaffMemberStored:
    """The member is stored."""

    member: StaffMemberRecord


@strawberry.type(description="The sign-in opens nothing any more.")
class StaffSignInEnded:
    """The sign-in has ended."""

    sign_in_id: strawberry.ID
    has_changed: bool = strawberry.field(description="False where it had ended before.")


@strawberry.type(description="A link that registers a passkey, once; shown this once.")
class StaffMemberInvited:
    """A member is invited."""

    url: str = strawberry.field(description="Give it to the member only: it lets them in.")
    expires_at: datetime


@strawberry.type(description="None of the member's passkeys opens anything any more.")
class StaffPasskeysEnded:
    """The passkeys have ended."""

    ended: int = strawberry.field(description="How many ended now.")


@strawberry.input
class InviteStaffMemberInput:
    """Whom to invite."""

    member_id: strawberry.ID


@strawberry.input
class EndStaffPasskeysInput:
    """Whose device is lost."""

    member_id: strawberry.ID


@strawberry.input
class AddStaffMemberInput:
    """Whom to let in."""

    name: str = strawberry.field(description="Kept with what they decide.")
    email: str = strawberry.field(description="By which the sign-in provider knows them.")
    roles: list[Role]
    place_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Leave it out for all places, those to come too."
    )


@strawberry.input
class SetStaffRolesInput:
    """What a member may do from now on."""

    member_id: strawberry.ID
    roles: list[Role]
    place_ids: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Leave it out for all places."
    )


@strawberry.input
class EndStaffMemberInput:
    """Whom to let in no more."""

    member_id: strawberry.ID


@strawberry.input
class EndStaffSignInInput:
    """Which sign-in."""

    sign_in_id: strawberry.ID


@keyed(by_staff, at_once=True)
async def add_staff_member(
    info: Info, given: Annotated[AddStaffMemberInput, Given]
) -> StaffMemberStored:
    """Let somebody work for the operator."""
    staff = info.context.staff()
    member = await member_desk.add(
        info.context.parking,
        staff.operator_id,
        name=given.name,
        email=given.email,
        membership=_membership(staff, given.roles, given.place_ids),
        by=staff.recorded_name,
    )
    return StaffMemberStored(member=StaffMemberRecord.of(member, info.context.parking.vault))


@keyed(by_staff, at_once=True)
async def set_staff_roles(
    info: Info, given: Annotated[SetStaffRolesInput, Given]
) -> StaffMemberStored:
    """Change what a member may do."""
    staff = info.context.staff()
    member = await member_desk.set_roles(
        info.context.parking,
        staff.operator_id,
        _member_id(staff, given.member_id),
        _membership(staff, given.roles, given.place_ids),
    )
    return StaffMemberStored(member=StaffMemberRecord.of(member, info.context.parking.vault))


@keyed(by_staff, at_once=True)
async def end_staff_member(
    info: Info, given: Annotated[EndStaffMemberInput, Given]
) -> StaffMemberStored:
    """Let a member in no more."""
    staff = info.context.staff()
    member_id = _member_id(staff, given.member_id)
    member = await member_desk.end(info.context.parking, staff.operator_id, member_id)
    return StaffMemberStored(member=StaffMemberRecord.of(member, info.context.parking.vault))


@keyed(by_staff, at_once=True)
async def end_staff_sign_in(
    info: Info, given: Annotated[EndStaffSignInInput, Given]
) -> StaffSignInEnded:
    """End a sign-in; one of another operator answers like one that had ended."""
    staff = info.context.staff()
    keys = decode_keys(given.sign_in_id, kind=SIGN_IN_KIND, count=2, field="signInId")
    has_changed = keys[0] == staff.operator_id and await member_desk.end_sign_in(
        info.context.parking, staff.operator_id, keys[1]
    )
    return StaffSignInEnded(sign_in_id=given.sign_in_id, has_changed=has_changed)


@refusable
async def invite_staff_member(
    info: Info, given: Annotated[InviteStaffMemberInput, Given]
) -> StaffMemberInvited:
    """Let a member register a passkey."""
    staff, parking = info.context.staff(), info.context.parking
    member_id = _member_id(staff, given.member_id)
    invited = await member_desk.invite(
        parking, staff.operator_id, member_id, by=staff.recorded_name
    )
    # Behind the `#`, so that no log and no proxy sees it.
    url = f"{parking.public_url}{INVITATION_PATH}#{invited.token}"
    return StaffMemberInvited(url=url, expires_at=invited.expires_at)


@keyed(by_staff, at_once=True)
async def end_staff_passkeys(
    info: Info, given: Annotated[EndStaffPasskeysInput, Given]
) -> StaffPasskeysEnded:
    """End a member's passkeys."""
    staff = info.context.staff()
    member_id = _member_id(staff, given.member_id)
    ended = await member_desk.end_passkeys(info.context.parking, staff.operator_id, member_id)
    return StaffPasskeysEnded(ended=ended)


@strawberry.type
class MemberQueries:
    """The reads about members."""

    @strawberry.field(description="Who you are here, and what you may do.")
    async def me(self, info: Info) -> StaffMe:
        """Return who asks."""
        return StaffMe.of(info.context.staff())

    @strawberry.field(description="Who works for you, and who did.")
    async def staff_members(
        self, info: Info, first: int = PAGE_SIZE, after: str | None = None
    ) -> StaffMemberPage:
        """Return a page of members."""
        parking = info.context.parking
        require_page_size(first)
        before = None if after is None else decode_id(after, kind=_MEMBER_CURSOR, field="after")
        # One more than asked for tells whether there is a next page.
        found = await member_desk.page_members(
            parking, info.context.staff().operator_id, first=first + 1, before=before
        )
        shown = found[:first]
        return StaffMemberPage(
            nodes=[StaffMemberRecord.of(member, parking.vault) for member in shown],
            page_info=PageInfo.of(
                [encode_id(_MEMBER_CURSOR, member.id) for member in shown],
                has_more=len(found) > first,
                after=after,
            ),
        )

    @strawberry.field(description="Who is signed in with what, the newest first; at most 100.")
    async def staff_sign_ins(
        self, info: Info, member_id: strawberry.ID | None = None
    ) -> list[StaffSignInRecord]:
        """Return the sign-ins that stand."""
        staff = info.context.staff()
        found = await member_desk.list_sign_ins(
            info.context.parking,
            staff.operator_id,
            member_id=_key(member_id, MEMBER_KIND, "memberId"),
            first=SIGN_INS_LISTED_MAX,
        )
        return [StaffSignInRecord.of(row, name) for row, name in found]

    @strawberry.field(
        description="What your staff did and were refused, the newest first; it is never changed."
    )
    async def audit_trail(
        self,
        info: Info,
        member_id: strawberry.ID | None = None,
        place_id: strawberry.ID | None = None,
        action: str | None = None,
        first: int = PAGE_SIZE,
        after: str | None = None,
    ) -> StaffActPage:
        """Return a page of acts."""
        staff = info.context.staff()
        require_page_size(first)
        wanted = ActFilter(
            member_id=_key(member_id, MEMBER_KIND, "memberId"),
            place_id=_key(place_id, PLACE_KIND, "placeId"),
            action=action,
        )
        found = await member_desk.trail(
            info.context.parking,
            staff.operator_id,
            wanted,
            first=first + 1,
            before=None if after is None else decode_id(after, kind=_ACT_CURSOR, field="after"),
        )
        shown = found[:first]
        return StaffActPage(
            nodes=[StaffActRecord.of(view) for view in shown],
            page_info=PageInfo.of(
                [encode_id(_ACT_CURSOR, view.id) for view in shown],
                has_more=len(found) > first,
                after=after,
            ),
        )


@strawberry.type
class MemberMutations:
    """The writes about members."""

    add_staff_member = strawberry.mutation(
        add_staff_member,
        graphql_type=outcome_of(StaffMemberStored, "AddStaffMemberResult"),
        description="Let somebody work for you. They sign in through your provider by this "
        "address, or with a passkey by an invitation. Nobody else ever gets the name.",
    )
    set_staff_roles = strawberry.mutation(
        set_staff_roles,
        graphql_type=outcome_of(StaffMemberStored, "SetStaffRolesResult"),
        description="Change what a member may do and where; it counts with their next request. "
        "Your own is refused with OWN_ROLES. Repeating it changes nothing.",
    )
    end_staff_member = strawberry.mutation(
        end_staff_member,
        graphql_type=outcome_of(StaffMemberStored, "EndStaffMemberResult"),
        description="Let a member in no more; all they are signed in with ends at once. Repeating "
        "it changes nothing.",
    )
    invite_staff_member = strawberry.mutation(
        invite_staff_member,
        graphql_type=outcome_of(StaffMemberInvited, "InviteStaffMemberResult"),
        description="Make a link by which a member registers a passkey within a day; each link is "
        "good once.",
    )
    end_staff_passkeys = strawberry.mutation(
        end_staff_passkeys,
        graphql_type=outcome_of(StaffPasskeysEnded, "EndStaffPasskeysResult"),
        description="End all passkeys of a member and all they are signed in with, as after a "
        "device was lost; then invite them again. Repeating it changes nothing.",
    )
    end_staff_sign_in = strawberry.mutation(
        end_staff_sign_in,
        graphql_type=outcome_of(StaffSignInEnded, "EndStaffSignInResult"),
        description="End one sign-in at once. Repeating it changes nothing.",
    )


def _membership(
    staff: StaffIdentity, roles: Sequence[Role], place_ids: Sequence[strawberry.ID] | None
) -> Membership:
    if place_ids is None:
        return Membership(roles)
    if len(place_ids) > PLACES_MAX:
        raise InvalidInputError("placeIds", f"1 to {PLACES_MAX} places")
    keys = [decode_keys(one, kind=PLACE_KIND, count=2, field="placeIds") for one in place_ids]
    if any(key[0] != staff.operator_id for key in keys):
        raise InvalidInputError("placeIds", "places of yours")
    return Membership(roles, [key[1] for key in keys])


def _member_id(staff: StaffIdentity, text: str) -> UUID:
    operator_id, member_id = decode_keys(text, kind=MEMBER_KIND, count=2, field="memberId")
    if operator_id != staff.operator_id:
        raise StaffMemberUnknownError
    return member_id


def _key(text: str | None, kind: str, field: str) -> UUID | None:
    # Whose it says it is does not matter: only what is the asking operator's is looked at.
    return None if text is None else decode_keys(text, kind=kind, count=2, field=field)[1]
