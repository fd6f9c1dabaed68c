"""`sesame schema`: the driver's GraphQL schema as text."""

from pathlib import Path
from typing import Annotated

import typer

from api.schema import make_schema

SCHEMA_FILE = Path("schema.graphql")


def schema_command(
    *,
    output: Annotated[Path, typer.Option(help="The file to write or compare.")] = SCHEMA_FILE,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the file is not up to date.")
    ] = False,
) -> None:
    """Write the schema that client code is generated from, or check that it is up to date."""
    text = schema_text()
    if not check:
        output.write_text(text, encoding="utf-8")
        return
    if not output.exists() or output.read_text(encoding="utf-8") != text:
        typer.secho(
            f"{output}: expected the schema of the code; run `sesame schema`", err=True, fg="red"
        )
        raise typer.Exit(1)


def schema_text() -> str:
    """Return the schema's text, the same for the same code."""
    return make_schema(development=False).as_str().strip() + "\n"
