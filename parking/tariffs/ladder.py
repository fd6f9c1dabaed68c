"""A stay walked along the ladders of its rate table: what each stretch costs before any cap."""

from collections.abc import Iterator

from parking.tariffs.rate_table import RateLine, RateLineCollection, RateTable
from parking.tariffs.run import PriceReason, Run
from parking.tariffs.schedule import Tile, tiles


def runs(table: RateTable, from_s: int, until_s: int) -> Iterator[Run]:
    """Yield what `[from_s, until_s)` costs by the ladders alone, in order of time."""
    walk = _Walk(table)
    for tile in tiles(table, from_s, until_s):
        walk.enter(tile)
        if tile.collection is None:
            yield walk.plain_run(PriceReason.NO_CHARGE_HOURS, tile, tile.ends_s)
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

    def __init__(self, table: RateTable) -> None:
        self._collections = table.collections
        self._is_used_up = not any(
            line.amount_minor for collection in table.collections for line in collection.lines
        )
        # Otherwise only a ladder that never starts again can be used up.
        self._can_end = table.ladder_reset == "session" and all(
            collection.clock != "window" for collection in table.collections
        )
        self.next_s = 0
        self.charged_s = 0
        self._period_s = -1
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
        if self._can_end and not self._is_used_up:
            self._is_used_up = all(
                self._is_collection_used_up(index, tile.starts_s)
                for index in range(len(self._collections))
            )

    def _is_collection_used_up(self, index: int, at_s: int) -> bool:
        """Whether nothing on the collection's ladder from `at_s` on costs anything."""
        collection = self._collections[index]
        is_session_clock = collection.clock == "session"
        position_s = at_s - self._period_s if is_session_clock else self.charged_s
        return all(
            not line.amount_minor
            or (line.to_minutes is not None and line.to_minutes * 60 <= position_s)
            or (index, 0, line.from_minutes) in self._flats_charged
            for line in collection.lines
        )

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
            return self.plain_run(PriceReason.FREE, tile, ends_s)
        if line.kind == "flat":
            occurrence_s = tile.occurrence_s if collection.clock == "window" else 0
            key = (tile.collection, occurrence_s, line.from_minutes)
            if key in self._flats_charged:
                return self.plain_run(PriceReason.FLAT_ALREADY_CHARGED, tile, ends_s)
            self._flats_charged.add(key)
            return self.plain_run(PriceReason.FLAT, tile, ends_s, line.amount_minor)
        return self._blocks(tile, line, base_s, ends_s, line_ends_s)

    def plain_run(self, reason: PriceReason, tile: Tile, ends_s: int, amount_minor: int = 0) -> Run:
        """Return a run without blocks."""
        return Run(
            reason,
            tile.collection,
            tile.occurrence_s,
            self.next_s,
            ends_s,
            amount_minor=amount_minor,
            is_last=self._is_used_up,
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
