"""What this machine needs at the very least for an exit: the peer that the path is compared to."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import asyncpg

from sesame.bench.figures import Spread, spread

COMMITS: Final = 40
TIMEOUT_S: Final = 10.0
ROW: Final = b"r" * 200


class _Connection(Protocol):
    async def execute(self, statement: str, *arguments: object) -> str: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RawLimit:
    """The pieces of which no exit can do without one, each measured alone on the idle system.

    A picture must be stored durably before it is answered, the attempt before the provider hears
    of it, its outcome before the gate opens; and one picture must go through the networks.

    Attributes:
        picture_commit: One row with a picture, inserted and committed.
        row_commit: One small row, inserted and committed.
        frame: One picture decoded, searched and read.
    """

    picture_commit: Spread
    row_commit: Spread
    frame: Spread

    @property
    def total_ms(self) -> float:
        """The sum of the medians: one picture's commit, one frame, two small commits."""
        return self.picture_commit.p50 + self.frame.p50 + 2 * self.row_commit.p50


async def measure_raw_limit(
    database_url: str, picture: bytes, frame_ms: tuple[float, ...]
) -> RawLimit:
    """Commit to a table of its own over one bare connection."""
    picture_commit, row_commit = await _commits(database_url, (picture, ROW))
    frame = spread(frame_ms)
    if frame is None:
        raise ValueError("frame_ms: expected at least one")
    return RawLimit(picture_commit, row_commit, frame)


async def measure_row_commit(database_url: str) -> Spread:
    """Commit small rows, as `measure_raw_limit` does."""
    return (await _commits(database_url, (ROW,)))[0]


async def _commits(database_url: str, bodies: Sequence[bytes]) -> list[Spread]:
    connect = cast("Any", asyncpg).connect
    connection: _Connection = await connect(
        database_url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S
    )
    try:
        await connection.execute("CREATE TABLE bench_commits (body bytea)")
        commits = [spread(await _commits_ms(connection, body)) for body in bodies]
        await connection.execute("DROP TABLE bench_commits")
    finally:
        await connection.close()
    return [figures for figures in commits if figures is not None]


async def _commits_ms(connection: _Connection, body: bytes) -> list[float]:
    taken_ms: list[float] = []
    for _ in range(COMMITS):
        started_s = time.perf_counter()
        await connection.execute("INSERT INTO bench_commits VALUES ($1)", body)
        taken_ms.append((time.perf_counter() - started_s) * 1000)
    return taken_ms
