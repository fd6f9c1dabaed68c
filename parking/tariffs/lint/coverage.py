"""Times of the week that no collection covers, that two cover, and collections never reached."""

from collections.abc import Iterator, Sequence

from parking.tariffs.lint.findings import Finding, Severity, worked_stay
from parking.tariffs.lint.week import TriedDay, times_in_words
from parking.tariffs.rules import RateTable


def coverage_findings(table: RateTable, days: Sequence[TriedDay]) -> Iterator[Finding]:
    """Yield what is wrong with which collection counts when."""
    yield from _gaps(table, days)
    reached = {span.collections[0] for day in days for span in day.spans if span.collections}
    for index in range(len(table.collections)):
        if index in reached:
            yield from _overlaps(table, days, index)
        else:
            yield _unreachable(table, days, index)


def _gaps(table: RateTable, days: Sequence[TriedDay]) -> Iterator[Finding]:
    gaps = [(day, span) for day in days for span in day.spans if not span.collections]
    if not gaps:
        return
    day, span = gaps[0]
    words = times_in_words((day.name, span.starts, span.ends) for day, span in gaps)
    yield Finding(
        Severity.WARNING,
        "week_gap",
        "collections",
        f"no collection counts {words}: these hours cost nothing. If that is meant, a collection "
        "with a free line says so",
        (worked_stay(table, day.wall_s(table, span.starts), day.wall_s(table, span.ends)),),
    )


def _overlaps(table: RateTable, days: Sequence[TriedDay], index: int) -> Iterator[Finding]:
    for other in range(index):
        shared = [
            (day, span)
            for day in days
            for span in day.spans
            if index in span.collections and span.collections[0] == other
        ]
        if shared:
            day, span = shared[0]
            words = times_in_words((day.name, span.starts, span.ends) for day, span in shared)
            stay = worked_stay(table, day.wall_s(table, span.starts), day.wall_s(table, span.ends))
            # Hours within longer ones that come later in the list are what the order is for.
            held = all(
                index in span.collections
                for day in days
                for span in day.spans
                if other in span.collections
            )
            yield Finding(
                Severity.NOTE if held else Severity.WARNING,
                "window_overlap",
                f"collections.{index}.window",
                f"{_named(table, other)} covers {words} too: the first of the list wins, so that "
                f"{_named(table, index)} does not count then",
                (stay,),
            )


def _unreachable(table: RateTable, days: Sequence[TriedDay], index: int) -> Finding:
    covered = [(day, span) for day in days for span in day.spans if index in span.collections]
    path = f"collections.{index}"
    if not covered:
        return Finding(
            Severity.ERROR,
            "collection_unreachable",
            f"{path}.days",
            f"{_named(table, index)} never counts: its days never come. Days of the kind "
            "`holiday` need dates in `holidays`",
        )
    day, span = covered[0]
    winners = sorted({span.collections[0] for _, span in covered})
    others = " and ".join(_named(table, winner) for winner in winners)
    stay = worked_stay(table, day.wall_s(table, span.starts), day.wall_s(table, span.ends))
    return Finding(
        Severity.ERROR,
        "collection_unreachable",
        path,
        f"{_named(table, index)} never counts: {others} cover all of its time and come first",
        (stay,),
    )


def _named(table: RateTable, index: int) -> str:
    name = table.collections[index].name
    return f"collections.{index} ({name})" if name else f"collections.{index}"
