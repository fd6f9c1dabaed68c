"""`sesame staff`: let people in who work for an operator."""

import json
from typing import Annotated, Final
from uuid import UUID

import typer

from parking.kit.errors import InvalidInputError
from sesame.settings import Settings
from sesame.wiring import token_issuer

NAME_LENGTH_MAX: Final = 80

staff_app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Let people in who work for an operator."
)


@staff_app.callback()
def _staff() -> None:  # pyright: ignore[reportUnusedFunction] - typer keeps it
    """Keep `token` a sub-command while it is the only one."""


@staff_app.command("token")
def token_command(
    operator: Annotated[UUID, typer.Option(help="The operator's id.")],
    name: Annotated[str, typer.Option(help="The person's name; kept with what they decide.")],
    *,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Print a bearer token for /staff/graphql, valid for twelve hours."""
    person = name.strip()
    if not 0 < len(person) <= NAME_LENGTH_MAX or not person.isprintable():
        raise InvalidInputError("name", f"1 to {NAME_LENGTH_MAX} printable characters")
    token, expires_at = token_issuer(Settings()).issue_staff(operator, person)
    if json_output:
        typer.echo(json.dumps({"token": token, "expires_at": expires_at.isoformat()}))
    else:
        typer.echo(token)
