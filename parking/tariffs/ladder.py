"""A stay walked along the ladders of its rate table: what each stretch costs before any cap."""

from collections.abc import Iterator, Sequence
from typing import Final

from parking.tariffs.allowances import AllowanceBalance
from parking.tariffs.exemptions import Exempt, pieces
from parking.tariffs.rate_line import RateLine, RateLineCollection
from parking.tariffs.rate_table import RateTable
from parking.tariffs.run import PriceReason, Run
from parking.tariffs.schedule import Tile, tiles

_NEVER_S: Final = 1 << 62
# Seconds from where the ladder stands at zero; the line is None in a gap of the ladder.
_Rung = tuple[int, int, RateLine | None]


def runs(
    table: RateTable,
    exempt: Sequence[Exempt],
    balance: AllowanceBalance,
    from_s: int,
    until_s: int,
) -> Iterator[Run]:
    """Yield what `[from_s, until_s)` costs by the ladders alone, in order of time."""
    walk = _Walk(table, balance)
    for tile in tiles(table, from_s, until_s):
        walk.enter(tile)
        if not exempt:
            yield from walk.piece(tile, tile.starts_s, tile.ends_s)
            continue
        for starts_s, ends_s, exemption in pieces(exempt, tile.starts_s, tile.ends_s):
            if exemption is None:
                yield from walk.piece(tile, starts_s, ends_s)
                continue
            if exemption.ends_s >= until_s:
                yield _exempt_run(exemption, starts_s, until_s)._replace(is_last=True)
                return
            walk.pass_over(tile, starts_s, ends_s)
            yield _exempt_run(exemption, starts_s, ends_s)


def _exempt_run(exemption: Exempt, starts_s: int, ends_s: int) -> Run:
    return Run(exemption.reason, None, starts_s, starts_s, ends_s, note=exemption.note)


class _Walk:
    """Where the walk stands within one period of the ladder."""

    def __init__(self, table: RateTable, balance: AllowanceBalance) -> None:
        self._collections = table.collections
        self._balance = balance
        self._runs_on = table.straddle == "continue"
        self._is_used_up = not any(collection.is_priced for collection in table.collections)
        # Otherwise only a ladder that never starts again can be used up.
        self._can_end = table.ladder_reset == "session" and all(
            collection.clock != "window" for collection in table.collections
        )
        self._next_s = 0
        self._charged_s = 0
        self._period_s = -1
        self._segment_s = 0
        self._flats_charged: set[tuple[object, ...]] = set()
        self._last_prorated: tuple[RateLine, int, int] | None = None

    def enter(self, tile: Tile) -> None:
        """Go on to `tile`; a block under way goes on if the tile is joined or the table says so."""
        is_new_period = tile.period_s != self._period_s
        if is_new_period:
            self._period_s = tile.period_s
            self._charged_s = 0
            self._flats_charged.clear()
            self._last_prorated = None
        if not tile.is_joined:
            self._segment_s = tile.starts_s
            if is_new_period or not self._runs_on:
                self._next_s = tile.starts_s
        if self._can_end and not self._is_used_up:
            self._is_used_up = all(
                self._is_collection_used_up(index, tile.starts_s)
                for index in range(len(self._collections))
            )

    def pass_over(self, tile: Tile, starts_s: int, ends_s: int) -> None:
        """Begin no block in `[starts_s, ends_s)`; one under way was paid and goes on."""
        if tile.collection is not None:
            # The charged clock stands still but for the time that a paid block covers.
            self._charged_s += min(max(self._next_s - starts_s, 0), ends_s - starts_s)

    def piece(self, tile: Tile, starts_s: int, ends_s: int) -> Iterator[Run]:
        """Yield the runs that start in `[starts_s, ends_s)`, a part of the tile."""
        if tile.collection is None:
            yield self._plain_run(PriceReason.NO_CHARGE_HOURS, tile, starts_s, ends_s)
            return
        collection = self._collections[tile.collection]
        base_s, taken_s = self._base_s(tile, collection, starts_s), 0
        self._next_s = max(self._next_s, starts_s)
        while self._next_s < ends_s:
            rung = _rung_at(collection, self._next_s - base_s)
            run, run_ends_s = None, ends_s
            if self._balance:
                run = self._taken(tile, collection, rung, base_s, ends_s)
                # What begins after midnight may be free again.
                run_ends_s = min(ends_s, self._balance.renewed_s(self._next_s))
            if run is None:
                run = self._run(tile, collection, rung, base_s, run_ends_s)
            elif collection.clock == "charged":
                taken_s += run.ends_s - run.starts_s
                base_s += run.ends_s - run.starts_s
            yield run
            self._next_s = run.ends_s
        self._charged_s += ends_s - starts_s - taken_s

    def _base_s(self, tile: Tile, collection: RateLineCollection, starts_s: int) -> int:
        """Return the instant at which the ladder of the tile's collection stands at zero."""
        if collection.clock == "window":
            return self._segment_s
        return starts_s - self._charged_s if collection.clock == "charged" else tile.period_s

    def _taken(
        self, tile: Tile, collection: RateLineCollection, rung: _Rung, base_s: int, ends_s: int
    ) -> Run | None:
        """Return the free time of an allowance where something would be charged now."""
        _, to_s, line = rung
        if line is None or not line.amount_minor:
            return None
        if line.kind == "flat" and self._flat_key(tile, collection, line) in self._flats_charged:
            return None
        if collection.clock != "charged":
            ends_s = min(ends_s, base_s + to_s)
        return self._balance.take(self._next_s, ends_s)

    def _run(
        self, tile: Tile, collection: RateLineCollection, rung: _Rung, base_s: int, ends_s: int
    ) -> Run:
        """Return the run that starts now."""
        from_s, to_s, line = rung
        line_ends_s = base_s + to_s
        if line is None or line.kind == "free":
            return self._plain_run(PriceReason.FREE, tile, self._next_s, min(ends_s, line_ends_s))
        if line.kind == "flat":
            return self._flat(tile, collection, line, min(ends_s, line_ends_s))
        if line.kind == "per_second":
            return self._prorated(tile, line, base_s + from_s, min(ends_s, line_ends_s))
        return self._blocks(tile, line, min(ends_s, line_ends_s), line_ends_s)

    def _plain_run(
        self, reason: PriceReason, tile: Tile, starts_s: int, ends_s: int, amount_minor: int = 0
    ) -> Run:
        """Return a run without blocks."""
        return Run(
            reason,
            tile.collection,
            tile.occurrence_s,
            starts_s,
            ends_s,
            amount_minor=amount_minor,
            is_last=self._is_used_up,
        )

    def _flat(self, tile: Tile, collection: RateLineCollection, line: RateLine, ends_s: int) -> Run:
        key = self._flat_key(tile, collection, line)
        if key in self._flats_charged:
            return self._plain_run(PriceReason.FLAT_ALREADY_CHARGED, tile, self._next_s, ends_s)
        self._flats_charged.add(key)
        return self._plain_run(PriceReason.FLAT, tile, self._next_s, ends_s, line.amount_minor)

    def _flat_key(
        self, tile: Tile, collection: RateLineCollection, line: RateLine
    ) -> tuple[object, ...]:
        """Return what names the flat amount: it is charged once."""
        if collection.clock == "window":
            return (tile.collection, tile.occurrence_s, line.from_minutes)
        return self._flat_key_of_stay(tile.collection, line)

    def _flat_key_of_stay(self, collection: int | None, line: RateLine) -> tuple[object, ...]:
        if self._runs_on:
            # Equal flat lines of two windows are one that goes on over the edge.
            return (line.from_minutes, line.to_minutes, line.amount_minor, "any window")
        return (collection, 0, line.from_minutes)

    def _prorated(self, tile: Tile, line: RateLine, line_begins_s: int, ends_s: int) -> Run:
        origin_s = max(self._segment_s, line_begins_s)
        if self._runs_on and self._last_prorated is not None:
            last_line, last_ends_s, last_origin_s = self._last_prorated
            if last_line == line and last_ends_s == self._next_s:
                origin_s = last_origin_s
        self._last_prorated = (line, ends_s, origin_s)
        return Run(
            PriceReason.PER_SECOND,
            tile.collection,
            tile.occurrence_s,
            self._next_s,
            ends_s,
            (line.block_minutes or 0) * 60,
            amount_minor=line.amount_minor,
            origin_s=origin_s,
        )

    def _blocks(self, tile: Tile, line: RateLine, ends_s: int, line_ends_s: int) -> Run:
        block_s = (line.block_minutes or 0) * 60
        starts_s = self._next_s
        count = -((starts_s - ends_s) // block_s)
        return Run(
            PriceReason.INCREMENT,
            tile.collection,
            tile.occurrence_s,
            starts_s,
            # The last block may outlast the tile; the next tile may cut it.
            min(starts_s + count * block_s, line_ends_s),
            block_s,
            count,
            line.amount_minor,
        )

    def _is_collection_used_up(self, index: int, at_s: int) -> bool:
        """Whether nothing on the collection's ladder from `at_s` on costs anything."""
        collection = self._collections[index]
        is_session_clock = collection.clock == "session"
        position_s = at_s - self._period_s if is_session_clock else self._charged_s
        return all(
            not line.amount_minor
            or (line.to_minutes is not None and line.to_minutes * 60 <= position_s)
            or (line.kind == "flat" and self._flat_key_of_stay(index, line) in self._flats_charged)
            for line in collection.lines
        )


def _rung_at(collection: RateLineCollection, position_s: int) -> _Rung:
    """Return the line of the ladder at a position, and where it begins and ends."""
    for rung in collection.rungs:
        if position_s < rung[0]:
            return position_s, rung[0], None
        if position_s < rung[1]:
            return rung
    return position_s, _NEVER_S, None
