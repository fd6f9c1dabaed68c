"""`sesame place forecast`: how good forecasts of free spaces are, on simulated counts."""

import json
from dataclasses import asdict
from typing import Annotated, Final

import typer

from parking.guidance.forecast import INTERVAL_SHARE
from parking.kit.errors import InvalidInputError
from sesame.bench.guidance.coverage import (
    LEARNT_WEEKS,
    SPACES,
    TRIED_WEEKS,
    HorizonReport,
    measure,
    update_us,
)
from sesame.bench.guidance.simulated_place import simulate

RUNS_MAX: Final = 50
SPACES_MAX: Final = 5000
_UPDATE_WEEKS: Final = 8


def forecast_command(
    *,
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures.")] = 1,
    runs: Annotated[int, typer.Option(help="Car parks, each of the next seed.")] = 10,
    spaces: Annotated[int, typer.Option(help="Spaces of each.")] = SPACES,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Learn simulated car parks for weeks, forecast the next ones, and compare with the counts."""
    if not 0 < runs <= RUNS_MAX:
        raise InvalidInputError("runs", f"1 to {RUNS_MAX}")
    if not 0 < spaces <= SPACES_MAX:
        raise InvalidInputError("spaces", f"1 to {SPACES_MAX}")
    found = [measure(seed=seed + number, spaces=spaces) for number in range(runs)]
    reports = [_mean(list(of_horizon)) for of_horizon in zip(*found, strict=True)]
    learnt_us = update_us(list(simulate(seed=seed, weeks=_UPDATE_WEEKS, spaces=spaces)))
    if json_output:
        told = {
            "weeks_learnt": LEARNT_WEEKS,
            "weeks_tried": TRIED_WEEKS,
            "runs": runs,
            "spaces": spaces,
            "interval": INTERVAL_SHARE,
            "update_us": round(learnt_us, 2),
            "horizons": [asdict(report) for report in reports],
        }
        typer.echo(json.dumps(told))
        return
    typer.echo(
        f"{runs} car parks of {spaces} spaces, {LEARNT_WEEKS} weeks learnt, {TRIED_WEEKS} tried; "
        f"one sample is learnt in {learnt_us:.1f} µs"
    )
    typer.echo("horizon   within  width   off by   as now   as usual")
    for report in reports:
        typer.echo(
            f"{report.horizon_h:>5} h  {report.coverage:>6.1%} {report.width:>6.1%}  "
            f"{report.error:>6.1%}  {report.error_same_as_now:>6.1%}  {report.error_usual:>6.1%}"
        )


def _mean(reports: list[HorizonReport]) -> HorizonReport:
    def mean(name: str) -> float:
        return round(sum(getattr(report, name) for report in reports) / len(reports), 4)

    return HorizonReport(
        horizon_h=reports[0].horizon_h,
        tried=sum(report.tried for report in reports),
        coverage=mean("coverage"),
        width=mean("width"),
        error=mean("error"),
        error_same_as_now=mean("error_same_as_now"),
        error_usual=mean("error_usual"),
    )
