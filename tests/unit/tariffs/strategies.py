"""Random rate tables and stays around the nights on which clocks change."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st

ZONES: Final = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Shanghai",
    "America/Santiago",
)
# Nights of change in Berlin, New York, Lord Howe (30 minutes), Santiago (at midnight); a leap day.
ANCHORS: Final = tuple(
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in (
        "2025-03-29T12:00",
        "2025-10-25T12:00",
        "2025-03-08T12:00",
        "2025-11-01T12:00",
        "2025-04-05T06:00",
        "2025-10-04T06:00",
        "2025-09-06T12:00",
        "2024-02-28T12:00",
    )
)
WALL_TIMES: Final = ("00:00", "02:30", "06:00", "08:00", "13:00", "20:00", "22:30")
DAYS: Final = ("mon", "sat", "sun", "workday", "nonworkday", "holiday", "noholiday")
HOLIDAYS: Final = ["2025-03-31", "2025-10-27", "2024-02-29"]


@st.composite
def ladders(draw: st.DrawFn) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    start = draw(st.sampled_from((0, 0, 0, 20)))
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(("free", "flat", "increment", "increment", "per_second")))
        line: dict[str, Any] = {"kind": kind, "from": start}
        if kind != "free":
            line["value"] = draw(st.integers(0, 500))
        if kind in {"increment", "per_second"}:
            line["block"] = draw(st.sampled_from((1, 7, 20, 30, 60, 1500)))
        start += draw(st.sampled_from((10, 45, 60, 240, 480)))
        if draw(st.booleans()):
            line["to"] = start
        lines.append(line)
        if "to" not in line:
            break
    return lines


@st.composite
def collections(draw: st.DrawFn) -> dict[str, Any]:
    collection: dict[str, Any] = {
        "lines": draw(ladders()),
        "clock": draw(st.sampled_from(("session", "window", "charged"))),
    }
    if draw(st.booleans()):
        collection["window"] = [draw(st.sampled_from(WALL_TIMES)) for _ in range(2)]
    if draw(st.integers(0, 2)) == 0:
        collection["cap"] = draw(st.integers(0, 1500))
    if draw(st.integers(0, 2)) == 0:
        collection["days"] = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=3))
    if draw(st.integers(0, 4)) == 0:
        collection["join_days"] = draw(st.booleans())
    return collection


@st.composite
def caps(draw: st.DrawFn, collection_count: int) -> dict[str, Any]:
    cap: dict[str, Any] = {
        "per": draw(st.sampled_from(("rolling", "calendar_day", "session"))),
        "amount": draw(st.integers(0, 3000)),
    }
    if cap["per"] == "rolling":
        cap["minutes"] = draw(st.sampled_from((300, 720, 1440)))
    if draw(st.integers(0, 3)) == 0:
        cap["once"] = True
    if draw(st.integers(0, 3)) == 0:
        cap["collection"] = draw(st.integers(0, collection_count - 1))
    return cap


@st.composite
def packages(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "name": "package",
        "enter": [draw(st.sampled_from(WALL_TIMES)) for _ in range(2)],
        "exit": [draw(st.sampled_from(WALL_TIMES)) for _ in range(2)],
        "day_offset": draw(st.integers(0, 2)),
        "amount": draw(st.integers(0, 1500)),
    }


@st.composite
def rate_tables(draw: st.DrawFn, *, with_packages: bool) -> dict[str, Any]:
    parts = draw(st.lists(collections(), min_size=1, max_size=3))
    table: dict[str, Any] = {
        "timezone": draw(st.sampled_from(ZONES)),
        "currency": "EUR",
        "collections": parts,
        "caps": draw(st.lists(caps(len(parts)), max_size=2)),
        "ladder_reset": draw(st.sampled_from(("session", "rolling", "calendar_day"))),
        "grace": draw(st.sampled_from((0, 0, 10))),
        "free_first": draw(st.sampled_from((0, 0, 30))),
        "tick": draw(st.sampled_from(("second", "second", "minute"))),
        "holidays": HOLIDAYS,
    }
    if table["ladder_reset"] == "rolling":
        table["ladder_minutes"] = draw(st.sampled_from((60, 720, 1440)))
    if with_packages:
        table["packages"] = draw(st.lists(packages(), max_size=3))
    return table


@st.composite
def entries(draw: st.DrawFn) -> datetime:
    return draw(st.sampled_from(ANCHORS)) + timedelta(seconds=draw(st.integers(0, 24 * 3600)))


def durations(days: int = 3) -> st.SearchStrategy[timedelta]:
    return st.one_of(
        st.integers(0, 3600).map(lambda seconds: timedelta(seconds=seconds)),
        st.integers(0, days * 1440).map(lambda minutes: timedelta(minutes=minutes)),
        st.integers(0, days * 86_400).map(lambda seconds: timedelta(seconds=seconds)),
    )
