"""`sesame invoice`: look into an invoice's file, and say what an operator's invoices say."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import ValidationError

from parking.invoices import service
from parking.invoices.inspection import FILE_BYTES_MAX, Inspection, inspect
from parking.invoices.parties import SELLER, Seller
from parking.kit.errors import InvalidInputError
from parking.places import service as places
from sesame.settings import Settings
from sesame.wiring import open_context

SELLER_BYTES_MAX = 64 * 1024

invoice_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Invoices: check a file, set the seller."
)


@invoice_app.command("verify")
def verify_command(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="PDF or XML.")],
    *,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check an invoice's XML, inside a PDF or alone: its schema and its sums.

    Needs no database. Ends with 1 where something is wrong.
    """
    if file.stat().st_size > FILE_BYTES_MAX:
        raise InvalidInputError("file", f"at most {FILE_BYTES_MAX} bytes")
    found = inspect(file.read_bytes())
    typer.echo(json.dumps(asdict(found)) if json_output else _words(found))
    raise typer.Exit(1 if found.problems else 0)


@invoice_app.command("seller")
def seller_command(
    operator: Annotated[UUID, typer.Option(help="The operator's id.")],
    file: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="JSON file: see docs/invoices.md."),
    ],
    by: Annotated[str, typer.Option(help="Your name; kept with the change.")],
    *,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what an operator's invoices say about it, from the next one on."""
    if file.stat().st_size > SELLER_BYTES_MAX:
        raise InvalidInputError("file", f"at most {SELLER_BYTES_MAX} bytes")
    try:
        given = SELLER.validate_json(file.read_bytes(), strict=True)
    except ValidationError as error:
        raise _first_problem(error) from error
    stored = asyncio.run(_set_seller(Settings(), operator, given, by))
    body: dict[str, Any] = SELLER.dump_python(stored, mode="json")
    if json_output:
        typer.echo(json.dumps(body, ensure_ascii=False))
        return
    for name, value in body.items():
        typer.echo(f"{name}: {value}")


async def _set_seller(settings: Settings, operator_id: UUID, given: Seller, by: str) -> Seller:
    async with open_context(settings) as context, context.database.begin() as unit:
        await places.require_operator(unit, operator_id)
        return await service.set_seller(unit, operator_id, given, by)


def _first_problem(error: ValidationError) -> InvalidInputError:
    first = error.errors(include_input=False, include_url=False)[0]
    path = ".".join(str(part) for part in first["loc"]) or "file"
    return InvalidInputError(path, f"another value: {first['msg']}")


def _words(found: Inspection) -> str:
    lines = [
        f"number    {found.number} (type {found.type_code})",
        f"seller    {found.seller}",
        f"buyer     {found.buyer}",
        f"net       {found.net} {found.currency}",
        f"VAT       {found.vat} {found.currency}",
        f"gross     {found.gross} {found.currency}",
    ]
    if not found.problems:
        return "\n".join([*lines, "valid: EN 16931 schema and sums"])
    return "\n".join([*lines, *(f"wrong     {problem}" for problem in found.problems)])
