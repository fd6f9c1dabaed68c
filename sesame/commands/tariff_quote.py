"""`sesame tariff quote`: what a stay costs, line by line."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.tariffs.document import select_table
from parking.tariffs.first_steps import first_steps
from parking.tariffs.rules import Circumstances, PricedStay, PriceLine, RateTable, price
from sesame.commands.tariff_circumstances import circumstances_of
from sesame.commands.tariff_file import instant_of, local_text, read_document
from sesame.price_plots.curve import curve_of

CURVE_STEPS_MAX: Final = 2000


def quote_command(  # noqa: PLR0913 - one parameter for each command-line option
    table: Annotated[
        Path, typer.Option("--table", help="JSON file: one rate table, or a list of them.")
    ],
    entry: Annotated[
        str, typer.Option("--entry", help="Entry time; the place's local time without an offset.")
    ],
    exit_: Annotated[
        str, typer.Option("--exit", help="Exit time; the place's local time without an offset.")
    ],
    table_id: Annotated[
        str | None, typer.Option("--id", help="Which rate table of a list of them.")
    ] = None,
    *,
    vehicle: Annotated[
        list[str] | None,
        typer.Option(help="A class (car, motorcycle, van, truck, bus, other), ev, resident."),
    ] = None,
    validation: Annotated[
        list[str] | None, typer.Option(help="Name of a validation that was granted; repeatable.")
    ] = None,
    merchant: Annotated[
        list[str] | None, typer.Option(help="Whose customer the driver is; repeatable.")
    ] = None,
    has_pass: Annotated[bool, typer.Option("--pass", help="The vehicle has a pass.")] = False,
    used: Annotated[
        list[str] | None,
        typer.Option(help='Seconds of an allowance that are gone: "NAME=2025-03-03:1800".'),
    ] = None,
    curve: Annotated[
        bool, typer.Option("--curve", help="Show what each shorter stay costs, too.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a stay costs, line by line, and when its price changes next."""
    rate_table = select_table(read_document(table), table_id).read()
    circumstances = circumstances_of(
        rate_table,
        vehicle=vehicle or (),
        validations=validation or (),
        merchants=merchant or (),
        used=used or (),
        has_pass=has_pass,
    )
    entered_at = instant_of(entry, rate_table.zone, "entry")
    left_at = instant_of(exit_, rate_table.zone, "exit")
    priced = _priced(rate_table, entered_at, left_at, circumstances)
    if json_output:
        report = quote_report(priced, rate_table.zone)
        if curve:
            report["curve"] = _curve_report(rate_table, entered_at, left_at, circumstances)
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
        return
    _show(priced, rate_table)
    if curve:
        from sesame.price_plots.terminal import draw_in_terminal  # noqa: PLC0415 - seldom wanted

        drawn = curve_of(rate_table, entered_at, left_at, circumstances, title=table_id or "")
        typer.echo(draw_in_terminal(drawn))


def quote_report(priced: PricedStay, zone: ZoneInfo) -> dict[str, Any]:
    """Return the price as JSON values, with times on the place's wall clock."""
    return {
        "amount_minor": priced.total.amount_minor,
        "currency": priced.total.currency,
        "variant": priced.variant,
        "lines": [_line_report(line, zone) for line in priced.lines],
        "next_change_at": local_text(priced.next_change_at, zone),
        "allowances_taken_s": {
            name: dict(periods) for name, periods in priced.allowances_taken_s.items()
        },
    }


def _curve_report(
    table: RateTable, entered_at: datetime, left_at: datetime, circumstances: Circumstances
) -> list[dict[str, Any]]:
    limit = CURVE_STEPS_MAX + 1
    steps = first_steps(table, entered_at, left_at, circumstances, steps_max=limit)
    if len(steps) == limit:
        raise InvalidInputError("exit", f"a price that changes at most {CURVE_STEPS_MAX} times")
    return [
        {"at": local_text(step.at, table.zone), "total_minor": step.total_minor} for step in steps
    ]


def _priced(
    table: RateTable, entered_at: datetime, left_at: datetime, circumstances: Circumstances
) -> PricedStay:
    """Return the price; a refusal names the option that the time came from."""
    if left_at < entered_at:
        raise InvalidInputError("exit", "a time not before the entry")
    try:
        return price(table, entered_at, left_at, circumstances)
    except InvalidInputError as error:
        option = {"entered_at": "entry", "as_of": "exit"}.get(error.field, error.field)
        raise InvalidInputError(option, error.expected) from error


def _line_report(line: PriceLine, zone: ZoneInfo) -> dict[str, Any]:
    # A quote is for anybody, and knows nobody's coupons.
    said = {name: value for name, value in line._asdict().items() if name != "coupon_id"}
    return said | {
        "starts_at": local_text(line.starts_at, zone),
        "ends_at": local_text(line.ends_at, zone),
    }


def _show(priced: PricedStay, table: RateTable) -> None:
    view = Table("from", "to", "what", "amount", "total")
    for line in priced.lines:
        view.add_row(
            f"{line.starts_at.astimezone(table.zone):%Y-%m-%d %H:%M:%S}",
            f"{line.ends_at.astimezone(table.zone):%Y-%m-%d %H:%M:%S}",
            Text(_words(line, table.currency)),
            Money(line.amount_minor, table.currency).format(),
            Money(line.running_total_minor, table.currency).format(),
        )
    console = Console()
    console.print(view)
    if priced.variant:
        console.print(Text(f"By the variant {priced.variant}"))
    console.print(f"Total {priced.total.format()}")
    if priced.next_change_at is not None:
        console.print(f"Changes at {priced.next_change_at.astimezone(table.zone).isoformat()}")


def _words(line: PriceLine, currency: str) -> str:
    parts = [line.collection, line.reason.replace("_", " ")]
    if line.block_amount_minor is not None:
        count = "" if line.block_count is None else f"{line.block_count} x "
        block = Money(line.block_amount_minor, currency).format()
        parts.append(f"{count}{line.block_minutes} min at {block}")
    if line.capped_from_minor is not None:
        parts.append(f"{line.note}, else {Money(line.capped_from_minor, currency).format()}")
    elif line.note:
        parts.append(line.note)
    return ", ".join(part for part in parts if part)
