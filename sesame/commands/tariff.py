"""`sesame tariff`: what a rate table makes of a stay."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, cast
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.tariffs.rules import PricedStay, PriceLine, RateTable, price, read_rate_table

tariff_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Say what rate tables make of stays."
)

FILE_BYTES_MAX: Final = 4 * 1024 * 1024
IDS_SHOWN_MAX: Final = 30


@tariff_app.callback()
def _tariff() -> None:
    """Keep `quote` a command of its own while it is the only one."""


@tariff_app.command("quote")
def quote_command(
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
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a stay costs, line by line, and when its price changes next."""
    rate_table = read_rate_table(_select(_read(table), table_id))
    entered_at = _instant(entry, rate_table.zone, "entry")
    left_at = _instant(exit_, rate_table.zone, "exit")
    priced = _priced(rate_table, entered_at, left_at)
    if json_output:
        typer.echo(json.dumps(_report(priced, rate_table), ensure_ascii=False, indent=2))
    else:
        _show(priced, rate_table)


def _read(path: Path) -> object:
    """Return the JSON value in the file."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InvalidInputError("table", f"a readable file ({error.strerror}: {path})") from error
    if len(content) > FILE_BYTES_MAX:
        raise InvalidInputError("table", f"a file of at most {FILE_BYTES_MAX} bytes")
    try:
        return json.loads(content, object_pairs_hook=_unique)
    except (RecursionError, ValueError) as error:
        raise InvalidInputError("table", f"JSON ({error})") from error


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object; a name that comes twice would silently lose one of its values."""
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} comes twice in one object")
    return result


def _select(data: object, table_id: str | None) -> object:
    """Return the rate table that `--id` names; without it the file must hold just one."""
    if not isinstance(data, list):
        if table_id is not None:
            raise InvalidInputError("id", "no value: the file is not a list of rate tables")
        return _body(data)
    entries = [
        cast("Mapping[str, object]", entry)
        for entry in cast("list[object]", data)
        if isinstance(entry, Mapping)
    ]
    for entry in entries:
        if table_id is not None and entry.get("id") == table_id:
            return _body(entry)
    known = ", ".join(str(entry.get("id")) for entry in entries[:IDS_SHOWN_MAX])
    raise InvalidInputError("id", f"one of {known or 'the ids in the file, which has none'}")


def _body(data: object) -> object:
    """Return the table itself where it stands beside its id, source and worked stays."""
    if not isinstance(data, Mapping):
        return data
    entry = cast("Mapping[str, object]", data)
    return entry.get("rate_table", entry)


def _instant(text: str, zone: ZoneInfo, field: str) -> datetime:
    """Return the instant; of a local time that comes twice in autumn, the first."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        instant = moment.replace(tzinfo=zone).astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise InvalidInputError(field, "an ISO 8601 time such as 2025-03-03T09:00") from error
    if instant.astimezone(zone).replace(tzinfo=None) != moment:
        raise InvalidInputError(field, f"a local time that exists in {zone}: clocks skip {text}")
    return instant


def _priced(table: RateTable, entered_at: datetime, left_at: datetime) -> PricedStay:
    """Return the price; a refusal names the option that the time came from."""
    if left_at < entered_at:
        raise InvalidInputError("exit", "a time not before the entry")
    try:
        return price(table, entered_at, left_at)
    except InvalidInputError as error:
        option = {"entered_at": "entry", "as_of": "exit"}.get(error.field, error.field)
        raise InvalidInputError(option, error.expected) from error


def _report(priced: PricedStay, table: RateTable) -> dict[str, Any]:
    return {
        "amount_minor": priced.total.amount_minor,
        "currency": priced.total.currency,
        "lines": [_line_report(line, table.zone) for line in priced.lines],
        "next_change_at": _local_text(priced.next_change_at, table.zone),
    }


def _line_report(line: PriceLine, zone: ZoneInfo) -> dict[str, Any]:
    return line._asdict() | {
        "starts_at": _local_text(line.starts_at, zone),
        "ends_at": _local_text(line.ends_at, zone),
    }


def _local_text(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return None if moment is None else moment.astimezone(zone).isoformat()


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
    return ", ".join(part for part in parts if part)
