"""`sesame habits`: how well habits are told from sessions; nothing is stored."""

import json
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from parking.habits.weights import SHIPPED
from parking.kit.errors import InvalidInputError
from sesame.habits.evaluation import FROM_WEEK, Evaluation, evaluate
from sesame.habits.recipe import fit_shipped
from sesame.habits.session_file import SessionFile, read_sessions
from sesame.habits.simulation import Scene, simulate, write_visits

habits_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="When drivers come, and how well it is told."
)
_FROM_WEEK_MAX = 500


@habits_app.command("evaluate")
def evaluate_command(
    *,
    sessions: Annotated[
        Path,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="CSV with a header: driver, place, entered_at, left_at; times as ISO 8601.",
        ),
    ],
    timezone: Annotated[
        str | None,
        typer.Option(help="Where times with an offset are local, such as Europe/Zurich."),
    ] = None,
    from_week: Annotated[
        int, typer.Option(min=1, max=_FROM_WEEK_MAX, help="Weeks that are only learned from.")
    ] = FROM_WEEK,
    refit: Annotated[
        bool, typer.Option(help="Fit the weights to earlier weeks now and then, as workers do.")
    ] = True,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Count rows that cannot be used.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Write the reliability curve into this PNG or SVG file.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Predict every week of a file from the weeks before it, and say how well that went."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        bar = progress.add_task("reading", total=sessions.stat().st_size)
        read = read_sessions(
            sessions,
            zone=_zone(timezone),
            skip_invalid=skip_invalid,
            on_bytes=lambda done: progress.update(bar, completed=done),
        )
        weeks = int(read.days.day[-1] - read.days.day[0]) // 7 + 1
        bar = progress.add_task("predicting", total=weeks)
        found = evaluate(
            read.days,
            from_week=from_week,
            refits=refit,
            on_week=lambda week: progress.update(bar, completed=week),
        )
    if plot is not None:
        from sesame.habits.plot import draw_reliability  # noqa: PLC0415 - it takes a second

        draw_reliability(found, plot)
    if json_output:
        typer.echo(json.dumps(_file_report(read) | found.to_json(), indent=2))
    else:
        _show(found)


@habits_app.command("simulate")
def simulate_command(
    *,
    scene: Annotated[Scene, typer.Option(help="Where the drivers are.")] = Scene.CITY,
    drivers: Annotated[int, typer.Option(help="How many.")] = 1000,
    weeks: Annotated[int, typer.Option(help="How long.")] = 40,
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 1,
    out: Annotated[Path, typer.Option(help="The CSV file to write.")],
) -> None:
    """Write a file of sessions of drivers that were made up."""
    visits = simulate(scene, drivers=drivers, weeks=weeks, seed=seed)
    typer.echo(f"{write_visits(out, visits)} sessions")


@habits_app.command("fit")
def fit_command(
    *, json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False
) -> None:
    """Fit the weights that an installation begins with, to drivers that were made up."""
    weights = fit_shipped()
    are_shipped = weights == dict(SHIPPED)
    if json_output:
        typer.echo(json.dumps({"weights": weights, "are_shipped": are_shipped}, indent=2))
    else:
        for name, weight in weights.items():
            typer.echo(f"{name}: {weight}")
        typer.echo("as shipped" if are_shipped else "others than are shipped")
    if not are_shipped:
        raise typer.Exit(1)


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInputError("--timezone", "an IANA name such as Europe/Zurich") from error


def _file_report(read: SessionFile) -> dict[str, object]:
    return {
        "sessions": read.sessions,
        "skipped": read.skipped,
        "left_before_entered": read.left_before_entered,
        "drivers": read.drivers,
        "places": read.places,
        "pairs": len(read.days.driver),
    }


def _show(found: Evaluation) -> None:
    view = Table("", "average precision", "precision", "recall", "fired", "calibration error")
    for name, figures in (
        ("habits", found.habits),
        ("same day last week", found.last_week),
        ("2 of last 4", found.two_of_four),
    ):
        precision = "none fired" if figures.precision is None else f"{figures.precision:.3f}"
        view.add_row(
            name,
            f"{figures.average_precision:.3f}",
            precision,
            f"{figures.recall:.3f}",
            str(figures.fired),
            f"{figures.calibration_error:.4f}",
        )
    console = Console()
    console.print(view)
    console.print(
        f"{found.scored} driver-place-days in {found.weeks} weeks, {found.visits} visits; "
        f"{found.within_window:.0%} of arrivals within the window"
    )
