"""`sesame bench`: measure on this machine, with every part real."""

import asyncio
import json
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from parking.kit.errors import InvalidInputError
from sesame.bench.campaign.campaign_bench import (
    DRIVERS,
    CampaignPlan,
    measure_campaign,
    print_campaign_report,
)
from sesame.bench.exit_bench import ExitPlan, measure_exits
from sesame.bench.exit_report import print_report
from sesame.bench.gates.gates_bench import GatesPlan, measure_gates
from sesame.bench.gates.report import print_gates_report
from sesame.bench.graphql.graphql_bench import GraphQLPlan, measure_graphql
from sesame.bench.graphql.report import print_graphql_report
from sesame.bench.habits_bench import measure_habits, print_habits_report
from sesame.bench.machine import use_cores
from sesame.bench.money.charge_path import measure_charge, print_charge_path
from sesame.bench.money.money_bench import EXITS, SEED, MoneyPlan, measure_money, print_money_report
from sesame.bench.notifications.notifications_bench import (
    DEDUCTIONS,
    NotificationsPlan,
    measure_notifications,
    print_notifications_report,
)
from sesame.bench.registry import (
    BENCHES,
    CAMPAIGN,
    CHARGE,
    EXIT,
    GATES,
    GRAPHQL,
    HABITS,
    MONEY,
    NOTIFICATIONS,
    SUBSCRIPTIONS,
    TARIFF,
)
from sesame.bench.subscriptions.report import print_subscriptions_report
from sesame.bench.subscriptions.subscriptions_bench import (
    SubscriptionsPlan,
    measure_subscriptions,
)
from sesame.bench.tariff_bench import TariffPlan, measure_tariff, print_tariff_report
from sesame.commands import bench_options as option
from sesame.commands.migrate import migrate

GATES_COUNT: Final = 3000
CARS_PER_S: Final = 50.0
CARS: Final = 1000
OPEN_STAYS: Final = 1_000_000
TERMINATED: Final = 128 + signal.SIGTERM
# For a rate that has no number of cars of its own.
SECONDS_OF_ANY_RATE: Final = 10
_Found = TypeVar("_Found")


class _Report(Protocol):
    """What every bench returns."""

    @property
    def is_right(self) -> bool: ...

    def to_json(self) -> dict[str, Any]: ...


def bench_command(  # noqa: C901, PLR0912, PLR0913 - one for each bench and option
    name: option.Name = None,
    *,
    list_benches: option.List = False,
    rate: option.Rate = None,
    exits: option.Exits = None,
    recognizers: option.Recognizers = 1,
    cores: option.Cores = None,
    folder: option.Folder = None,
    tables: option.Tables = None,
    open_stays: option.OpenStays = OPEN_STAYS,
    provider: option.Provider = None,
    seed: option.Seed = SEED,
    gates: option.Gates = GATES_COUNT,
    tls: option.Tls = True,
    deductions: option.Deductions = DEDUCTIONS,
    drivers: option.Drivers = DRIVERS,
    json_output: option.Json = False,
) -> None:
    """Measure a path with real servers and processes; exit code 1 if anything came out wrong."""
    if list_benches or name is None:
        _print_list(json_output=json_output)
        raise typer.Exit(0 if list_benches else 2)
    if name not in BENCHES:
        raise InvalidInputError("NAME", f"one of {', '.join(BENCHES)}")
    if cores is not None:
        use_cores(cores)
    if name == TARIFF.name:
        _measure_tariff(TariffPlan(tables, open_stays, folder), json_output=json_output)
    elif name == CHARGE.name:
        _measure_charge(folder, json_output=json_output)
    elif name == MONEY.name:
        wanted = MoneyPlan(exits=exits or EXITS, providers=provider or (), seed=seed, folder=folder)
        _measure_money(wanted, json_output=json_output)
    elif name == GRAPHQL.name:
        _measure_graphql(GraphQLPlan(folder=folder), json_output=json_output)
    elif name == SUBSCRIPTIONS.name:
        _measure_subscriptions(SubscriptionsPlan(folder=folder), json_output=json_output)
    elif name == NOTIFICATIONS.name:
        told = NotificationsPlan(deductions=deductions, folder=folder)
        _measure_notifications(told, json_output=json_output)
    elif name == CAMPAIGN.name:
        _measure_campaign(CampaignPlan(drivers=drivers, folder=folder), json_output=json_output)
    elif name == HABITS.name:
        _measure_habits(json_output=json_output)
    elif name == GATES.name:
        per_s = rate[0] if rate else CARS_PER_S
        fleet = GatesPlan(gates, per_s, exits or CARS, is_tls=tls, folder=folder)
        _measure_gates(fleet, json_output=json_output)
    else:
        plan = ExitPlan(exits=_exits(rate, exits), recognizers=recognizers, folder=folder)
        _measure_exits(plan, json_output=json_output)


def _measure_exits(plan: ExitPlan, *, json_output: bool) -> None:
    with _ProgressBar(sum(plan.exits.values()) + plan.warm_up_exits) as progress:
        report = _run(measure_exits(plan, migrate, progress.on_step))
    _tell(report, lambda console: print_report(report, console), json_output=json_output)


def _measure_tariff(plan: TariffPlan, *, json_output: bool) -> None:
    report = _run(measure_tariff(plan, migrate, Console(stderr=True).print))
    _tell(report, lambda console: print_tariff_report(report, console), json_output=json_output)


def _measure_charge(folder: Path | None, *, json_output: bool) -> None:
    report = _run(measure_charge(folder, migrate, Console(stderr=True).print))
    _tell(
        report,
        lambda console: print_charge_path(report.path, report.commit, console),
        json_output=json_output,
    )


def _measure_money(plan: MoneyPlan, *, json_output: bool) -> None:
    with _ProgressBar(plan.exits) as progress:
        report = _run(measure_money(plan, migrate, progress.on_step))
    _tell(report, lambda console: print_money_report(report, console), json_output=json_output)


def _measure_gates(plan: GatesPlan, *, json_output: bool) -> None:
    with _ProgressBar(plan.gates + plan.cars, "gates and cars") as progress:
        report = _run(measure_gates(plan, migrate, progress.on_step))
    _tell(report, lambda console: print_gates_report(report, console), json_output=json_output)


def _measure_notifications(plan: NotificationsPlan, *, json_output: bool) -> None:
    report = _run(measure_notifications(plan, migrate, Console(stderr=True).print))
    _tell(
        report, lambda console: print_notifications_report(report, console), json_output=json_output
    )


def _measure_campaign(plan: CampaignPlan, *, json_output: bool) -> None:
    report = _run(measure_campaign(plan, migrate, Console(stderr=True).print))
    _tell(report, lambda console: print_campaign_report(report, console), json_output=json_output)


def _measure_habits(*, json_output: bool) -> None:
    report = measure_habits()
    _tell(report, lambda console: print_habits_report(report, console), json_output=json_output)


def _measure_graphql(plan: GraphQLPlan, *, json_output: bool) -> None:
    report = _run(measure_graphql(plan, migrate, Console(stderr=True).print))
    _tell(report, lambda console: print_graphql_report(report, console), json_output=json_output)


def _measure_subscriptions(plan: SubscriptionsPlan, *, json_output: bool) -> None:
    report = _run(measure_subscriptions(plan, migrate, Console(stderr=True).print))
    _tell(
        report, lambda console: print_subscriptions_report(report, console), json_output=json_output
    )


def _run(work: Coroutine[Any, Any, _Found]) -> _Found:
    """Do the work; SIGTERM, like SIGINT, stops what runs and removes its data first."""

    async def stoppable() -> _Found:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(stoppable())
    except asyncio.CancelledError:
        raise typer.Exit(TERMINATED) from None


def _tell(report: _Report, show: Callable[[Console], None], *, json_output: bool) -> None:
    if json_output:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        show(Console())
    if not report.is_right:
        raise typer.Exit(1)


def _exits(rates: list[float] | None, exits: int | None) -> dict[float, int]:
    if not rates:
        return {rate: exits or count for rate, count in EXIT.exits.items()}
    usual = {rate: max(1, round(rate * SECONDS_OF_ANY_RATE)) for rate in rates}
    return {rate: exits or EXIT.exits.get(rate, usual[rate]) for rate in rates}


def _print_list(*, json_output: bool) -> None:
    if json_output:
        typer.echo(json.dumps({each.name: each.measures for each in BENCHES.values()}))
        return
    for each in BENCHES.values():
        typer.echo(f"{each.name}: {each.measures}")


class _ProgressBar(Progress):
    """What goes on, on standard error: standard output belongs to the report."""

    def __init__(self, total: int, of_what: str = "cars") -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(of_what),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task = self.add_task("", total=total)

    def on_step(self, what: str, finished: int) -> None:
        """Show what goes on and count the cars that it finished."""
        self.update(self._task, description=what, advance=finished)
