"""A file of sessions, read line by line: who parked where, and when."""

import csv
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

import numpy as np

from parking.kit.errors import ParkingError
from sesame.habits.replay import Days
from sesame.habits.simulation import COLUMNS

FILE_BYTES_MAX: Final = 4 << 30
ROWS_MAX: Final = 10_000_000
PAIRS_MAX: Final = 1_000_000
CELL_CHARACTERS_MAX: Final = 200
WEEKS_MAX: Final = 520
PROBLEMS_MAX: Final = 20
LINES_PER_STEP: Final = 10_000
_DELIMITERS: Final = (",", ";", "\t")
_TIME_EXPECTED: Final = "a time such as 2026-05-01T08:30, with or without an offset"


class SessionFileError(ParkingError):
    """A file of sessions cannot be used.

    Attributes:
        problems: Each with its line and field; at most PROBLEMS_MAX.
    """

    code = "INVALID_SESSION_FILE"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(slots=True)
class SessionFile:
    """What a file holds.

    Attributes:
        days: The days with a visit; the first arrival of a day counts.
        sessions: Rows that were read.
        skipped: Rows that could not be used, where that was allowed.
        left_before_entered: Rows whose exit is before their entry: the entry counts all the same.
    """

    days: Days
    sessions: int
    skipped: int
    left_before_entered: int
    drivers: int
    places: int


def read_sessions(
    path: Path,
    *,
    zone: ZoneInfo | None = None,
    skip_invalid: bool = False,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> SessionFile:
    """Read a CSV file in UTF-8 with a header.

    Args:
        path: The file.
        zone: Into which times with an offset are brought; as they are written if None. Times
            without one are local in any case.
        skip_invalid: Count rows that cannot be used instead of refusing the file.
        on_bytes: Is told how far it has been read.

    Raises:
        SessionFileError: names line and field of what cannot be used.
    """
    if path.stat().st_size > FILE_BYTES_MAX:
        raise SessionFileError([f"file: expected at most {FILE_BYTES_MAX} bytes"])
    with path.open("rb") as file:
        reading = _Reading(zone, skip_invalid=skip_invalid)
        with _named_errors(reading):
            _read(file, reading, on_bytes)
    if reading.problems:
        raise SessionFileError(reading.problems)
    return reading.finish()


@contextmanager
def _named_errors(reading: "_Reading") -> Generator[None]:
    try:
        yield
    except (csv.Error, UnicodeDecodeError) as error:
        reason = f"line {reading.line + 1}: expected CSV in UTF-8, {error}"
        raise SessionFileError([*reading.problems, reason][:PROBLEMS_MAX]) from error


def _read(file: BinaryIO, reading: "_Reading", on_bytes: Callable[[int], None]) -> None:
    lines = _decoded(file)
    header = next(lines, "")
    delimiter = max(_DELIMITERS, key=header.count)
    reading.take_header(next(csv.reader([header], delimiter=delimiter), list[str]()))
    for row in csv.reader(lines, delimiter=delimiter, strict=True):
        reading.line += 1
        if row:
            reading.take(row)
        if len(reading.problems) >= PROBLEMS_MAX:
            return
        if reading.line % LINES_PER_STEP == 0:
            on_bytes(file.tell())


def _decoded(file: BinaryIO) -> Iterator[str]:
    encoding = "utf-8-sig"
    # `readline` with a limit: a file without line ends is not read into memory.
    while line := file.readline(CELL_CHARACTERS_MAX * 100):
        yield line.decode(encoding)
        encoding = "utf-8"


@dataclass(slots=True)
class _Reading:
    """What was read of a file so far."""

    zone: ZoneInfo | None
    skip_invalid: bool = field(kw_only=True)
    line: int = 1
    sessions: int = 0
    skipped: int = 0
    left_before_entered: int = 0
    columns: list[int] = field(default_factory=list[int])
    width: int = 0
    problems: list[str] = field(default_factory=list[str])
    drivers: dict[str, int] = field(default_factory=dict[str, int])
    places: dict[str, int] = field(default_factory=dict[str, int])
    pairs: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    arrivals: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])

    def take_header(self, row: list[str]) -> None:
        names = [cell.strip().lower() for cell in row]
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            expected = f"line 1: expected the columns {', '.join(COLUMNS)}"
            raise SessionFileError([f"{expected}; {', '.join(missing)} missing"])
        self.columns = [names.index(name) for name in COLUMNS]
        self.width = max(self.columns) + 1

    def take(self, row: list[str]) -> None:
        if self.sessions >= ROWS_MAX:
            raise SessionFileError([f"line {self.line}: expected at most {ROWS_MAX} sessions"])
        try:
            self._count(row)
        except SessionFileError as error:
            if not self.skip_invalid:
                self.problems += error.problems
            self.skipped += 1

    def _count(self, row: list[str]) -> None:
        if len(row) < self.width:
            raise self._problem("row", f"{self.width} cells, got {len(row)}")
        driver, place, entered, left = (row[column].strip() for column in self.columns)
        self._require_name("driver", driver)
        self._require_name("place", place)
        entered_at = self._time("entered_at", entered)
        # A stay that has not ended has no exit.
        if left and self._time("left_at", left) < entered_at:
            self.left_before_entered += 1
        self.sessions += 1
        pair = self._pair(driver, place)
        key = (entered_at.toordinal(), pair)
        minute = entered_at.hour * 60 + entered_at.minute
        self.arrivals[key] = min(minute, self.arrivals.get(key, minute))

    def _pair(self, driver: str, place: str) -> int:
        one = self.drivers.setdefault(driver, len(self.drivers))
        where = self.places.setdefault(place, len(self.places))
        pair = self.pairs.setdefault((one, where), len(self.pairs))
        if len(self.pairs) > PAIRS_MAX:
            expected = f"expected at most {PAIRS_MAX} pairs of driver and place"
            raise SessionFileError([f"line {self.line}: {expected}"])
        return pair

    def _require_name(self, column: str, text: str) -> None:
        if not 0 < len(text) <= CELL_CHARACTERS_MAX:
            raise self._problem(column, f"1 to {CELL_CHARACTERS_MAX} characters, got {len(text)}")

    def _time(self, column: str, text: str) -> datetime:
        """Return the local wall time, naive."""
        if "/" in text[:CELL_CHARACTERS_MAX]:
            doubt = f"{_TIME_EXPECTED}; in {text[:40]!r} the day may come before the month or after"
            raise self._problem(column, doubt)
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise self._problem(column, f"{_TIME_EXPECTED}, got {text[:40]!r}") from error
        if found.tzinfo is not None and self.zone is not None:
            found = found.astimezone(self.zone)
        return found.replace(tzinfo=None)

    def _problem(self, column: str, expected: str) -> SessionFileError:
        return SessionFileError([f"line {self.line}, {column}: expected {expected}"])

    def finish(self) -> SessionFile:
        if not self.arrivals:
            raise SessionFileError(["file: expected at least one session"])
        ordered = sorted(self.arrivals.items())
        day, pair = np.array([key for key, _ in ordered], np.int64).T
        if int(day[-1] - day[0]) > WEEKS_MAX * 7:
            first, last = date.fromordinal(int(day[0])), date.fromordinal(int(day[-1]))
            found = f"got {first} to {last}: is a year mistyped?"
            raise SessionFileError([f"entered_at: expected at most {WEEKS_MAX} weeks, {found}"])
        driver, place = np.array(list(self.pairs), np.int64).T
        first_day = np.full(len(self.drivers), day[-1])
        np.minimum.at(first_day, driver[pair], day)
        minutes = np.array([minute for _, minute in ordered], np.int64)
        return SessionFile(
            days=Days(pair, day, minutes, driver, place, first_day[driver]),
            sessions=self.sessions,
            skipped=self.skipped,
            left_before_entered=self.left_before_entered,
            drivers=len(self.drivers),
            places=len(self.places),
        )
