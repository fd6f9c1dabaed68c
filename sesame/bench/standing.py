"""Proof that cars which stand still are no work: no periodic task reads their stays."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol, cast
from uuid import UUID

import asyncpg

from parking.flows.bills import live_bill
from parking.flows.context import ParkingContext
from parking.kit.ids import new_id
from parking.places import service as places
from parking.places.models import Place
from parking.sessions.models import Session
from parking.tariffs import service as tariffs
from sesame.bench.figures import Spread, spread
from sesame.bench.town import CURRENCY, RATE_TABLE, STAYED
from sesame.periodic import periodic_tasks

FILL_S_MAX: Final = 40.0
BATCH_ROWS: Final = 50_000
STAYS_MAX: Final = 10_000_000
WATCHED: Final = 20
TIMEOUT_S: Final = 60.0

# The last 12 hexadecimal digits of the ids count the stays; what is before them is one UUIDv7.
_FILL: Final = """
WITH stays AS (
    SELECT ($1 || lpad(to_hex(number), 12, '0'))::uuid AS id, gen_random_uuid() AS plate_index
    FROM generate_series($2::bigint, $3::bigint) AS number
), entered AS (
    INSERT INTO sessions (operator_id, id, place_id, plate_index, plate_sealed, rate_table_id,
                          entry_presentation_id, state, version, entered_at, circumstances)
    SELECT $4, id, $5, plate_index, 'sealed'::bytea, $6, id, 'active', 1, $7, '{}'::jsonb
    FROM stays
)
INSERT INTO open_sessions (operator_id, session_id, place_id, plate_index, plate_sealed, entered_at)
SELECT $4, id, $5, plate_index, 'sealed'::bytea, $7 FROM stays
"""
_READ: Final = """
SELECT coalesce(sum(seq_tup_read), 0)::bigint + coalesce(sum(idx_tup_fetch), 0)::bigint
FROM pg_stat_user_tables
WHERE relname = 'open_sessions' OR relname ~ '^sessions(_|$)'
"""

OpenContext = Callable[[], AbstractAsyncContextManager[ParkingContext]]
Step = Callable[[str], None]


class _Connection(Protocol):
    async def execute(self, statement: str, *arguments: object) -> str: ...
    async def fetchval(self, statement: str, *arguments: object) -> Any: ...  # noqa: ANN401 - of any type
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class StandingReport:
    """What open stays cost while nobody watches, and when somebody does.

    Attributes:
        open_stays: Rows of `open_sessions`, and as many of `sessions`.
        tasks_ms: How long each periodic task took, once.
        rows_read_by_tasks: Of those tables, by all tasks together, by the database's own count.
        rows_read_per_watched: Of the same, for the bill of one watched stay.
        watched_ms: The bill of one watched stay, its statements included.
    """

    open_stays: int
    fill_s: float
    tasks_ms: Mapping[str, float]
    rows_read_by_tasks: int
    rows_read_per_watched: float
    watched_ms: Spread

    @property
    def is_right(self) -> bool:
        """Whether stays that nobody watches were no work, and a watched one a single row."""
        return self.rows_read_by_tasks == 0 and self.rows_read_per_watched == 1

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "open_stays": self.open_stays,
            "fill_s": round(self.fill_s, 1),
            "tasks_ms": {name: round(ms, 1) for name, ms in self.tasks_ms.items()},
            "rows_read_by_tasks": self.rows_read_by_tasks,
            "rows_read_per_watched": self.rows_read_per_watched,
            "watched_ms": self.watched_ms.to_json(),
            "is_right": self.is_right,
        }


async def measure_standing(
    open_context: OpenContext, database_url: str, stays: int, on_step: Step
) -> StandingReport:
    """Fill a fresh database with open stays, and count what is read of them.

    Args:
        open_context: Opens the domain on the database; its connections end with the block, so
            that the database has counted all that they read.
        database_url: The administrator's, of a migrated database without any stays.
        stays: How many; fewer where filling takes longer than `FILL_S_MAX`.
        on_step: Hears of every step.
    """
    connect = cast("Any", asyncpg).connect
    connection: _Connection = await connect(
        database_url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S
    )
    try:
        async with open_context() as context:
            place, rate_table_id = await _furnish(context)
        on_step(f"up to {stays} open stays")
        started_s = time.monotonic()
        ids = await _fill(connection, place, rate_table_id, stays)
        fill_s = time.monotonic() - started_s
        await connection.execute("ANALYZE")
        on_step("every periodic task, once")
        before = await _rows_read(connection)
        async with open_context() as context:
            tasks_ms = {task.name: await _taken_ms(task.call) for task in periodic_tasks(context)}
        by_tasks = await _rows_read(connection) - before
        on_step("bills of stays that are watched")
        async with open_context() as context:
            watched_ms = [await _watch(context, place.operator_id, each) for each in ids]
        by_watched = await _rows_read(connection) - before - by_tasks
        open_stays = await connection.fetchval("SELECT count(*) FROM open_sessions")
    finally:
        await connection.close()
    watched = spread(watched_ms)
    if watched is None:
        raise ValueError("stays: expected at least one")
    return StandingReport(open_stays, fill_s, tasks_ms, by_tasks, by_watched / len(ids), watched)


async def _furnish(context: ParkingContext) -> tuple[Place, UUID]:
    async with context.database.begin() as unit:
        operator_id = places.add_operator(unit, "Bench Parking").id
        place = places.add_place(
            unit, operator_id, name="Field", timezone=RATE_TABLE["timezone"], currency=CURRENCY
        )
        await unit.session.flush()
        table = await tariffs.publish(
            unit, operator_id, place.id, currency=CURRENCY, body=RATE_TABLE
        )
        return place, table.id


async def _fill(
    connection: _Connection, place: Place, rate_table_id: UUID, stays: int
) -> list[UUID]:
    """Add the stays batch by batch, as long as there is time; return some of their ids."""
    # Nobody needs these stays after a crash.
    await connection.execute("SET synchronous_commit = off")
    now = place.created_at
    prefix = str(new_id(now))[:-12]
    ends_s = time.monotonic() + FILL_S_MAX
    number = 0
    while number < stays and time.monotonic() < ends_s:
        last = min(number + BATCH_ROWS, stays)
        await connection.execute(
            _FILL,
            prefix,
            number + 1,
            last,
            place.operator_id,
            place.id,
            rate_table_id,
            now - STAYED,
        )
        number = last
    step = max(1, number // WATCHED)
    return [UUID(f"{prefix}{each:012x}") for each in range(1, number + 1, step)][:WATCHED]


async def _watch(context: ParkingContext, operator_id: UUID, session_id: UUID) -> float:
    """Return how long it took to find out what a stay costs, as for a driver who looks at it."""

    async def look() -> None:
        async with context.database.begin() as unit:
            session = await unit.session.get(Session, (operator_id, session_id))
            if session is None:
                raise ValueError("session_id: expected an open stay")
            await live_bill.compute(unit, session, unit.now() + timedelta(seconds=1))

    return await _taken_ms(look)


async def _taken_ms(call: Callable[[], Any]) -> float:
    started_s = time.perf_counter()
    await call()
    return (time.perf_counter() - started_s) * 1000


async def _rows_read(connection: _Connection) -> int:
    """Return what the database counted, once backends that just ended have told it."""
    counted = -1
    while True:
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        now = int(await connection.fetchval(_READ))
        if now == counted:
            return now
        counted = now
        await asyncio.sleep(1.0)
