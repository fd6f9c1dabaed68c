"""`sesame campaign`: whether the measurement of campaigns holds, and how their files look."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from parking.campaigns import trial
from parking.campaigns.document import document_schema
from parking.campaigns.filters import filter_schema

campaign_app = typer.Typer(add_completion=False, no_args_is_help=True)


@campaign_app.callback()
def _campaign() -> None:  # pyright: ignore[reportUnusedFunction] - typer keeps it
    """Check how campaigns are measured, and print how they are written."""


@campaign_app.command("aa")
def aa_command(
    *,
    campaigns: Annotated[int, typer.Option(min=1, help="How many.")] = trial.CAMPAIGNS,
    drivers: Annotated[int, typer.Option(min=1, help="Of each.")] = trial.DRIVERS,
    base: Annotated[
        int, typer.Option(min=0, max=1000, help="How many of 1,000 do what is measured.")
    ] = trial.BASE_PERMILLE,
    holdout: Annotated[
        int, typer.Option(min=1, max=999, help="How many of 1,000 are held out.")
    ] = trial.HOLDOUT_PERMILLE,
    seed: Annotated[int, typer.Option(help="The same seed is the same trial.")] = trial.SEED,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure campaigns without effect; exit code 1 unless 93 to 97 % of intervals cover zero."""
    found = trial.run_trial(
        campaigns=campaigns,
        drivers=drivers,
        base_permille=base,
        holdout_permille=holdout,
        seed=seed,
    )
    figures = {
        "campaigns": found.campaigns,
        "drivers": found.drivers,
        "covered": found.covered,
        "coveredShare": round(found.covered_share, 4),
        "more": found.more,
        "less": found.less,
        "isRight": found.is_right,
    }
    if json_output:
        typer.echo(json.dumps(figures))
    else:
        table = Table("campaigns without effect", "")
        for name, value in figures.items():
            table.add_row(name, str(value))
        Console().print(table)
    if not found.is_right:
        raise typer.Exit(1)


@campaign_app.command("forms")
def forms_command(
    *,
    only_filter: Annotated[bool, typer.Option("--filter", help="Of segments only.")] = False,
) -> None:
    """Print the JSON Schema of campaigns."""
    typer.echo(json.dumps(filter_schema() if only_filter else document_schema(), indent=2))
