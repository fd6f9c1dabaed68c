"""`sesame tariff lint`: what the author of a rate table should know before it is published."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.text import Text

from parking.kit.clock import SystemClock
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.tariffs.document import NamedTable, select_table, tables_in
from parking.tariffs.lint.findings import Finding, Severity, has_errors
from parking.tariffs.lint.linter import lint
from parking.tariffs.lint.week import plain_monday
from parking.tariffs.rules import RateTable
from parking.tariffs.wall_clock import instant_of as instant_at
from parking.tariffs.wall_clock import wall_seconds
from sesame.commands.tariff_file import instant_of, local_text, read_document
from sesame.price_plots.curve import PlottedCurve, curve_of

_FRIDAY: Final = 4
# A day that begins on Monday morning, and a weekend that begins on Friday evening.
_PLOTTED: Final = ((0, 8, 24), (_FRIDAY, 18, 62))
_COLOURS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


@dataclass(frozen=True, slots=True)
class _Looked:
    """A rate table of the file and what was found in it; the title is for people."""

    named: NamedTable
    table: RateTable
    findings: tuple[Finding, ...]

    title: str


def lint_command(
    table: Annotated[
        Path, typer.Option("--table", help="JSON file: one rate table, or a list of them.")
    ],
    table_id: Annotated[
        str | None, typer.Option("--id", help="Which rate table of a list; all without it.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="From when on days are looked at, such as 2025-03-01.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write the price curves into this PNG file.")
    ] = None,
    *,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find what is wrong with rate tables; ends with 1 when there is an error.

    Errors: nobody could tell a driver why. Warnings: perhaps meant. Notes: how it is. Without
    --json the price curve is drawn too.
    """
    document = read_document(table)
    named = tables_in(document) if table_id is None else [select_table(document, table_id)]
    since = SystemClock().now() if at is None else instant_of(at, ZoneInfo("UTC"), "at")
    looked = [_look(each, since, table.name) for each in named]
    if plot is not None:
        _write_plot(looked, since, plot)
    if json_output:
        typer.echo(json.dumps(_report(looked), ensure_ascii=False, indent=2))
    else:
        for each in looked:
            _show(each, since)
    if any(has_errors(each.findings) for each in looked):
        raise typer.Exit(1)


def _look(named: NamedTable, since: datetime, file_name: str) -> _Looked:
    table = named.read()
    title = named.id or table.name or file_name
    return _Looked(named, table, lint(table, since), title)


def _report(looked: Sequence[_Looked]) -> dict[str, Any]:
    counted = Counter(finding.severity for each in looked for finding in each.findings)
    findings = [
        {"table": each.named.id or None}
        | finding_report(finding, each.named.path_of(finding.path), each.table)
        for each in looked
        for finding in each.findings
    ]
    return {
        "tables": len(looked),
        "errors": counted[Severity.ERROR],
        "warnings": counted[Severity.WARNING],
        "notes": counted[Severity.NOTE],
        "findings": findings,
    }


def finding_report(finding: Finding, path: str, table: RateTable) -> dict[str, Any]:
    """Return the finding as JSON values, with times on the place's wall clock."""
    return {
        "severity": finding.severity,
        "code": finding.code,
        "path": path,
        "words": finding.words,
        "stays": [
            {
                "entry": local_text(stay.entered_at, table.zone),
                "exit": local_text(stay.left_at, table.zone),
                "amount_minor": stay.amount_minor,
                "amount": Money(stay.amount_minor, table.currency).format(),
            }
            for stay in finding.stays
        ],
    }


def print_finding(report: Mapping[str, Any]) -> None:
    """Print a finding, as `finding_report` gives it, for people."""
    console = Console(soft_wrap=True)
    severity = Severity(report["severity"])
    head = Text(f"  {severity:<7} ", style=_COLOURS[severity])
    console.print(head.append(f"{report['code']}  {report['path']}", style="default"))
    console.print(Text(f"          {report['words']}"))
    for stay in report["stays"]:
        amount = f"{stay['entry']} to {stay['exit']}: {stay['amount']}"
        console.print(Text(f"          {amount}", style="dim"))


def _show(looked: _Looked, since: datetime) -> None:
    console = Console(soft_wrap=True)
    console.print(Text(looked.title, style="bold"))
    if not looked.findings:
        console.print(Text("  nothing found", style="green"))
    for finding in looked.findings:
        path = looked.named.path_of(finding.path)
        print_finding(finding_report(finding, path, looked.table))
    from sesame.price_plots.terminal import draw_in_terminal  # noqa: PLC0415 - only people want it

    typer.echo(draw_in_terminal(_curves(looked, since)[0]))


def _write_plot(looked: Sequence[_Looked], since: datetime, path: Path) -> None:
    from sesame.price_plots.png import PANELS_MAX, draw_png  # noqa: PLC0415 - it takes a second

    curves = [curve for each in looked for curve in _curves(each, since)]
    if len(curves) > PANELS_MAX:
        raise InvalidInputError("plot", f"at most {PANELS_MAX} curves; name one table with --id")
    try:
        draw_png(curves, path)
    except OSError as error:
        raise InvalidInputError("plot", f"a file that can be written ({error.strerror})") from error


def _curves(looked: _Looked, since: datetime) -> list[PlottedCurve]:
    monday = plain_monday(looked.table, since)
    curves: list[PlottedCurve] = []
    for day, hour, length in _PLOTTED:
        entered_at = instant_at(wall_seconds(looked.table.zone, monday + day, hour * 60))
        until = entered_at + timedelta(hours=length)
        curves.append(curve_of(looked.table, entered_at, until, title=looked.title))
    return curves
