"""The demo in a terminal of 120 columns and 40 lines."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from parking.kit.money import Money
from sesame.demo.feed import Feed, LaneView, PlayView
from sesame.demo.report import facts_line, mark
from sesame.demo.scenarios import SCENARIOS
from sesame.demo.town import PLANS, QUAY
from sesame.sandbox.processes import MAKERS

SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
STAYS_SHOWN_MAX: Final = 5
PUSHES_SHOWN: Final = 6
LOG_LINES_SHOWN: Final = 6
LAST_WIDTH: Final = 14
# The worst first.
_STATE_STYLES: Final = {
    "down": "bold red",
    "starting": "yellow",
    "frozen": "bold cyan",
    "up": "green",
}
_LANES: Final = {
    f"{plan.key}-{way}": (plan.name, way)
    for plan in PLANS
    if plan.has_lanes and plan.key != QUAY
    for way in ("entry", "exit")
}


def render(feed: Feed) -> RenderableType:
    """Return the whole screen."""
    layout = Layout()
    layout.split_column(
        Layout(_header(feed), size=3),
        Layout(_panel("Scenarios", _scenarios(feed)), size=len(SCENARIOS) + 2),
        Layout(name="lanes", size=8),
        Layout(name="money", size=8),
        Layout(name="log"),
    )
    layout["lanes"].split_row(
        Layout(_panel("Lanes", _lanes(feed)), ratio=13),
        Layout(_panel("Pushes on the phones", _pushes(feed)), ratio=7),
    )
    layout["money"].split_row(
        Layout(_panel("Cars inside", _stays(feed)), ratio=11),
        Layout(_panel("Money", _books(feed)), ratio=9),
    )
    layout["log"].split_row(
        Layout(_panel("Log", _log(feed)), ratio=16),
        Layout(_panel("Processes", _processes(feed)), ratio=4),
    )
    return layout


def _panel(title: str, content: RenderableType) -> Panel:
    return Panel(
        content, title=title, title_align="left", box=box.ROUNDED, border_style="bright_black"
    )


def _header(feed: Feed) -> RenderableType:
    elapsed_s = int(time.monotonic() - feed.began_s)
    left = Text.assemble(
        ("Sesame", "bold magenta"), "  the gate knows your plate   ", (feed.headline, "italic")
    )
    urls = "   ".join(f"{name} {url}" for name, url in feed.urls.items())
    codes = [lane.qr for lane in feed.lanes.values() if lane.qr]
    grid = _grid(1, 0)
    grid.add_row(left, _dim(f"{elapsed_s // 60}:{elapsed_s % 60:02d}"))
    grid.add_row(_line(urls, "cyan"), _dim("Ctrl-C ends"))
    grid.add_row(_line(f"to pay: {codes[-1]}" if codes else "", "cyan"), "")
    return grid


def _scenarios(feed: Feed) -> RenderableType:
    grid = _grid(0, 0, 1, 0)
    for scenario in SCENARIOS:
        play = feed.plays.get(scenario.name, PlayView())
        grid.add_row(_play_mark(play), scenario.title, _play_text(play), _play_time(play))
    return grid


def _play_mark(play: PlayView) -> Text:
    if play.outcome is not None:
        return mark(passed=play.outcome.passed)
    if not play.began_s:
        return _dim("·")
    return Text(SPINNER[int(time.monotonic() * 8) % len(SPINNER)], style="yellow")


def _play_text(play: PlayView) -> Text:
    if play.outcome is None:
        return _line(play.step)
    style = "green" if play.outcome.passed else "red"
    return _line(facts_line(play.outcome), style)


def _play_time(play: PlayView) -> Text:
    if play.outcome is not None:
        return Text(f"{play.outcome.wall_s:5.1f} s")
    return Text(f"{time.monotonic() - play.began_s:5.1f} s" if play.began_s else "")


def _lanes(feed: Feed) -> RenderableType:
    grid = _grid(0, 0, 0, 1, 0)
    grid.columns[-1].min_width = LAST_WIDTH
    for key, (place, way) in _LANES.items():
        lane = feed.lanes.get(key, LaneView())
        is_frozen = feed.processes.get(key) == "frozen"
        arrow = "▶" if way == "entry" else "◀"
        grid.add_row(
            Text(place, style="bold" if lane.car else ""),
            _dim(f"{arrow} {way}"),
            Text("■■" if lane.car else "··", style="yellow" if lane.car else "bright_black"),
            _display(lane),
            Text("FROZEN", style="bold cyan") if is_frozen else _last(lane),
        )
    return grid


def _display(lane: LaneView) -> Text:
    text = _line(" · ".join(lane.lines), "bold")
    if lane.qr:
        text.append(" ▚▞", style="bold cyan")
    return text


def _last(lane: LaneView) -> Text:
    if not lane.connected:
        return Text("not connected", style="red")
    if lane.last.startswith("REFUSED"):
        return Text(lane.last, style="bold red")
    style = "green" if lane.last in {"opening", "opened", "passed", "order accepted"} else ""
    return Text(lane.last, style=style or "bright_black")


def _pushes(feed: Feed) -> RenderableType:
    newest = list(feed.pushes)[-PUSHES_SHOWN:]
    return Group(
        *(
            _line(push.title, "green").append(f"  {push.body}", style="bright_black")
            for push in reversed(newest)
        )
    )


def _stays(feed: Feed) -> RenderableType:
    grid = _grid(0, 1, 0, 0)
    for stay in feed.stays[-STAYS_SHOWN_MAX:]:
        tick = feed.ticks.get(stay.plate) if stay.driver == "app" else None
        grid.add_row(
            Text(stay.plate, style="bold"),
            _line(f"{stay.place}, {stay.stayed_s // 60}:{stay.stayed_s % 60:02d}"),
            Text(stay.due.format(), style="yellow"),
            Text("" if tick is None else f"phone: {tick.format()}", style="green"),
        )
    if len(feed.stays) > STAYS_SHOWN_MAX:
        grid.add_row("…", f"and {len(feed.stays) - STAYS_SHOWN_MAX} more", "", "")
    return grid


def _books(feed: Feed) -> RenderableType:
    grid = _grid(1, 0, 0)
    if feed.books is None:
        return grid
    currencies = sorted({plan.rate_table["currency"] for plan in PLANS})
    grid.add_row(
        "", *(Text(currency, style="bright_black", justify="right") for currency in currencies)
    )
    rows = {
        "books of the providers": _together(feed.books.captured),
        "ledger: held by providers": _together(feed.books.held),
        "ledger: between operators": feed.books.between,
        "ledger: owed by drivers": feed.books.receivable,
        "ledger: sum of all accounts": feed.books.ledger_sum,
    }
    for name, amounts in rows.items():
        grid.add_row(
            name, *(_amount(amounts.get(currency, 0), currency) for currency in currencies)
        )
    return grid


def _together(by_provider: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
    together = Counter[str]()
    for amounts in by_provider.values():
        together.update(amounts)
    return together


def _amount(minor: int, currency: str) -> Text:
    return Text(Money(minor, currency).format().removesuffix(f" {currency}"), justify="right")


def _processes(feed: Feed) -> RenderableType:
    grid = _grid(0, 1)
    for name, state in feed.processes.items():
        if name not in _LANES and name not in MAKERS:
            grid.add_row(_dot(state), _line(name))
    for what, names in {"stand-ins": MAKERS, "lanes": _LANES}.items():
        states = [state for name, state in feed.processes.items() if name in names]
        if states:
            worst = next((state for state in _STATE_STYLES if state in states), "up")
            grid.add_row(_dot(worst), _line(f"{states.count('up')} of {len(names)} {what}"))
    return grid


def _dot(state: str) -> Text:
    return Text("●", style=_STATE_STYLES.get(state, ""))


def _log(feed: Feed) -> RenderableType:
    newest = list(feed.log)[-LOG_LINES_SHOWN:]
    return Group(*(_log_line(name, line) for name, line in newest))


def _log_line(name: str, line: str) -> Text:
    text = Text(f"{name:<10} ", style="magenta", no_wrap=True, overflow="ellipsis")
    return text.append(line, style="default")


def _dim(content: str) -> Text:
    return Text(content, style="bright_black")


def _line(content: str, style: str = "") -> Text:
    return Text(content, style=style, no_wrap=True, overflow="ellipsis")


def _grid(*ratios: int) -> Table:
    """Return a table without lines; a column with ratio 0 is as wide as its content."""
    grid = Table.grid(padding=(0, 2), expand=True)
    for ratio in ratios:
        grid.add_column(ratio=ratio or None, no_wrap=True)
    return grid
