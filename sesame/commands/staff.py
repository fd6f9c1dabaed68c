"""`sesame staff`: who works for an operator, and tokens to set one up with."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID, uuid4

import typer

from parking.flows.context import ParkingContext
from parking.flows.staff import member_desk
from parking.kit.clock import SystemClock
from parking.staff import acting
from parking.staff.acting import Act
from parking.staff.members import Membership, email_of
from parking.staff.models import StaffMember
from parking.staff.rules import MEMBERS_MAX, Role, StaffIdentity, checked_name
from sesame.settings import Settings
from sesame.wiring import open_context, token_issuer

COMMAND_NAME: Final = "sesame staff"
# It lives as long as the command.
_PERIOD: Final = timedelta(minutes=1)

staff_app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Let people in who work for an operator."
)
Operator = Annotated[UUID, typer.Option(help="The operator's id.")]
Member = Annotated[UUID, typer.Option(help="The member's id, as `list` shows it.")]
Roles = Annotated[list[Role], typer.Option("--role", help="Once for each role.")]
Places = Annotated[
    list[UUID] | None, typer.Option("--place", help="Once for each place; none for all.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Result = TypeVar("Result")


@staff_app.command("add")
def add_command(
    operator: Operator,
    name: Annotated[str, typer.Option(help="Kept with what they decide.")],
    email: Annotated[str, typer.Option(help="By which the sign-in provider knows them.")],
    role: Roles,
    place: Places = None,
    *,
    json_output: AsJson = False,
) -> None:
    """Let somebody work for an operator."""
    membership = Membership(role, place or None)

    async def add(context: ParkingContext) -> dict[str, Any]:
        member = await member_desk.add(
            context, operator, name=name, email=email, membership=membership, by=COMMAND_NAME
        )
        return _shown(context, member)

    told = {"name": name, "email": email, **_told(role, place)}
    _print(_act(operator, "staff add", told, add), json_output=json_output)


@staff_app.command("list")
def list_command(operator: Operator, *, json_output: AsJson = False) -> None:
    """List who works for an operator, and who did."""

    async def read() -> list[dict[str, Any]]:
        async with open_context(Settings()) as context:
            found = await member_desk.page_members(
                context, operator, first=MEMBERS_MAX, before=None
            )
            return [_shown(context, member) for member in found]

    members = asyncio.run(read())
    if json_output:
        typer.echo(json.dumps({"members": members}))
        return
    for member in members:
        _print(member, json_output=False)


@staff_app.command("set-roles")
def set_roles_command(
    operator: Operator,
    member: Member,
    role: Roles,
    place: Places = None,
    *,
    json_output: AsJson = False,
) -> None:
    """Change what a member may do, and where."""
    membership = Membership(role, place or None)

    async def change(context: ParkingContext) -> dict[str, Any]:
        return _shown(context, await member_desk.set_roles(context, operator, member, membership))

    told = {"memberId": str(member), **_told(role, place)}
    _print(_act(operator, "staff set-roles", told, change), json_output=json_output)


@staff_app.command("end")
def end_command(operator: Operator, member: Member, *, json_output: AsJson = False) -> None:
    """Let a member in no more."""

    async def end(context: ParkingContext) -> dict[str, Any]:
        return _shown(context, await member_desk.end(context, operator, member))

    told = {"memberId": str(member)}
    _print(_act(operator, "staff end", told, end), json_output=json_output)


@staff_app.command("token")
def token_command(
    operator: Operator,
    name: Annotated[str, typer.Option(help="The person's name; kept with what they decide.")],
    *,
    json_output: AsJson = False,
) -> None:
    """Print an administrator's token for /staff/graphql, valid for twelve hours.

    It is for setting an operator up: it is nobody's sign-in, and only its time ends it.
    """
    token, expires_at = token_issuer(Settings()).issue_staff(operator, checked_name(name))
    if json_output:
        typer.echo(json.dumps({"token": token, "expires_at": expires_at.isoformat()}))
    else:
        typer.echo(token)


def _act(
    operator_id: UUID,
    action: str,
    arguments: dict[str, Any],
    work: Callable[[ParkingContext], Awaitable[Result]],
) -> Result:
    async def run() -> Result:
        clock = SystemClock()
        who = StaffIdentity(operator_id, COMMAND_NAME, frozenset(), clock.now() + _PERIOD)
        act = Act(who, action, arguments, uuid4().hex, clock)
        async with open_context(Settings()) as context:
            return await acting.perform(context.database, act, lambda: work(context))

    return asyncio.run(run())


def _told(roles: list[Role], places: list[UUID] | None) -> dict[str, Any]:
    return {
        "roles": [role.value for role in roles],
        "placeIds": [str(place) for place in places or ()] or None,
    }


def _shown(context: ParkingContext, member: StaffMember) -> dict[str, Any]:
    return {
        "member": str(member.id),
        "name": member.name,
        "email": email_of(context.vault, member),
        "roles": list(member.roles),
        "places": member.place_ids,
        "ended_at": None if member.ended_at is None else member.ended_at.isoformat(),
    }


def _print(report: dict[str, Any], *, json_output: bool) -> None:
    if json_output:
        typer.echo(json.dumps(report))
        return
    places = "all places" if report["places"] is None else f"{len(report['places'])} places"
    ended = "" if report["ended_at"] is None else f"  ended {report['ended_at']}"
    roles = ", ".join(report["roles"])
    typer.echo(f"{report['member']}  {report['name']}  {report['email']}  {roles}  {places}{ended}")
