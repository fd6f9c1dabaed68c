"""How a checked bill is shown: its lines and the answers, as a table or as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parking.flows.bills.checks import Check, Verification
from parking.kit.money import Money

LINES_SHOWN_MAX: Final = 60
_SIGNS: Final[Mapping[bool | None, tuple[str, str]]] = {
    True: ("✓", "green"),
    False: ("✗", "bold red"),
    None: ("?", "yellow"),
}


def report(found: Verification) -> dict[str, Any]:
    """Return what was found as JSON values."""
    problem = found.first_problem
    return {
        "bill": found.title,
        "verified": found.is_verified,
        "first_problem": None if problem is None else _check_report(problem),
        "checks": [_check_report(check) for check in found.checks],
        "lines": [dict(item.line) | {"same": item.is_same} for item in found.lines],
    }


def show(found: Verification, console: Console) -> None:
    """Print the lines, the answers, and the verdict."""
    console.print(_plain(_capitalised(found.title), style="bold"))
    if found.lines:
        console.print(_lines_table(found))
    console.print(_checks_table(found))
    problem = found.first_problem
    if problem is None:
        open_count = sum(check.ok is None for check in found.checks)
        words = (
            "Verified." if not open_count else f"Verified, but for {open_count} of the questions."
        )
        console.print(_plain(f"✓ {words}", style="bold green"))
        return
    console.print(_plain(f"✗ Not verified: {_question(problem)}, {problem.words}.", "bold red"))


def show_lines(lines: list[dict[str, Any]], currency: str, timezone: str) -> Table:
    """Return the lines of a bill as a table."""
    table = Table("From", "To", "What")
    table.add_column("Amount", justify="right")
    table.add_column("Total", justify="right")
    zone = _zone(timezone)
    for line in lines[:LINES_SHOWN_MAX]:
        table.add_row(*_cells(line, currency, zone))
    _tell_hidden(table, len(lines), columns=5)
    return table


def _lines_table(found: Verification) -> Table:
    table = Table("", "From", "To", "What")
    table.add_column("Amount", justify="right")
    table.add_column("Total", justify="right")
    zone = _zone(found.timezone)
    for item in found.lines[:LINES_SHOWN_MAX]:
        table.add_row(_sign(ok=item.is_same), *_cells(item.line, found.currency, zone))
    _tell_hidden(table, len(found.lines), columns=6)
    return table


def _checks_table(found: Verification) -> Table:
    table = Table("", "Question", "Answer")
    for check in found.checks:
        answer = _plain(check.words)
        if check.ok is False and (check.expected or check.found):
            answer.append_text(_plain(f"\nexpected {check.expected or 'nothing'}", "green"))
            answer.append_text(_plain(f"\nfound    {check.found or 'nothing'}", "red"))
        table.add_row(_sign(ok=check.ok), _plain(_question(check)), answer)
    return table


def _cells(line: Mapping[str, Any], currency: str, zone: ZoneInfo) -> list[Text]:
    running = line.get("running_total_minor")
    return [
        _plain(_time(line.get("starts_at"), zone)),
        _plain(_time(line.get("ends_at"), zone)),
        _plain(_words(line, currency)),
        _plain(Money(int(line["amount_minor"]), currency).format()),
        _plain("" if type(running) is not int else Money(running, currency).format()),
    ]


def _words(line: Mapping[str, Any], currency: str) -> str:
    parts = [str(line.get("collection") or ""), str(line["reason"]).replace("_", " ")]
    if line.get("block_minutes"):
        count = line.get("block_count")
        parts.append(f"{f'{count} x ' if count else ''}{line['block_minutes']} min")
    note, full = line.get("note"), line.get("capped_from_minor")
    if type(full) is int:
        parts.append(f"{note}, else {Money(full, currency).format()}")
    elif note:
        parts.append(str(note))
    return ", ".join(part for part in parts if part)


def _check_report(check: Check) -> dict[str, Any]:
    return {
        "name": str(check.name),
        "ok": check.ok,
        "expected": check.expected,
        "found": check.found,
        "words": check.words,
    }


def _question(check: Check) -> str:
    return str(check.name).replace("_", " ")


def _plain(text: str, style: str = "") -> Text:
    """Return text for a terminal: a forged receipt may hold escape sequences."""
    shown = "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
    return Text(shown, style=style)


def _sign(*, ok: bool | None) -> Text:
    sign, style = _SIGNS[ok]
    return _plain(sign, style=style)


def _time(text: object, zone: ZoneInfo) -> str:
    try:
        return f"{datetime.fromisoformat(str(text)).astimezone(zone):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError):
        return ""


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        # `Europe` is a folder of zones; a forged receipt may name that, or anything.
        return ZoneInfo("UTC")


def _tell_hidden(table: Table, count: int, *, columns: int) -> None:
    hidden = count - LINES_SHOWN_MAX
    if hidden > 0:
        cells = [""] * columns
        cells[-3] = f"and {hidden} more lines"
        table.add_row(*cells)


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
