"""`sesame reconcile`: a provider's day against our books and our gates."""

import asyncio
import json
from contextlib import ExitStack
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
)

from parking.flows.reconciliation.comparing import DayReport, Sink, compare
from parking.flows.reconciliation.recording import record
from parking.kit.errors import InvalidInputError, ParkingError
from parking.payments.port import ProviderUnavailableError
from sesame.commands import reconcile_report
from sesame.settings import Settings
from sesame.wiring import open_context

DIFFERENT: Final = 1
NOT_DONE: Final = 2
_FILE_STEP: Final = "settlement file"


def reconcile_command(
    *,
    provider: Annotated[str, typer.Option(help="As the settings name it, such as wechat.")],
    day: Annotated[
        datetime,
        typer.Option(
            "--date", formats=["%Y-%m-%d"], help="The provider's day, in its own time zone."
        ),
    ],
    csv: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Write every row that does not match to this file."),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    store: Annotated[
        bool, typer.Option(help="Store the run and its differences for the operators' staff.")
    ] = True,
) -> None:
    """Compare gate, bills and a provider's settlement file of one day.

    Ends with 0 if nothing differs, 1 if something does, 2 if it could not be compared.
    """
    try:
        report = asyncio.run(_reconcile(Settings(), provider, day.date(), csv, store=store))
    except ParkingError as error:
        _refuse(error, provider, json_output=json_output)
        raise typer.Exit(NOT_DONE) from error
    if json_output:
        typer.echo(json.dumps(reconcile_report.report(report), ensure_ascii=False))
    else:
        reconcile_report.show(report, Console())
    raise typer.Exit(DIFFERENT if report.differences else 0)


async def _reconcile(
    settings: Settings, provider: str, day: date, csv: Path | None, *, store: bool
) -> DayReport:
    async with open_context(settings) as context:
        if provider not in context.providers:
            known = ", ".join(sorted(context.providers)) or "one that the settings set up"
            raise InvalidInputError("provider", known)
        with ExitStack() as stack:
            bar = stack.enter_context(_progress_bar())
            sink: Sink = (
                stack.enter_context(reconcile_report.csv_sink(csv))
                if csv is not None
                else reconcile_report.ignore
            )
            steps = _Steps(bar)
            report = await compare(context, provider, day, progress=steps.show, sink=sink)
        if store:
            await record(context, report)
        return report


class _Steps:
    """Shows how far it is; the file's rows are what there is to do."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}
        self._rows: int | None = None

    def show(self, step: str, done: int) -> None:
        """Take note of a step's progress."""
        if step == _FILE_STEP and done:
            self._rows = done
        if step not in self._tasks:
            self._tasks[step] = self._bar.add_task(step, total=self._rows)
        total = max(done, self._rows or 0)
        self._bar.update(self._tasks[step], completed=done, total=total)


def _progress_bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _refuse(error: ParkingError, provider: str, *, json_output: bool) -> None:
    told = str(error)
    if isinstance(error, ProviderUnavailableError):
        told = f"{provider} gave no settlement file that can be believed ({error})"
    if json_output:
        refusal = {"code": error.code, "message": told, "retryable": error.retryable}
        typer.echo(json.dumps({"error": refusal}, ensure_ascii=False))
    else:
        typer.secho(f"{error.code}: {told}", fg=typer.colors.RED, err=True)
