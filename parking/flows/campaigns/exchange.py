"""Campaigns and segments as files: JSON with everything, CSV with the same in a table's cells."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, cast
from uuid import UUID

import orjson

from parking.campaigns import repository
from parking.campaigns.errors import NameTakenError
from parking.campaigns.models import AudienceSegment, Campaign
from parking.flows.campaigns import segments
from parking.flows.campaigns.life import Draft, add_draft
from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.staff.rules import StaffIdentity

Format = Literal["json", "csv"]
Kind = Literal["campaigns", "segments"]
ROWS_MAX: Final = 500
BYTES_MAX: Final = 1_000_000
_COLUMNS: Final[Mapping[Kind, tuple[str, str, str]]] = {
    "campaigns": ("name", "placeId", "document"),
    "segments": ("name", "placeId", "filter"),
}
# A spreadsheet runs a cell that begins so.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
# The apostrophe before such a cell, or before one that has one itself.
_UNESCAPED: Final = re.compile(r"^'(?=[=+\-@\t\r'])")


async def export(
    context: ParkingContext, staff: StaffIdentity, kind: Kind, file_format: Format
) -> str:
    """Return the operator's newest campaigns or segments that a member sees, at most ROWS_MAX."""
    page = repository.page_of_campaigns if kind == "campaigns" else repository.page_of_segments
    async with context.database.begin() as unit:
        rows = await page(unit, staff.operator_id, places=staff.places, first=ROWS_MAX, before=None)
    return _written(kind, file_format, (_entry(row) for row in rows))


async def read_in(
    context: ParkingContext, staff: StaffIdentity, kind: Kind, file_format: Format, data: str
) -> list[UUID]:
    """Keep what a file holds: campaigns as drafts of yours, segments under their names.

    All of it or nothing.

    Raises:
        InvalidInputError: the file does not fit, or a name is taken; names row and path.
    """
    entries = _read(kind, file_format, data)
    async with context.database.begin() as unit:
        return [
            await _keep(unit, staff, kind, entry, number) for number, entry in enumerate(entries, 1)
        ]


async def _keep(
    unit: UnitOfWork, staff: StaffIdentity, kind: Kind, entry: Draft, number: int
) -> UUID:
    path = f"data.{number}"
    try:
        if kind == "campaigns":
            return (await add_draft(unit, staff, entry)).id
        return (await segments.keep(unit, staff, entry)).id
    except NameTakenError as error:
        raise InvalidInputError(f"{path}.name", "a name that no other one has") from error
    except InvalidInputError as error:
        first, *steps = error.field.split(".")
        column = "document" if first == "campaign" else first
        raise InvalidInputError(".".join([path, column, *steps]), error.expected) from error


def _entry(row: Campaign | AudienceSegment) -> tuple[str, str | None, dict[str, Any]]:
    document = row.document if isinstance(row, Campaign) else row.filter
    return row.name, None if row.place_id is None else str(row.place_id), document


def _written(
    kind: Kind,
    file_format: Format,
    entries: Iterable[tuple[str, str | None, dict[str, Any]]],
) -> str:
    columns = _COLUMNS[kind]
    if file_format == "json":
        found = [dict(zip(columns, entry, strict=True)) for entry in entries]
        return orjson.dumps(found, option=orjson.OPT_INDENT_2).decode()
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    for name, place_id, document in entries:
        writer.writerow([_cell(name), place_id or "", orjson.dumps(document).decode()])
    return file.getvalue()


def _read(kind: Kind, file_format: Format, data: str) -> list[Draft]:
    if len(data.encode()) > BYTES_MAX:
        raise InvalidInputError("data", f"at most {BYTES_MAX} bytes")
    rows = _json_rows(data) if file_format == "json" else _csv_rows(data, kind)
    if not 0 < len(rows) <= ROWS_MAX:
        raise InvalidInputError("data", f"1 to {ROWS_MAX} rows")
    return [_draft(row, number, _COLUMNS[kind]) for number, row in enumerate(rows, 1)]


def _json_rows(data: str) -> list[object]:
    try:
        found: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError("data", "JSON") from error
    if not isinstance(found, list):
        raise InvalidInputError("data", "a list")
    return cast("list[object]", found)


def _csv_rows(data: str, kind: Kind) -> list[object]:
    *_, body = _COLUMNS[kind]
    reader = csv.DictReader(io.StringIO(data, newline=""), strict=True)
    rows: list[object] = []
    try:
        for number, row in enumerate(reader, 1):
            if number > ROWS_MAX:
                raise InvalidInputError("data", f"1 to {ROWS_MAX} rows")
            cells: dict[str, object] = dict(row)
            cells["name"] = _UNESCAPED.sub("", row.get("name") or "")
            cells["placeId"] = row.get("placeId") or None
            cells[body] = orjson.loads(row.get(body) or "null")
            rows.append(cells)
    except (csv.Error, orjson.JSONDecodeError) as error:
        raise InvalidInputError(f"data.{len(rows) + 1}", "a row of CSV with JSON in it") from error
    return rows


def _draft(row: object, number: int, columns: tuple[str, str, str]) -> Draft:
    path = f"data.{number}"
    if not isinstance(row, dict) or set(cast("dict[str, object]", row)) != set(columns):
        raise InvalidInputError(path, f"the fields {', '.join(columns)}")
    cells = cast("dict[str, object]", row)
    name, document, place_id = cells["name"], cells[columns[2]], cells["placeId"]
    if not isinstance(name, str):
        raise InvalidInputError(f"{path}.name", "a text")
    if not isinstance(document, dict):
        raise InvalidInputError(f"{path}.{columns[2]}", "an object")
    try:
        place = None if place_id is None else UUID(str(place_id))
    except ValueError as error:
        raise InvalidInputError(f"{path}.placeId", "an id") from error
    return Draft(name, place, cast("dict[str, Any]", document))


def _cell(value: str) -> str:
    return f"'{value}" if value.startswith((*_FORMULA_STARTS, "'")) else value
