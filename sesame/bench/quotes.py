"""How long the price of a stay takes, with its curve; each quote is timed by itself."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from parking.tariffs.rules import RateTable, price_with_curve, read_rate_table
from sesame.bench.figures import Spread, spread

DAY: Final = timedelta(days=1)
MONTH: Final = timedelta(days=30)
TARGET_DAY_US: Final = 150.0
TARGET_MONTH_US: Final = 2000.0
# Stays enter at every hour of a week, so that each window and day is met.
ENTRIES: Final = 7 * 24
MONTH_ENTRIES: Final = 24
FIRST_ENTRY: Final = datetime(2025, 3, 3, 0, 7, 20, tzinfo=UTC)
RAW_STEP_MINUTES: Final = 15
RAW_ROUNDS: Final = 200
PARSINGS: Final = 20


@dataclass(frozen=True, slots=True)
class QuoteFigures:
    """Quotes of stays of one length, in microseconds.

    Attributes:
        taken: Over all tables and entries.
        processor: The same by the thread's processor time: what other work on the machine took
            is not in it.
        raw: A plain loop that adds up the quarter hours of such a stay and keeps each sum.
        target_us: What p50 may be.
        p50_by_table: By the name of the table.
    """

    taken: Spread
    processor: Spread
    raw: Spread
    target_us: float
    p50_by_table: Mapping[str, float]

    @property
    def meets_target(self) -> bool:
        """Whether the promise holds."""
        return self.taken.p50 <= self.target_us

    def to_json(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "quote_us": self.taken.to_json(),
            "quote_processor_us": self.processor.to_json(),
            "raw_us": self.raw.to_json(),
            "times_raw_limit": round(self.taken.p50 / self.raw.p50, 2),
            "target_p50_us": self.target_us,
            "meets_target": self.meets_target,
            "p50_by_table_us": {name: round(us, 1) for name, us in self.p50_by_table.items()},
        }


def measure_parsing(tables: Mapping[str, Any]) -> Spread:
    """Return what it takes to read and check a table, in microseconds."""
    taken = [
        _taken_us(lambda data=data: read_rate_table(data))[0]
        for data in tables.values()
        for _ in range(PARSINGS)
    ]
    return _spread(taken)


def measure_quotes(
    tables: Mapping[str, RateTable], stay: timedelta, *, entries: int, target_us: float
) -> QuoteFigures:
    """Price stays of one length that enter hour by hour, in every table."""
    by_table: dict[str, list[tuple[float, float]]] = {}
    for name, table in tables.items():
        # The first one fills what a table keeps of the days: the second one is like all later.
        _quote_us(table, FIRST_ENTRY, stay)
        by_table[name] = [
            _quote_us(table, FIRST_ENTRY + timedelta(hours=hour), stay) for hour in range(entries)
        ]
    taken = [each for quotes in by_table.values() for each in quotes]
    return QuoteFigures(
        taken=_spread([us for us, _ in taken]),
        processor=_spread([us for _, us in taken]),
        raw=_spread([_taken_us(lambda: _add_up(stay))[0] for _ in range(RAW_ROUNDS)]),
        target_us=target_us,
        p50_by_table={
            name: _spread([us for us, _ in quotes]).p50 for name, quotes in by_table.items()
        },
    )


def _quote_us(table: RateTable, entered_at: datetime, stay: timedelta) -> tuple[float, float]:
    left_at = entered_at + stay
    return _taken_us(lambda: price_with_curve(table, entered_at, left_at))


def _add_up(stay: timedelta) -> list[tuple[int, int]]:
    steps: list[tuple[int, int]] = []
    total_minor, at_s = 0, 0
    for number in range(stay // timedelta(minutes=RAW_STEP_MINUTES)):
        total_minor += 25 * (number & 1)
        at_s += RAW_STEP_MINUTES * 60
        steps.append((at_s, total_minor))
    return steps


def _taken_us(call: Callable[[], object]) -> tuple[float, float]:
    """Return the time that passed and the processor's, in microseconds."""
    processor_ns = time.thread_time_ns()
    started_ns = time.perf_counter_ns()
    call()
    passed_ns = time.perf_counter_ns() - started_ns
    return passed_ns / 1000, (time.thread_time_ns() - processor_ns) / 1000


def _spread(values: list[float]) -> Spread:
    found = spread(values)
    if found is None:
        raise ValueError("values: expected at least one")
    return found
