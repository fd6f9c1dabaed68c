"""Members, their sign-ins and what they did, as administrators see them."""

from datetime import datetime
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from api.global_ids import encode_id
from api.types.page import PageInfo
from parking.kit.crypto import Vault
from parking.staff.acting import Outcome
from parking.staff.audit import ActView
from parking.staff.members import email_of
from parking.staff.models import StaffMember, StaffSignIn
from parking.staff.rules import Role, SignInMethod, StaffIdentity

MEMBER_KIND = "StaffMember"
SIGN_IN_KIND = "StaffSignIn"
ACT_KIND = "StaffAct"
PLACE_KIND = "Place"

strawberry.enum(
    Role,
    name="StaffRole",
    description="What somebody does for the operator; docs/staff.md says what each may. More "
    "values may come.",
)
strawberry.enum(
    SignInMethod, name="StaffSignInMethod", description="How a member proved who they are."
)
strawberry.enum(
    Outcome,
    name="StaffActOutcome",
    description="DONE: it is done. REFUSED: nothing was done, or no more of it; `code` says why. "
    "FAILED: a defect of ours ended it.",
)


@strawberry.type(description="Who you are here, and what you may do at this moment.")
class StaffMe:
    """Who asks."""

    member_id: strawberry.ID | None = strawberry.field(
        description="Null for a token of `sesame staff token`."
    )
    name: str
    roles: list[Role]
    place_ids: list[strawberry.ID] | None = strawberry.field(description="Null for all places.")
    sign_in_id: strawberry.ID | None = strawberry.field(description="The one that asks.")

    @classmethod
    def of(cls, staff: StaffIdentity) -> "StaffMe":
        """Return the member that asks."""
        operator_id = staff.operator_id
        places = None if staff.places is None else sorted(staff.places)
        return cls(
            member_id=staff.member_id and encode_id(MEMBER_KIND, operator_id, staff.member_id),
            name=staff.name,
            roles=[role for role in Role if role in staff.roles],
            place_ids=None
            if places is None
            else [encode_id(PLACE_KIND, operator_id, place) for place in places],
            sign_in_id=staff.sign_in_id and encode_id(SIGN_IN_KIND, operator_id, staff.sign_in_id),
        )


@strawberry.type(description="Somebody who works for you, or did.")
class StaffMemberRecord:
    """A member."""

    id: strawberry.ID
    name: str = strawberry.field(description="Kept with what they decide; never another's later.")
    email: str
    roles: list[Role]
    place_ids: list[strawberry.ID] | None = strawberry.field(description="Null for all places.")
    added_by: str
    added_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, member: StaffMember, vault: Vault) -> "StaffMemberRecord":
        """Return the member for an administrator."""
        operator_id = member.operator_id
        return cls(
            id=encode_id(MEMBER_KIND, operator_id, member.id),
            name=member.name,
            email=email_of(vault, member),
            roles=[role for role in Role if role.value in member.roles],
            place_ids=None
            if member.place_ids is None
            else [encode_id(PLACE_KIND, operator_id, UUID(one)) for one in member.place_ids],
            added_by=member.added_by,
            added_at=member.added_at,
            ended_at=member.ended_at,
        )


@strawberry.type(description="A page of members, the newest first.")
class StaffMemberPage:
    """A page of members."""

    nodes: list[StaffMemberRecord]
    page_info: PageInfo


@strawberry.type(description="A browser that a member is signed in with.")
class StaffSignInRecord:
    """A sign-in."""

    id: strawberry.ID
    member_id: strawberry.ID
    member_name: str
    method: SignInMethod
    client: str = strawberry.field(description="What the browser calls itself.")
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime = strawberry.field(description="Unless it is used before.")

    @classmethod
    def of(cls, row: StaffSignIn, name: str) -> "StaffSignInRecord":
        """Return the sign-in for an administrator."""
        return cls(
            id=encode_id(SIGN_IN_KIND, row.operator_id, row.id),
            member_id=encode_id(MEMBER_KIND, row.operator_id, row.member_id),
            member_name=name,
            method=SignInMethod(row.method),
            client=row.client,
            created_at=row.created_at,
            refreshed_at=row.refreshed_at,
            expires_at=row.expires_at,
        )


@strawberry.type(description="What a member did, or was refused. It is never changed or deleted.")
class StaffActRecord:
    """One row of the record."""

    id: strawberry.ID
    act_id: strawberry.ID = strawberry.field(
        description="The same for the rows of one act: a later one says that it ended otherwise."
    )
    member_id: strawberry.ID | None = strawberry.field(
        description="Null for a token of `sesame staff token`, and for a command."
    )
    name: str
    roles: list[str]
    action: str = strawberry.field(description="The field that was asked for, or the command.")
    arguments: JSON = strawberry.field(description="Without secrets; a long text as its digest.")
    place_id: strawberry.ID | None
    outcome: Outcome
    code: str | None = strawberry.field(description="Of a refusal.")
    before: JSON | None
    after: JSON | None
    correlation_id: str
    happened_at: datetime

    @classmethod
    def of(cls, view: ActView) -> "StaffActRecord":
        """Return the row for an administrator."""
        operator_id = view.operator_id
        return cls(
            id=encode_id(ACT_KIND, operator_id, view.id),
            act_id=encode_id(ACT_KIND, operator_id, view.act_id),
            member_id=view.member_id and encode_id(MEMBER_KIND, operator_id, view.member_id),
            name=view.name,
            roles=list(view.roles),
            action=view.action,
            arguments=JSON(view.arguments),
            place_id=view.place_id and encode_id(PLACE_KIND, operator_id, view.place_id),
            outcome=view.outcome,
            code=view.code,
            before=None if view.before is None else JSON(view.before),
            after=None if view.after is None else JSON(view.after),
            correlation_id=view.correlation_id,
            happened_at=view.happened_at,
        )


@strawberry.type(description="A page of acts, the newest first.")
class StaffActPage:
    """A page of acts."""

    nodes: list[StaffActRecord]
    page_info: PageInfo
