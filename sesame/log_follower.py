"""Read what a child process appends to its log file."""

import shutil
from pathlib import Path
from typing import Final

LINE_BYTES_MAX: Final = 16 * 1024
READ_BYTES_MAX: Final = 1024 * 1024
LOG_BYTES_MAX: Final = 16 * 1024 * 1024


class LogFollower:
    """Follows one log file from its present end.

    Children write to a file and not to a pipe: a slow reader never holds a child up, and a killed
    supervisor loses no line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset_bytes = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def read(self) -> list[str]:
        """Return the lines that were completed since the last call; too long ones are cut."""
        part = self._read_part()
        self._keep_small()
        *lines, self._rest = (self._rest + part).split(b"\n")
        if len(self._rest) > LINE_BYTES_MAX:
            lines.append(self._rest)
            self._rest = b""
        return [line[:LINE_BYTES_MAX].decode(errors="replace") for line in lines]

    def _read_part(self) -> bytes:
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            file.seek(self._offset_bytes)
            part = file.read(READ_BYTES_MAX)
        self._offset_bytes += len(part)
        return part

    def _keep_small(self) -> None:
        if self._offset_bytes <= LOG_BYTES_MAX:
            return
        # The child keeps its descriptor, so the file is emptied in place; it appends from zero.
        shutil.copyfile(self._path, self._path.with_suffix(".log.1"))
        with self._path.open("r+b") as file:
            file.truncate(0)
        self._offset_bytes = 0
