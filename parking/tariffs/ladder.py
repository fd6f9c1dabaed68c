"""A stay walked along the ladders of its rate table: what each stretch costs before any cap."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from parking.tariffs.rate_table import RateLine, RateLineCollection, RateTable
from parking.tariffs.schedule import Tile, tiles


class PriceReason(StrEnum):
    """Why a line is on a bill."""

    GRACE = "grace"
    FREE_FIRST = "free_first"
    FREE = "free"
    NO_CHARGE_HOURS = "no_charge_hours"
    FLAT = "flat"
    FLAT_ALREADY_CHARGED = "flat_already_charged"
    INCREMENT = "increment"
    PER_SECOND = "per_second"
    PACKAGE = "package"


class Run(NamedTuple):
    """Equal blocks one after the other, or one flat or free stretch.

    Attributes:
        reason: What is charged, or why nothing is.
        collection: Index in the rate table; None outside all windows.
        occurrence_s: Names the occurrence of the collection's window.
        starts_s: Start of the first block, seconds since 1970.
        ends_s: Where the next run may start.
        block_s: Length of a block; 0 for what has none.
        block_count: How many blocks start in the run; 0 for what has none.
        amount_minor: What one block, or the flat stretch, costs.
        origin_s: From where `per_second` counts, so that a cut of the run changes no rounding.
    """

    reason: PriceReason
    collection: int | None
    occurrence_s: int
    starts_s: int
    ends_s: int
    block_s: int = 0
    block_count: int = 0
    amount_minor: int = 0
    origin_s: int = 0

    def gross_minor(self, at_s: int) -> int:
        """Return what the run costs by `at_s`: a block is charged when it has started."""
        if at_s <= self.starts_s:
            return 0
        if self.reason is PriceReason.INCREMENT:
            return self.amount_minor * self._started(at_s)
        if self.reason is PriceReason.PER_SECOND:
            end_s = min(at_s, self.ends_s)
            return self._prorated_minor(end_s) - self._prorated_minor(self.starts_s)
        return self.amount_minor

    def next_step_s(self, at_s: int) -> int:
        """Return the first second after `at_s` with a higher `gross_minor`; there must be one."""
        at_s = max(at_s, self.starts_s)
        if self.reason is PriceReason.INCREMENT:
            return self.starts_s + self._started(at_s) * self.block_s + 1
        if self.reason is PriceReason.PER_SECOND:
            charged_minor = self._prorated_minor(at_s)
            return self.origin_s + charged_minor * self.block_s // self.amount_minor + 1
        return self.starts_s + 1

    def started_count(self, at_s: int) -> int | None:
        """Return how many blocks have started by `at_s`; None for what does not count them."""
        return self._started(at_s) if self.reason is PriceReason.INCREMENT else None

    def _started(self, at_s: int) -> int:
        return min(self.block_count, -((self.starts_s - at_s) // self.block_s))

    def _prorated_minor(self, at_s: int) -> int:
        return -(-self.amount_minor * (at_s - self.origin_s) // self.block_s)


def runs(table: RateTable, from_s: int, until_s: int) -> Iterator[Run]:
    """Yield what `[from_s, until_s)` costs by the ladders alone, in order of time."""
    walk = _Walk()
    for tile in tiles(table, from_s, until_s):
        walk.enter(tile)
        if tile.collection is None:
            yield Run(PriceReason.NO_CHARGE_HOURS, None, 0, tile.starts_s, tile.ends_s)
            continue
        collection = table.collections[tile.collection]
        base_s = walk.base_s(tile, collection)
        while walk.next_s < tile.ends_s:
            run = walk.run(tile, collection, base_s)
            yield run
            walk.next_s = run.ends_s
        walk.charged_s += tile.ends_s - tile.starts_s


class _Walk:
    """Where the walk stands within one period of the ladder."""

    def __init__(self) -> None:
        self.next_s = 0
        self.charged_s = 0
        self._period_s: int | None = None
        self._segment_s = 0
        self._charged_before_segment_s = 0
        self._flats_charged: set[tuple[int | None, int, int]] = set()

    def enter(self, tile: Tile) -> None:
        """Go on to `tile`; a block under way lasts only where the tile is joined."""
        if tile.period_s != self._period_s:
            self._period_s = tile.period_s
            self.charged_s = 0
            self._flats_charged.clear()
        if not tile.is_joined:
            self.next_s = self._segment_s = tile.starts_s
            self._charged_before_segment_s = self.charged_s

    def base_s(self, tile: Tile, collection: RateLineCollection) -> int:
        """Return the instant at which the ladder of the tile's collection stands at zero."""
        if collection.clock == "window":
            return self._segment_s
        if collection.clock == "charged":
            return self._segment_s - self._charged_before_segment_s
        return tile.period_s

    def run(self, tile: Tile, collection: RateLineCollection, base_s: int) -> Run:
        """Return the run that starts now."""
        line, line_ends_s = _line_at(collection, base_s, self.next_s)
        ends_s = tile.ends_s if line_ends_s is None else min(tile.ends_s, line_ends_s)
        if line is None or line.kind == "free":
            return self._plain(PriceReason.FREE, tile, ends_s, 0)
        if line.kind == "flat":
            occurrence_s = tile.occurrence_s if collection.clock == "window" else 0
            key = (tile.collection, occurrence_s, line.from_minutes)
            if key in self._flats_charged:
                return self._plain(PriceReason.FLAT_ALREADY_CHARGED, tile, ends_s, 0)
            self._flats_charged.add(key)
            return self._plain(PriceReason.FLAT, tile, ends_s, line.amount_minor)
        return self._blocks(tile, line, base_s, ends_s, line_ends_s)

    def _plain(self, reason: PriceReason, tile: Tile, ends_s: int, amount_minor: int) -> Run:
        return Run(
            reason,
            tile.collection,
            tile.occurrence_s,
            self.next_s,
            ends_s,
            amount_minor=amount_minor,
        )

    def _blocks(
        self, tile: Tile, line: RateLine, base_s: int, ends_s: int, line_ends_s: int | None
    ) -> Run:
        block_s = (line.block_minutes or 0) * 60
        count = -((self.next_s - ends_s) // block_s)
        reason = PriceReason.PER_SECOND
        if line.kind == "increment":
            reason = PriceReason.INCREMENT
            # The last block may outlast the tile; the next tile cuts it unless it is joined.
            ends_s = self.next_s + count * block_s
            if line_ends_s is not None:
                ends_s = min(ends_s, line_ends_s)
        return Run(
            reason,
            tile.collection,
            tile.occurrence_s,
            self.next_s,
            ends_s,
            block_s=block_s,
            block_count=count,
            amount_minor=line.amount_minor,
            origin_s=max(self._segment_s, base_s + line.from_minutes * 60),
        )


def _line_at(
    collection: RateLineCollection, base_s: int, at_s: int
) -> tuple[RateLine | None, int | None]:
    """Return the line of the ladder at an instant and where it ends; no line in a gap."""
    for line in collection.ladder:
        if at_s < base_s + line.from_minutes * 60:
            return None, base_s + line.from_minutes * 60
        if line.to_minutes is None:
            return line, None
        if at_s < base_s + line.to_minutes * 60:
            return line, base_s + line.to_minutes * 60
    return None, None
