"""Caps: how much of what the ladders charge still counts."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from parking.tariffs.rate_table import RateCap, RateTable
from parking.tariffs.run import PriceReason, Run
from parking.tariffs.schedule import next_midnight

_NEVER_S: Final = 1 << 62
_UNLIMITED_MINOR: Final = 1 << 62


class Charge(NamedTuple):
    """A run, or the part of it in one period of every cap, and what may be charged for it.

    Attributes:
        run: What the ladder charges.
        final_minor: What the charge costs once it is over.
        cap_note: Which cap leaves the least; empty without one.
        is_last: No later charge can cost anything.
    """

    run: Run
    final_minor: int
    cap_note: str = ""
    is_last: bool = False

    def net_minor(self, at_s: int) -> int:
        """Return what the charge costs by `at_s`."""
        return min(self.run.gross_minor(at_s), self.final_minor)

    def step_count_max(self, until_s: int) -> int:
        """Return how often the charge may cost more until `until_s`, at most."""
        if self.run.reason is PriceReason.INCREMENT:
            return self.run.started_count(until_s) or 0
        if self.run.reason is PriceReason.PER_SECOND:
            return min(self.net_minor(until_s), max(until_s - self.run.starts_s, 0))
        return 1

    def steps(self, before_minor: int, until_s: int) -> list[tuple[int, int]]:
        """Return when the charge costs more, until `until_s`, and `before_minor` and what then."""
        run, final_minor = self.run, self.final_minor
        if run.reason is PriceReason.INCREMENT:
            amount_minor, first_s = run.amount_minor, run.starts_s + 1
            count = min(-(-final_minor // amount_minor), run.started_count(until_s) or 0)
            instants = range(first_s, first_s + count * run.block_s, run.block_s)
            totals = range(before_minor + amount_minor, _UNLIMITED_MINOR, amount_minor)
            steps = list(zip(instants, totals, strict=False))
            if count * amount_minor > final_minor:
                steps[-1] = (steps[-1][0], before_minor + final_minor)
            return steps
        steps: list[tuple[int, int]] = []
        minor = 0
        while minor < final_minor and (at_s := run.reached_s(minor + 1)) <= until_s:
            minor = min(run.gross_minor(at_s), final_minor)
            steps.append((at_s, before_minor + minor))
        return steps


def charges(table: RateTable, source: Iterable[Run], from_s: int) -> Iterator[Charge]:
    """Yield what the runs of `source`, from `from_s` on, cost under the caps of the table."""
    caps: list[_Cap] = [
        _CollectionCap(index, collection.cap_minor)
        for index, collection in enumerate(table.collections)
        if collection.cap_minor is not None
    ]
    # What the cap of a day takes off must not fill that of its week, whichever is named first.
    by_amount = sorted(table.caps, key=lambda cap: cap.amount_minor)
    caps += [_PeriodCap(table, cap, from_s) for cap in by_amount]
    for run in source:
        if not caps or not run.amount_minor:
            # A stretch that costs nothing begins no period of a cap.
            yield Charge(run, run.final_minor, "", run.is_last)
            continue
        rest: Run | None = run
        while rest is not None:
            in_force = [cap for cap in caps if cap.enter(rest)]
            part, rest = _split(rest, min([cap.ends_s for cap in in_force], default=_NEVER_S))
            yield _charge(part, in_force)


def _charge(run: Run, in_force: "Sequence[_Cap]") -> Charge:
    minor, note, is_last = run.final_minor, "", run.is_last
    for cap in in_force:
        if cap.room_minor < minor:
            minor, note = cap.room_minor, cap.note
        cap.room_minor -= minor
        is_last = is_last or (cap.is_final and not cap.room_minor)
    return Charge(run, minor, note, is_last)


def _split(run: Run, at_s: int) -> tuple[Run, Run | None]:
    """Return the part whose blocks start before `at_s`, and the rest."""
    if run.reason is PriceReason.PER_SECOND and at_s < run.ends_s:
        return run._replace(ends_s=at_s), run._replace(starts_s=at_s)
    if run.reason is not PriceReason.INCREMENT:
        return run, None
    count = -((run.starts_s - at_s) // run.block_s)
    if count >= run.block_count:
        return run, None
    cut_s = run.starts_s + count * run.block_s
    return (
        run._replace(ends_s=cut_s, block_count=count),
        run._replace(starts_s=cut_s, block_count=run.block_count - count),
    )


class _Cap:
    """A cap and what its current period still allows.

    Attributes:
        note: What a bill says where the cap cuts a line.
        room_minor: What may still be charged in the current period.
        ends_s: End of the current period.
        is_final: The current period is the whole stay, with all that it costs.
    """

    note = ""
    is_final = False

    def __init__(self) -> None:
        self.room_minor = 0
        self.ends_s = _NEVER_S

    def enter(self, run: Run) -> bool:
        """Go on to the period in which `run` starts; False if the cap does not count it."""
        raise NotImplementedError


class _CollectionCap(_Cap):
    """The cap of a collection, for each occurrence of its window; no run leaves one."""

    note = "window cap"

    def __init__(self, collection: int, amount_minor: int) -> None:
        super().__init__()
        self._collection = collection
        self._amount_minor = amount_minor
        self._occurrence_s: int | None = None

    def enter(self, run: Run) -> bool:
        if run.collection != self._collection:
            return False
        if run.occurrence_s != self._occurrence_s:
            self._occurrence_s = run.occurrence_s
            self.room_minor = self._amount_minor
        return True


class _PeriodCap(_Cap):
    """A cap of the table: rolling, by calendar day or for the session."""

    def __init__(self, table: RateTable, cap: RateCap, from_s: int) -> None:
        super().__init__()
        self._table = table
        self._cap = cap
        self._starts_s: int | None = None
        self.is_final = cap.per == "session" and cap.collection is None
        self.note = f"{cap.per} cap"
        if cap.collection is None:
            self._begin(from_s)

    def enter(self, run: Run) -> bool:
        cap = self._cap
        if cap.collection is not None and run.collection != cap.collection:
            return False
        if self._starts_s is None:
            self._begin(run.starts_s)
        elif run.starts_s >= self.ends_s:
            if cap.once or cap.per == "session":
                return False
            self._begin(self._period_start_s(self._starts_s, run.starts_s))
        return True

    def _begin(self, starts_s: int) -> None:
        self._starts_s = starts_s
        self.room_minor = self._cap.amount_minor
        if self._cap.minutes is not None:
            self.ends_s = starts_s + self._cap.minutes * 60
        elif self._cap.per == "calendar_day":
            self.ends_s = next_midnight(self._table, starts_s)

    def _period_start_s(self, starts_s: int, at_s: int) -> int:
        """Return the start of the rolling period that holds `at_s`."""
        if self._cap.minutes is None or self._cap.collection is not None:
            return at_s
        length_s = self._cap.minutes * 60
        return at_s - (at_s - starts_s) % length_s
