"""Where places are, as a file: CSV for spreadsheets and JSON for programs, both ways. Pure."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

from parking.kit.errors import InvalidInputError, ParkingError
from parking.kit.geography import Position
from parking.places.positions import (
    ENTRANCES_MAX,
    Entrance,
    EntranceUse,
    Whereabouts,
    require_whereabouts,
)

FILE_BYTES_MAX: Final = 1 << 20
ROWS_MAX: Final = 1000
PROBLEMS_MAX: Final = 50
COLUMNS: Final = ("place_id", "name", "latitude", "longitude", "address", "entrances")
REQUIRED: Final = ("place_id", "latitude", "longitude")
_PLACES: Final = "places"
# A spreadsheet runs a cell that begins so.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_TEXTS: Final = ("name", "address")


class PositionFileError(ParkingError):
    """A file of positions is not usable; nothing of it was recorded.

    Attributes:
        problems: One for each bad row, with where it is; at most PROBLEMS_MAX.
    """

    code = "INVALID_POSITION_FILE"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class FiledPlace:
    """A place of a file; `name` is for people, and changes nothing."""

    place_id: UUID
    name: str
    whereabouts: Whereabouts


def write_csv(places: Iterable[FiledPlace]) -> str:
    """Return the file as CSV with a header; entrances are JSON in one cell.

    A text that a spreadsheet would run has an apostrophe before it, which `read_csv` takes away.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for place in places:
        row = _row(place)
        row |= {name: _cell_of(row[name]) for name in _TEXTS}
        entrances = json.dumps(row["entrances"], ensure_ascii=False) if row["entrances"] else ""
        writer.writerow([*list(row.values())[:-1], entrances])
    return out.getvalue()


def write_json(places: Iterable[FiledPlace]) -> str:
    """Return the file as one JSON object."""
    rows = [_row(place) for place in places]
    return json.dumps({_PLACES: rows}, ensure_ascii=False, indent=2) + "\n"


def read_csv(text: str) -> list[FiledPlace]:
    """Return the places of a CSV file.

    Raises:
        PositionFileError: names each bad row by its line.
    """
    _require_size(text)
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    rows: list[tuple[str, Mapping[str, Any]]] = []
    try:
        columns = _header(next(reader, list[str]()))
        for cells in reader:
            if len(rows) > ROWS_MAX:
                break
            if any(cell.strip() for cell in cells):
                where = f"line {reader.line_num}"
                if len(cells) != len(columns):
                    raise PositionFileError([f"{where}: expected {len(columns)} cells"])
                rows.append((where, _of_cells(where, dict(zip(columns, cells, strict=True)))))
    except csv.Error as error:
        raise PositionFileError([f"line {reader.line_num}: expected CSV, {error}"]) from error
    return _places(rows)


def read_json(text: str) -> list[FiledPlace]:
    """Return the places of a JSON file.

    Raises:
        PositionFileError: names each bad place by its number, from 0.
    """
    _require_size(text)
    try:
        data: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PositionFileError(["file: expected JSON"]) from error
    listed = cast("dict[str, object]", data).get(_PLACES) if isinstance(data, dict) else None
    if not isinstance(listed, list):
        raise PositionFileError([f"file: expected an object with `{_PLACES}`"])
    rows: list[tuple[str, Mapping[str, Any]]] = []
    for number, one in enumerate(cast("list[object]", listed)):
        if not isinstance(one, dict):
            raise PositionFileError([f"{_PLACES}.{number}: expected an object"])
        rows.append((f"{_PLACES}.{number}", cast("dict[str, Any]", one)))
    return _places(rows)


def _row(place: FiledPlace) -> dict[str, Any]:
    where = place.whereabouts
    return {
        "place_id": str(place.place_id),
        "name": place.name,
        "latitude": where.position.latitude,
        "longitude": where.position.longitude,
        "address": where.address,
        "entrances": [
            {
                "name": entrance.name,
                "use": entrance.use.value,
                "latitude": entrance.position.latitude,
                "longitude": entrance.position.longitude,
            }
            for entrance in where.entrances
        ],
    }


def _require_size(text: str) -> None:
    if len(text.encode(errors="replace")) > FILE_BYTES_MAX:
        raise PositionFileError([f"file: expected at most {FILE_BYTES_MAX} bytes"])


def _header(cells: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in cells]
    unknown = [column for column in columns if column not in COLUMNS]
    missing = [column for column in REQUIRED if column not in columns]
    if unknown or missing or len(set(columns)) < len(columns):
        raise PositionFileError([f"line 1: expected each once of {', '.join(COLUMNS)}"])
    return columns


def _of_cells(where: str, cells: dict[str, str]) -> dict[str, Any]:
    entrances = cells.get("entrances", "").strip()
    try:
        parsed: object = json.loads(entrances) if entrances else []
    except (ValueError, RecursionError) as error:
        raise PositionFileError([f"{where}, entrances: expected a JSON list"]) from error
    read = {name: cell.strip() for name, cell in cells.items()}
    texts = {name: _text_of(read[name]) for name in _TEXTS if name in read}
    return read | texts | {"entrances": parsed}


def _cell_of(text: str) -> str:
    """Return a text as it is written; what begins with apostrophes already gets one more."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA_STARTS) else text


def _text_of(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _cell_of(cell[1:]) == cell else cell


def _places(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[FiledPlace]:
    if len(rows) > ROWS_MAX:
        raise PositionFileError([f"file: expected at most {ROWS_MAX} places"])
    found: list[FiledPlace] = []
    problems: list[str] = []
    for where, row in rows:
        try:
            place = _place(row)
            if any(one.place_id == place.place_id for one in found):
                raise InvalidInputError("place_id", "each place once")  # noqa: TRY301 - told like the others
            found.append(place)
        except InvalidInputError as error:
            problems.append(f"{where}, {error.field}: expected {error.expected}")
    if problems:
        raise PositionFileError(problems[:PROBLEMS_MAX])
    return found


def _place(row: Mapping[str, Any]) -> FiledPlace:
    try:
        place_id = UUID(str(row.get("place_id", "")))
    except ValueError as error:
        raise InvalidInputError("place_id", "the id of a place") from error
    listed: object = row.get("entrances") or []
    if not isinstance(listed, list) or len(cast("list[object]", listed)) > ENTRANCES_MAX:
        raise InvalidInputError("entrances", f"a list of at most {ENTRANCES_MAX}")
    where = Whereabouts(
        _position(row, ""),
        _text(row, "address", ""),
        tuple(_entrance(number, one) for number, one in enumerate(cast("list[object]", listed))),
    )
    require_whereabouts(where)
    return FiledPlace(place_id, str(row.get("name") or ""), where)


def _entrance(number: int, given: object) -> Entrance:
    field = f"entrances.{number}"
    if not isinstance(given, dict):
        raise InvalidInputError(field, "an object")
    row = cast("dict[str, Any]", given)
    try:
        use = EntranceUse(row.get("use", EntranceUse.EVERYBODY))
    except ValueError as error:
        expected = ", ".join(one.value for one in EntranceUse)
        raise InvalidInputError(f"{field}.use", f"one of {expected}") from error
    return Entrance(_text(row, "name", field), _position(row, field), use)


def _text(row: Mapping[str, Any], name: str, field: str) -> str:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInputError(f"{field}.{name}" if field else name, "a text")
    return value or ""


def _position(row: Mapping[str, Any], field: str) -> Position:
    latitude, longitude = (_degrees(row, name, field) for name in ("latitude", "longitude"))
    return Position.of(latitude, longitude, field=field)


def _degrees(row: Mapping[str, Any], name: str, field: str) -> float:
    value: object = row.get(name)
    try:
        # `true` is a number in Python, and none on a map.
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise InvalidInputError(f"{field}.{name}" if field else name, "degrees such as 31.2400")
