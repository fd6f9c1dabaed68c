"""`sesame place vehicles`: an operator's register of vehicles."""

import asyncio
import json
from pathlib import Path
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from parking.kit.errors import InvalidInputError
from parking.places import service as places
from parking.plates import vehicles
from parking.plates.vehicles import VehicleEntry
from sesame.settings import Settings
from sesame.vehicle_file import FILE_BYTES_MAX, VehicleFileError, read_vehicles
from sesame.wiring import open_context

vehicles_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="What you know of vehicles, for their prices."
)


@vehicles_app.callback()
def _vehicles() -> None:  # pyright: ignore[reportUnusedFunction] - typer keeps it
    """Keep `import` a command of its own while it is the only one."""


@vehicles_app.command("import")
def import_command(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="CSV in UTF-8 with a header: plate, and any of vehicle_class, is_ev, "
            "is_resident, note, valid_from, valid_until.",
        ),
    ],
    *,
    operator: Annotated[UUID, typer.Option(help="Whose register it is.")],
    by: Annotated[str, typer.Option(help="Who records them; kept with each record.")],
    timezone: Annotated[
        str | None, typer.Option(help="Where dates without a time begin, such as Europe/Berlin.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Record every vehicle of a CSV file, or none: each bad cell is named with line and column.

    The same file again changes nothing. Vehicles that are not in the file stay as they are.
    """
    try:
        with file.open("rb") as opened:
            # One byte more than allowed tells that the file is too long.
            content = opened.read(FILE_BYTES_MAX + 1)
        entries = read_vehicles(content, zone=_zone(timezone))
    except VehicleFileError as error:
        if json_output:
            typer.echo(json.dumps({"code": error.code, "problems": error.problems}))
            raise typer.Exit(1) from error
        raise
    changed = asyncio.run(_record(Settings(), operator, entries, by))
    if json_output:
        typer.echo(json.dumps({"vehicles": len(entries), "changed": changed}))
    else:
        typer.echo(f"{len(entries)} vehicles, {changed} of them new or changed")


async def _record(
    settings: Settings, operator_id: UUID, entries: list[VehicleEntry], by: str
) -> int:
    async with open_context(settings) as context, context.database.begin() as unit:
        await places.require_operator(unit, operator_id)
        return await vehicles.record_vehicles(unit, operator_id, entries, by=by)


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise InvalidInputError("timezone", "a name such as Europe/Berlin") from error
