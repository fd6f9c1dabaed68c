"""Staff of an operator, signed in, as the tests of their realm need them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from parking.flows.staff import member_desk
from parking.staff import sign_ins
from parking.staff.members import Membership
from parking.staff.models import StaffMember
from parking.staff.rules import Role, SignInMethod
from parking.staff.sign_ins import StaffSignedIn
from tests.factories.api import ApiWorld

STAFF_PATH: Final = "/staff/graphql"
CLIENT: Final = "Firefox"


@dataclass(frozen=True, slots=True)
class Hired:
    """A member who is signed in."""

    member: StaffMember
    signed_in: StaffSignedIn

    @property
    def token(self) -> str:
        return self.signed_in.access_token


async def hire(
    api: ApiWorld,
    name: str,
    roles: Collection[Role],
    *,
    places: Collection[UUID] | None = None,
    operator_id: UUID | None = None,
) -> Hired:
    """Let somebody work for the operator of the lanes, or another one, and sign them in."""
    member = await member_desk.add(
        api.lanes.context,
        operator_id or api.lanes.entry.operator_id,
        name=name,
        email=f"{name.lower().replace(' ', '.')}@example.org",
        membership=Membership(roles, places),
        by="a test",
    )
    return Hired(member, await sign_in(api, member))


async def sign_in(api: ApiWorld, member: StaffMember) -> StaffSignedIn:
    """Sign a member in anew."""
    async with api.lanes.context.database.begin() as unit:
        return await sign_ins.open_sign_in(
            unit, api.tokens, member, method=SignInMethod.COMMAND, client=CLIENT
        )


async def ask_staff(
    api: ApiWorld, token: str, query: str, variables: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the data of a staff operation; there must be no errors."""
    return await api.ask(query, variables, token=token, path=STAFF_PATH)


async def code_of(
    api: ApiWorld, token: str | None, query: str, variables: dict[str, Any] | None = None
) -> str:
    """Return the code of the one error of a staff operation."""
    body = await api.post(query, variables, token=token, path=STAFF_PATH)
    [error] = body["errors"]
    return error["extensions"]["code"]
