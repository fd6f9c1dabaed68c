"""`sesame schema`: the GraphQL schemas as text, the drivers' and the staff's."""

from pathlib import Path
from typing import Annotated

import typer

from api.schema import make_schema
from api.staff.schema import make_staff_schema

SCHEMA_FILE = Path("schema.graphql")
STAFF_SCHEMA_FILE = Path("staff.graphql")


def schema_command(
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            help="The file to write or compare; schema.graphql, or staff.graphql with --staff."
        ),
    ] = None,
    staff: Annotated[
        bool, typer.Option("--staff", help="The schema of /staff/graphql instead of the drivers'.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the file is not up to date.")
    ] = False,
) -> None:
    """Write the schema that client code is generated from, or check that it is up to date."""
    text = staff_schema_text() if staff else schema_text()
    output = output or (STAFF_SCHEMA_FILE if staff else SCHEMA_FILE)
    if not check:
        output.write_text(text, encoding="utf-8")
        return
    if not output.exists() or output.read_text(encoding="utf-8") != text:
        command = "sesame schema --staff" if staff else "sesame schema"
        told = f"{output}: expected the schema of the code; run `{command}`"
        typer.secho(told, err=True, fg="red")
        raise typer.Exit(1)


def schema_text() -> str:
    """Return the text of the drivers' schema, the same for the same code."""
    return make_schema(development=False).as_str().strip() + "\n"


def staff_schema_text() -> str:
    """Return the text of the staff's schema, the same for the same code."""
    return make_staff_schema(development=False).as_str().strip() + "\n"
