"""A register of vehicles as a CSV file: read whole, or refused with every bad cell named."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from parking.kit.errors import InvalidInputError, ParkingError
from parking.plates.normalise import normalise_plate
from parking.plates.vehicles import NOTE_EXPECTED, VEHICLE_CLASSES, VehicleEntry, is_note

FILE_BYTES_MAX: Final = 8 << 20
ROWS_MAX: Final = 50_000
PROBLEMS_MAX: Final = 50
COLUMNS: Final = (
    "plate",
    "vehicle_class",
    "is_ev",
    "is_resident",
    "note",
    "valid_from",
    "valid_until",
)
_WORDS: Final[Mapping[str, bool]] = {
    "yes": True,
    "true": True,
    "1": True,
    "no": False,
    "false": False,
    "0": False,
}


class VehicleFileError(ParkingError):
    """A file of vehicles has bad cells; nothing of it was recorded.

    Attributes:
        problems: One for each bad cell, with its line and column; at most PROBLEMS_MAX.
    """

    code = "INVALID_VEHICLE_FILE"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class _Cell:
    line: int
    column: str
    text: str

    def problem(self, expected: str) -> str:
        return f"line {self.line}, column {self.column}: expected {expected}, got {self.text!r}"


def read_vehicles(content: bytes, *, zone: ZoneInfo | None = None) -> list[VehicleEntry]:
    """Return the vehicles of a CSV file in UTF-8, with a header that names its columns.

    Args:
        content: The file.
        zone: Where a date without a time begins; such dates are refused if None.

    Raises:
        VehicleFileError: names every cell that is not usable.
    """
    reader = csv.reader(io.StringIO(_text(content), newline=""), strict=True)
    reading = _Reading(zone)
    try:
        reading.columns = _header(next(reader, list[str]()))
        for row in reader:
            if any(cell.strip() for cell in row):
                reading.take(reader.line_num, row)
            if len(reading.problems) >= PROBLEMS_MAX:
                break
    except csv.Error as error:
        reading.problems.append(f"line {reader.line_num}: expected CSV, {error}")
    if reading.problems:
        raise VehicleFileError(reading.problems[:PROBLEMS_MAX])
    return reading.entries


class _Reading:
    """What was read of a file so far.

    Attributes:
        lines: On which line each plate is.
    """

    def __init__(self, zone: ZoneInfo | None) -> None:
        self.zone = zone
        self.columns: list[str] = []
        self.entries: list[VehicleEntry] = []
        self.problems: list[str] = []
        self.lines: dict[str, int] = {}

    def take(self, line: int, row: list[str]) -> None:
        if len(self.entries) >= ROWS_MAX:
            raise VehicleFileError([f"line {line}: expected at most {ROWS_MAX} vehicles"])
        if len(row) != len(self.columns):
            expected = f"expected {len(self.columns)} cells, got {len(row)}"
            self.problems.append(f"line {line}: {expected}")
            return
        named = zip(self.columns, row, strict=True)
        cells = {column: _Cell(line, column, text.strip()) for column, text in named}
        entry = _entry(cells, self.zone, self.problems)
        if entry is not None:
            _require_once(cells["plate"], entry.plate, self.lines, self.problems)
            self.entries.append(entry)


def _text(content: bytes) -> str:
    if len(content) > FILE_BYTES_MAX:
        raise VehicleFileError([f"file: expected at most {FILE_BYTES_MAX} bytes"])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise VehicleFileError(["file: expected UTF-8"]) from error


def _header(row: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in row]
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        known = ", ".join(COLUMNS)
        raise VehicleFileError(
            [f"line 1, column {column!r}: expected one of {known}" for column in unknown]
        )
    if "plate" not in columns or len(set(columns)) < len(columns):
        raise VehicleFileError(["line 1: expected a header with `plate`, each column once"])
    return columns


def _entry(
    cells: Mapping[str, _Cell], zone: ZoneInfo | None, problems: list[str]
) -> VehicleEntry | None:
    before = len(problems)
    plate = _plate(cells["plate"], problems)
    vehicle_class = cells["vehicle_class"].text if "vehicle_class" in cells else ""
    if vehicle_class and vehicle_class not in VEHICLE_CLASSES:
        expected = f"one of {', '.join(VEHICLE_CLASSES)}"
        problems.append(cells["vehicle_class"].problem(expected))
    note = cells["note"].text if "note" in cells else ""
    if not is_note(note):
        problems.append(cells["note"].problem(NOTE_EXPECTED))
    is_ev = _flag(cells.get("is_ev"), problems)
    is_resident = _flag(cells.get("is_resident"), problems)
    valid_from = _instant(cells.get("valid_from"), zone, problems)
    valid_until = _instant(cells.get("valid_until"), zone, problems)
    if valid_from is not None and valid_until is not None and valid_until <= valid_from:
        problems.append(cells["valid_until"].problem("a time later than valid_from"))
    if len(problems) > before:
        return None
    return VehicleEntry(
        plate=plate,
        vehicle_class=vehicle_class or "car",
        is_ev=is_ev,
        is_resident=bool(is_resident),
        note=note,
        valid_from=valid_from,
        valid_until=valid_until,
    )


def _plate(cell: _Cell, problems: list[str]) -> str:
    try:
        return normalise_plate(cell.text)
    except InvalidInputError as error:
        problems.append(cell.problem(error.expected))
        return ""


def _flag(cell: _Cell | None, problems: list[str]) -> bool | None:
    if cell is None or not cell.text:
        return None
    if cell.text.lower() not in _WORDS:
        problems.append(cell.problem("yes, no or nothing"))
    return _WORDS.get(cell.text.lower())


def _instant(cell: _Cell | None, zone: ZoneInfo | None, problems: list[str]) -> datetime | None:
    if cell is None or not cell.text:
        return None
    try:
        return _parsed(cell.text, zone).astimezone(UTC)
    except OverflowError:
        problems.append(cell.problem("a time from year 1 to 9999 in UTC"))
        return None
    except ValueError as error:
        problems.append(cell.problem(str(error)))
        return None


def _parsed(text: str, zone: ZoneInfo | None) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is not None:
        if zone is None:
            raise ValueError("a time with its offset, or a time zone for dates")
        return datetime.combine(day, time(), tzinfo=zone)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ValueError("a date, or a time with its offset such as 2026-01-31T00:00:00+08:00")
    return instant


def _require_once(cell: _Cell, plate: str, lines: dict[str, int], problems: list[str]) -> None:
    first = lines.setdefault(plate, cell.line)
    if first != cell.line:
        problems.append(cell.problem(f"each plate once, it is on line {first} already"))
