"""`sesame tariff publish` and `versions`: which rate table of a place is in force when."""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from parking.kit.clock import SystemClock
from parking.tariffs.document import NamedTable, select_table
from parking.tariffs.rules import RateTable
from sesame.commands.tariff_file import instant_of, local_text, read_document
from sesame.commands.tariff_lint import finding_report, print_finding
from sesame.settings import Settings

VERSIONS_SHOWN = 20


def publish_command(
    place: Annotated[UUID, typer.Option(help="The place's id.")],
    table: Annotated[
        Path, typer.Option("--table", help="JSON file: one rate table, or a list of them.")
    ],
    table_id: Annotated[
        str | None, typer.Option("--id", help="Which rate table of a list of them.")
    ] = None,
    effective_at: Annotated[
        str | None,
        typer.Option(help="From when on; the place's local time without an offset. Now without."),
    ] = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Publish in spite of errors that lint finds.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look at a rate table and publish it as a place's next version.

    Stays that have begun keep their version. Repeating it adds nothing.
    """
    named = select_table(read_document(table), table_id)
    rate_table = named.read()
    since = None
    if effective_at is not None:
        since = instant_of(effective_at, rate_table.zone, "effective_at")
    report = asyncio.run(_publish(place, named, rate_table, since, is_forced=force))
    if json_output:
        typer.echo(json.dumps(report, ensure_ascii=False))
        return
    for finding in report["findings"]:
        print_finding(finding)
    typer.echo(f"version {report['version']}, in force from {report['effective_at']}")


def versions_command(
    place: Annotated[UUID, typer.Option(help="The place's id.")],
    *,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say which versions of a place's rate table there are, and which is in force when."""
    report = asyncio.run(_versions(place))
    if json_output:
        typer.echo(json.dumps(report, ensure_ascii=False))
        return
    view = Table("version", "from", "until", "")
    for each in report["versions"]:
        note = "replaced" if each["is_replaced"] else "in force" * each["is_in_force"]
        view.add_row(str(each["version"]), each["effective_at"], each["ends_at"] or "", note)
    Console().print(view)


async def _publish(
    place_id: UUID,
    named: NamedTable,
    table: RateTable,
    effective_at: datetime | None,
    *,
    is_forced: bool,
) -> dict[str, Any]:
    # Quoting and looking at files need no database, whose libraries take a second to load.
    from parking.flows import rate_tables  # noqa: PLC0415
    from parking.places import service as places  # noqa: PLC0415
    from sesame.wiring import open_context  # noqa: PLC0415

    async with open_context(Settings()) as context:
        async with context.database.begin() as unit:
            place = await places.require_place_anywhere(unit, place_id)
        published = await rate_tables.publish(
            context,
            place.operator_id,
            place.id,
            body=cast("dict[str, Any]", named.body),
            effective_at=effective_at,
            errors_accepted=is_forced,
        )
    return {
        "version": published.version.version,
        "rate_table_id": str(published.version.id),
        "effective_at": local_text(published.version.effective_at, table.zone),
        "findings": [
            finding_report(finding, named.path_of(finding.path), table)
            for finding in published.findings
        ],
    }


async def _versions(place_id: UUID) -> dict[str, Any]:
    from parking.flows import rate_tables  # noqa: PLC0415 - as above
    from parking.places import service as places  # noqa: PLC0415
    from sesame.wiring import open_context  # noqa: PLC0415

    async with open_context(Settings()) as context:
        async with context.database.begin() as unit:
            place = await places.require_place_anywhere(unit, place_id)
        found = await rate_tables.list_versions(
            context, place.operator_id, place.id, first=VERSIONS_SHOWN
        )
    zone, now = ZoneInfo(place.timezone), SystemClock().now()
    versions = [
        {
            "version": each.version.version,
            "rate_table_id": str(each.version.id),
            "name": each.version.body.get("name", ""),
            "effective_at": local_text(each.version.effective_at, zone),
            "ends_at": local_text(each.ends_at, zone),
            "is_in_force": each.is_in_force(now),
            "is_replaced": each.is_replaced,
        }
        for each in found
    ]
    return {"place_id": str(place.id), "versions": versions}
