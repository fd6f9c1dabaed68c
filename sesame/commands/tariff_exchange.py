"""`sesame tariff export` and `import`: rate tables in the words of a standard."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast
from zoneinfo import ZoneInfo

import typer

from parking.kit.errors import InvalidInputError
from parking.tariffs.apds.reading import from_apds
from parking.tariffs.apds.writing import to_apds
from parking.tariffs.document import IDS_SHOWN_MAX, select_table
from sesame.commands.tariff_file import instant_of, local_text, read_document


class Format(StrEnum):
    """Standards that rate tables can be written in."""

    APDS = "apds"


class Tiers(StrEnum):
    """What the values of flat tiers mean."""

    ADDED = "added"
    TOTAL = "total"


def export_command(
    table: Annotated[
        Path, typer.Option("--table", help="JSON file: one rate table, or a list of them.")
    ],
    table_id: Annotated[
        str | None, typer.Option("--id", help="Which rate table of a list of them.")
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="apds: APDS v4, ISO/TS 5206-1.")
    ] = Format.APDS,
    valid_from: Annotated[
        str | None, typer.Option(help="From when on it is in force, as the standard wants to know.")
    ] = None,
) -> None:
    """Write a rate table as the standard does; refuse what the standard cannot say."""
    _ = format_
    rate_table = select_table(read_document(table), table_id).read()
    since = None
    if valid_from is not None:
        since = instant_of(valid_from, rate_table.zone, "valid_from").astimezone(rate_table.zone)
    written = to_apds(rate_table, valid_from=since)
    typer.echo(json.dumps(written, ensure_ascii=False, indent=2))


def import_command(
    file: Annotated[Path, typer.Argument(help="JSON file: one APDS RateTable, or a list of them.")],
    timezone: Annotated[str, typer.Option(help="The place's, which APDS keeps with the place.")],
    table_id: Annotated[
        str | None, typer.Option("--id", help="The `id` of one in a list of them.")
    ] = None,
    tiers: Annotated[
        Tiers | None,
        typer.Option(help="Whether flat tiers add up, or each is the total: APDS does not say."),
    ] = None,
    *,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print what is left out beside the table.")
    ] = False,
) -> None:
    """Write an APDS rate table as ours; refuse what ours cannot say."""
    document = _select(read_document(file, has_fractions=True), table_id)
    read = from_apds(document, timezone=timezone, tiers=None if tiers is None else tiers.value)
    if json_output:
        report = {
            "rate_table": read.body,
            "effective_at": local_text(read.effective_at, ZoneInfo(timezone)),
            "left_out": read.left_out,
        }
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
        return
    typer.echo(json.dumps(read.body, ensure_ascii=False, indent=2))
    for path in read.left_out:
        typer.secho(f"left out: {path}", err=True)


def _select(document: object, table_id: str | None) -> object:
    if not isinstance(document, list):
        return document
    entries = [
        cast("Mapping[str, object]", each)
        for each in cast("list[object]", document)
        if isinstance(each, Mapping)
    ]
    if table_id is None and len(entries) == 1:
        return entries[0]
    found = [each for each in entries if each.get("id") == table_id]
    if not found:
        known = ", ".join(str(each.get("id")) for each in entries[:IDS_SHOWN_MAX])
        raise InvalidInputError("id", f"one of {known or 'the ids in the file, which has none'}")
    return found[0]
