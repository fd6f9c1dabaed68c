"""`sesame gates`: how the lanes are; its sub-commands run the bridge and say who a gate is."""

import asyncio
import json
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from parking.flows.fleet.reading import Fleet, read_fleet
from parking.kit.errors import ParkingError, UnavailableError
from sesame import gates_report
from sesame.commands.ending import failure
from sesame.commands.gate_enrol import certificates_app, enrol_command, revoke_command
from sesame.commands.gates_serve import serve_command
from sesame.settings import Settings
from sesame.wiring import open_context

WATCH_S: Final = 2.0
_CONNECTIONS_MAX: Final = 1

gates_app = typer.Typer(add_completion=False, help="Show how the lanes are, run the bridge.")


@gates_app.callback(invoke_without_command=True)
def gates_command(
    context: typer.Context,
    *,
    place: Annotated[
        str | None, typer.Option(help="Only places of this id, or with this in their name.")
    ] = None,
    problems: Annotated[bool, typer.Option("--problems", help="Only lanes with problems.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew until Ctrl-C.")] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="End with 1 if a lane has a problem, or --place finds none."),
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how the lanes are: connected, seen, clock, queue, orders, certificate."""
    if context.invoked_subcommand is not None:
        return
    try:
        if watch and not json_output:
            asyncio.run(_watch(Settings(), place, only_problems=problems))
        fleet = asyncio.run(_look(Settings(), place))
    except ParkingError as error:
        raise failure(error) from error
    except KeyboardInterrupt:
        return
    if json_output:
        told = gates_report.report(fleet, only_problems=problems)
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        console = Console()
        console.print(gates_report.show(fleet, console.width, place=place, only_problems=problems))
    # A misspelt place has no problems, and must not look like one that is well.
    is_missed = place is not None and not fleet.lanes
    if check and (is_missed or any(lane.problems for lane in fleet.lanes)):
        raise typer.Exit(1)


gates_app.command("serve")(serve_command)
gates_app.command("enrol")(enrol_command)
gates_app.command("revoke")(revoke_command)
gates_app.add_typer(certificates_app, name="certificates")


async def _look(settings: Settings, place: str | None) -> Fleet:
    async with open_context(settings, connections_max=_CONNECTIONS_MAX) as context:
        return await read_fleet(context, place=place)


async def _watch(settings: Settings, place: str | None, *, only_problems: bool) -> None:
    console = Console()
    async with open_context(settings, connections_max=_CONNECTIONS_MAX) as context:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                try:
                    fleet = await read_fleet(context, place=place)
                    shown = gates_report.show(
                        fleet, console.width, place=place, only_problems=only_problems
                    )
                except UnavailableError as error:
                    # Whoever watches through an outage wants to see its end.
                    shown = Text(str(error), "bold red")
                live.update(shown, refresh=True)
                await asyncio.sleep(WATCH_S)
