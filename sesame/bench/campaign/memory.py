"""How much memory PostgreSQL takes while something is measured, shared memory counted once."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

import asyncpg

from sesame.bench.errors import BenchFailedError

_PROC: Final = Path("/proc")
_EVERY_S: Final = 0.25
_KIBIBYTE: Final = 1024
_PROCESSES: Final = "SELECT pid FROM pg_stat_activity"


class MemoryWatch:
    """Looks at PostgreSQL's processes a few times a second, for the length of a block.

    Attributes:
        peak_bytes: The largest sum of what is theirs alone and their part of what they share.
    """

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._task: asyncio.Task[None] | None = None
        self.peak_bytes = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self.peak_bytes == 0 and error is None:
            raise BenchFailedError("PostgreSQL's memory could not be seen")

    async def _watch(self) -> None:
        connect = cast("Any", asyncpg).connect
        connection: Any = await connect(self._url, timeout=5)
        try:
            while True:
                rows = await connection.fetch(_PROCESSES, timeout=5)
                seen = sum(_proportional_bytes(int(row["pid"])) for row in rows)
                self.peak_bytes = max(self.peak_bytes, seen)
                await asyncio.sleep(_EVERY_S)
        finally:
            await connection.close()


def _proportional_bytes(process_id: int) -> int:
    try:
        rollup = (_PROC / str(process_id) / "smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    line = next((line for line in rollup.splitlines() if line.startswith("Pss:")), "Pss: 0")
    return int(line.split()[1]) * _KIBIBYTE
