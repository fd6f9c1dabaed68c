"""`sesame retention`: what is kept for how long, what is due, and letting it go."""

import asyncio
import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from parking.flows.context import ParkingContext
from parking.flows.retention import purging, rows
from parking.flows.retention.purging import TableReport
from parking.kit.errors import ParkingError
from sesame.commands.ending import failure
from sesame.settings import Settings
from sesame.wiring import open_context

_CONNECTIONS_MAX = 1
# Each goes on where the one before ended; a worker does the rest.
RUNS_MAX = 1000


def retention_command(
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Let go of everything that is due, now.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only what is due, and what --apply would do.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what is kept for how long; workers let go of what is due once an hour."""
    if apply and dry_run:
        raise typer.BadParameter("--apply or --dry-run, not both")
    try:
        reports, done = asyncio.run(_run(apply=apply))
    except ParkingError as error:
        raise failure(error) from error
    shown = [one for one in reports if one.due] if dry_run else reports
    if json_output:
        tables = [asdict(one) | {"oldest": _text(one.oldest)} for one in shown]
        typer.echo(json.dumps({"applied": apply, "done": done, "tables": tables}))
        return
    _print(shown, done, is_applied=apply)


async def _run(*, apply: bool) -> tuple[list[TableReport], dict[str, int]]:
    done: dict[str, int] = {}
    async with open_context(Settings(), connections_max=_CONNECTIONS_MAX) as context:
        if apply:
            await _apply(context, done)
        return await purging.report(context.database, context.retention), done


async def _apply(context: ParkingContext, done: dict[str, int]) -> None:
    for _ in range(RUNS_MAX):
        now_done = await purging.apply(context.database, context.retention)
        if not now_done:
            return
        for table, count in now_done.items():
            done[table] = done.get(table, 0) + count


def _print(reports: list[TableReport], done: dict[str, int], *, is_applied: bool) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("kind", "table", "days", "rows", "oldest", "due", "then"):
        table.add_column(name, justify="right" if name in {"days", "rows", "due"} else "left")
    for one in reports:
        table.add_row(*_cells(one))
    Console(soft_wrap=True).print(table)
    for name, count in done.items():
        typer.echo(f"{name}: {count} rows")
    if is_applied and not done:
        typer.echo("nothing was due")


def _cells(one: TableReport) -> list[str]:
    days = "-" if one.days is None else str(one.days)
    then = one.why_kept or one.act.value
    oldest = _text(one.oldest) or "-"
    return [one.kind, one.table, days, _count(one.rows), oldest, _count(one.due), then]


def _count(count: int) -> str:
    return f"{count}+" if count >= rows.COUNTED_MAX else str(count)


def _text(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d}"
