"""`sesame migrate`: bring a database to this version's schema."""

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from sesame.embedded.stack import Stack
from sesame.migration import drift, head_revision, migrate
from sesame.settings import Settings


def migrate_command(
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Fail if models and migrations differ; uses a throw-away database."
        ),
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Bring the database at DATABASE_URL to this version's schema, and make its partitions."""
    if check:
        differences = _check()
        _print(json_output=json_output, report={"differences": differences})
        raise typer.Exit(1 if differences else 0)
    url = Settings().require_database_url()
    made = asyncio.run(migrate(url))
    _print(json_output=json_output, report={"revision": head_revision(), "partitions_made": made})


def _check() -> list[str]:
    with TemporaryDirectory() as folder, Stack(Path(folder), durable=False, settings={}) as stack:
        url = stack.endpoints.database_url
        asyncio.run(migrate(url))
        return asyncio.run(drift(url))


def _print(*, json_output: bool, report: dict[str, Any]) -> None:
    if json_output:
        typer.echo(json.dumps(report))
        return
    for name, value in report.items():
        items: list[str] = [value] if isinstance(value, str) else list(value)
        typer.echo(f"{name}: {', '.join(items)}")
