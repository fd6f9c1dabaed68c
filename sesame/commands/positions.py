"""`sesame place positions`: where places are, so that drivers find them."""

import asyncio
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

import typer

from parking.flows.guidance import positions as flows
from parking.kit.errors import InvalidInputError
from parking.kit.geography import Position
from parking.places import position_file
from parking.places.position_file import FILE_BYTES_MAX, FiledPlace, PositionFileError
from parking.places.positions import Whereabouts
from sesame.settings import Settings
from sesame.wiring import open_context

positions_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Where places are, so that drivers find them."
)
Operator = Annotated[UUID, typer.Option(help="Whose places they are.")]
By = Annotated[str, typer.Option(help="Who says so; kept with the position.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class FileFormat(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSON = "json"


_WRITERS: Final = {
    FileFormat.CSV: position_file.write_csv,
    FileFormat.JSON: position_file.write_json,
}
_READERS: Final = {
    FileFormat.CSV: position_file.read_csv,
    FileFormat.JSON: position_file.read_json,
}


@positions_app.command("set")
def set_command(
    place: Annotated[UUID, typer.Argument(help="Id of the place.")],
    latitude: Annotated[float, typer.Argument(help="WGS-84, degrees.")],
    longitude: Annotated[float, typer.Argument(help="WGS-84, degrees; after `--` if negative.")],
    *,
    operator: Operator,
    by: By,
    address: Annotated[str, typer.Option(help="As on an envelope.")] = "",
    json_output: AsJson = False,
) -> None:
    """Say where one place is; its entrances are then none: a file or the staff's API has them."""
    where = Whereabouts(Position.of(latitude, longitude), address.strip())
    changed = asyncio.run(_set(Settings(), operator, place, where, _by(by)))
    if json_output:
        typer.echo(json.dumps({"place_id": str(place), "changed": changed}))
    else:
        typer.echo("changed" if changed else "it was there already")


@positions_app.command("export")
def export_command(
    *,
    operator: Operator,
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="How to write it.")
    ] = FileFormat.CSV,
) -> None:
    """Write where an operator's places are to standard output."""
    typer.echo(_WRITERS[file_format](asyncio.run(_list(Settings(), operator))), nl=False)


@positions_app.command("import")
def import_command(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="As `export` writes it, .csv or .json."),
    ],
    *,
    operator: Operator,
    by: By,
    json_output: AsJson = False,
) -> None:
    """Record where the places of a file are, or none: each bad row is named.

    The same file again changes nothing. Places that are not in it stay where they are.
    """
    with file.open("rb") as opened:
        # One byte more than allowed tells that the file is too long.
        content = opened.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise PositionFileError([f"file: expected at most {FILE_BYTES_MAX} bytes"])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PositionFileError(["file: expected UTF-8"]) from error
    is_json = file.suffix.lower() == ".json"
    filed = _READERS[FileFormat.JSON if is_json else FileFormat.CSV](text)
    changed = asyncio.run(_record(Settings(), operator, filed, _by(by)))
    if json_output:
        typer.echo(json.dumps({"places": len(filed), "changed": changed}))
    else:
        typer.echo(f"{len(filed)} places, {changed} of them new or elsewhere")


def _by(name: str) -> str:
    if not name.strip():
        raise InvalidInputError("by", "who says so")
    return f"command:{name.strip()}"


async def _set(
    settings: Settings, operator_id: UUID, place_id: UUID, where: Whereabouts, by: str
) -> bool:
    async with open_context(settings) as context:
        return await flows.set_position(context, operator_id, place_id, where, by=by)


async def _list(settings: Settings, operator_id: UUID) -> list[FiledPlace]:
    async with open_context(settings) as context:
        return await flows.list_filed(context, operator_id)


async def _record(settings: Settings, operator_id: UUID, filed: list[FiledPlace], by: str) -> int:
    async with open_context(settings) as context:
        return await flows.record_filed(context, operator_id, filed, by=by)
