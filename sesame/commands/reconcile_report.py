"""What `sesame reconcile` prints and writes: tables for people, CSV and JSON for programs."""

import csv
from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parking.flows.reconciliation.comparing import DayReport, Sink
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.reconciliation.codes import Code
from parking.reconciliation.facts import Finding, Movement, Opening
from parking.reconciliation.totals import Sums

SHOWN_MAX: Final = 50
_MONEY_COLUMNS: Final = ("rows", "theirs", "ours", "difference", "fees")
TOGETHER: Final = "together"
NOBODY: Final = "no operator"
CSV_COLUMNS: Final = (
    "code",
    "is_difference",
    "operator_id",
    "movement",
    "number",
    "reference",
    "ours_minor",
    "ours_currency",
    "theirs_minor",
    "theirs_currency",
    "at",
    "bill_id",
    "session_id",
    "meaning",
    "advice",
)
# A spreadsheet would take a provider's text that begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def show(report: DayReport, console: Console) -> None:
    """Print the report as tables."""
    title = f"{report.provider}, {report.day.day} ({report.day.timezone})"
    console.print(Text(title, "bold"))
    console.print(_totals_table(report))
    if report.openings:
        console.print(_openings_table(report))
    if report.counts:
        console.print(_codes_table(report))
        console.print(_findings_table(report))
        shown = min(len(report.findings), SHOWN_MAX)
        if shown < report.counts.total():
            console.print(f"The first {shown} of {report.counts.total()}; --csv has them all.")
    console.print(_verdict(report))


def report(found: DayReport) -> dict[str, Any]:
    """Return the report as one JSON object."""
    return {
        "provider": found.provider,
        "date": found.day.day.isoformat(),
        "timezone": found.day.timezone,
        "starts_at": found.day.starts_at.isoformat(),
        "ends_at": found.day.ends_at.isoformat(),
        "differences": found.differences,
        "notes": found.notes,
        "is_provisional": found.is_provisional,
        "operators": [_operator(found, operator_id) for operator_id in (*found.operators, None)],
        "together": {
            "totals": [
                _sums(currency, movement, sums)
                for (currency, movement), sums in found.totals.together().items()
            ],
            "openings": _openings(found, tuple(found.operators)),
            "codes": _codes(found, (*found.operators, None)),
        },
        "findings": [_finding(one) for one in found.findings],
        "findings_left_out": found.left_out,
    }


@contextmanager
def csv_sink(path: Path) -> Generator[Sink]:
    """Write every finding to a CSV file as it is found, so that no number of them fills memory.

    Raises:
        InvalidInputError: the file cannot be written.
    """
    try:
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        expected = f"a file that can be written: {path}: {error.strerror}"
        raise InvalidInputError("--csv", expected) from error
    with file:
        writer = csv.DictWriter(file, CSV_COLUMNS)
        writer.writeheader()

        def write(finding: Finding) -> None:
            row = _finding(finding)
            writer.writerow({name: _cell(row[name]) for name in CSV_COLUMNS})

        yield write


def ignore(finding: Finding) -> None:
    """Take a finding, and do nothing with it."""
    del finding


def _operator(found: DayReport, operator_id: UUID | None) -> dict[str, Any]:
    return {
        "operator_id": None if operator_id is None else str(operator_id),
        "operator": _name(found, operator_id),
        "totals": [
            _sums(currency, movement, sums)
            for (owner, currency, movement), sums in found.totals.sums.items()
            if owner == operator_id
        ],
        "openings": {} if operator_id is None else _openings(found, (operator_id,)),
        "codes": _codes(found, (operator_id,)),
    }


def _sums(currency: str, movement: Movement, sums: Sums) -> dict[str, Any]:
    return {
        "currency": currency,
        "movement": movement.value,
        "theirs": sums.theirs,
        "theirs_minor": sums.theirs_minor,
        "ours": sums.ours,
        "ours_minor": sums.ours_minor,
        "fee_minor": sums.fee_minor,
    }


def _openings(found: DayReport, owners: tuple[UUID, ...]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for (owner, opening), count in found.openings.items():
        if owner in owners:
            counts[opening.value] += count
    return dict(counts)


def _codes(found: DayReport, owners: tuple[UUID | None, ...]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for (owner, code), count in found.counts.items():
        if owner in owners:
            counts[code.value] += count
    return dict(counts)


def _finding(finding: Finding) -> dict[str, Any]:
    ours, theirs = finding.ours, finding.theirs
    return {
        "code": finding.code.value,
        "is_difference": finding.code.is_difference,
        "operator_id": _text(finding.operator_id),
        "movement": None if finding.movement is None else finding.movement.value,
        "number": finding.number,
        "reference": finding.reference,
        "ours_minor": None if ours is None else ours.amount_minor,
        "ours_currency": None if ours is None else ours.currency,
        "theirs_minor": None if theirs is None else theirs.amount_minor,
        "theirs_currency": None if theirs is None else theirs.currency,
        "at": finding.at.isoformat(),
        "bill_id": _text(finding.bill_id),
        "session_id": _text(finding.session_id),
        "meaning": finding.code.words.meaning,
        "advice": finding.code.words.advice,
    }


def _totals_table(report: DayReport) -> Table:
    table = _table("Money (rows: theirs, ours)")
    table.add_column("operator", overflow="fold")
    table.add_column("what", min_width=len(Movement.CHARGEBACK))
    for name in _MONEY_COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for (owner, currency, movement), sums in sorted(
        report.totals.sums.items(), key=lambda item: (str(item[0][0]), item[0][1], item[0][2])
    ):
        table.add_row(Text(_name(report, owner)), *_sums_cells(currency, movement, sums))
    table.add_section()
    for (currency, movement), sums in sorted(report.totals.together().items()):
        table.add_row(Text(TOGETHER, "bold"), *_sums_cells(currency, movement, sums))
    return table


def _sums_cells(currency: str, movement: Movement, sums: Sums) -> tuple[str, ...]:
    gap = Money(sums.theirs_minor - sums.ours_minor, currency)
    return (
        movement.value.replace("_", " "),
        f"{sums.theirs}, {sums.ours}",
        Money(sums.theirs_minor, currency).format(),
        Money(sums.ours_minor, currency).format(),
        gap.format() if gap else "",
        Money(sums.fee_minor, currency).format(),
    )


def _openings_table(report: DayReport) -> Table:
    table = _table("Cars let out, by the reason")
    table.add_column("operator", overflow="fold")
    for opening in Opening:
        table.add_column(opening.value.replace("_", " "), justify="right")
    for owner in report.operators:
        counts = [report.openings[owner, opening] for opening in Opening]
        if any(counts):
            table.add_row(Text(_name(report, owner)), *map(str, counts))
    sums = [
        sum(report.openings[owner, opening] for owner in report.operators) for opening in Opening
    ]
    table.add_section()
    table.add_row(Text(TOGETHER, "bold"), *map(str, sums))
    return table


def _codes_table(report: DayReport) -> Table:
    table = _table("What differs, and what to do")
    table.show_lines = True
    table.add_column("code", no_wrap=True)
    table.add_column("rows", justify="right")
    table.add_column("what it is")
    table.add_column("what to do")
    counts: dict[Code, int] = defaultdict(int)
    for (_, code), count in report.counts.items():
        counts[code] += count
    for code in sorted(counts, key=lambda code: (not code.is_difference, -counts[code], code)):
        style = "bold red" if code.is_difference else "dim"
        words = code.words
        table.add_row(Text(code, style), str(counts[code]), words.meaning, words.advice)
    return table


def _findings_table(report: DayReport) -> Table:
    table = _table("Rows")
    table.add_column("code, and number or reference", overflow="fold")
    table.add_column("theirs", justify="right", no_wrap=True)
    table.add_column("ours", justify="right", no_wrap=True)
    table.add_column("at (UTC)")
    table.add_column("operator", overflow="fold")
    for one in sorted(report.findings, key=lambda one: not one.code.is_difference)[:SHOWN_MAX]:
        table.add_row(
            Text(one.code, "red" if one.code.is_difference else "dim").append(
                f"\n{_printable(one.number or one.reference or str(one.session_id or ''))}",
                "default",
            ),
            "" if one.theirs is None else one.theirs.format(),
            "" if one.ours is None else one.ours.format(),
            f"{one.at:%m-%d %H:%M:%S}",
            Text(_name(report, one.operator_id)),
        )
    return table


def _table(title: str) -> Table:
    # Without lines between columns it fits a terminal of 80, and a mail.
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def _verdict(report: DayReport) -> Text:
    notes = f"; {_counted(report.notes, 'note')}" if report.notes else ""
    if report.differences:
        return Text(f"{_counted(report.differences, 'difference')}{notes}.", "bold red")
    return Text(f"No differences{notes}.", "bold green")


def _counted(count: int, thing: str) -> str:
    return f"1 {thing}" if count == 1 else f"{count} {thing}s"


def _name(report: DayReport, owner: UUID | None) -> str:
    return NOBODY if owner is None else _printable(report.operators.get(owner, str(owner)))


def _printable(text: str) -> str:
    """Return the text without what could move a terminal's cursor: a provider wrote it."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
