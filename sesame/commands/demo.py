"""`sesame demo`: a town with cars, phones and money, around the real processes."""

import asyncio
import json
import logging
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text
from structlog.typing import EventDict

from parking.kit.errors import ParkingError
from sesame.demo.feed import Feed
from sesame.demo.report import DemoReport
from sesame.demo.show import Show, ShowOptions
from sesame.demo.view import render

REFRESH_S: Final = 0.25


def demo_command(
    data: Annotated[
        Path, typer.Option("--data", help="Folder of the demo's data; kept for the next time.")
    ] = Path(".sesame/demo"),
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Play everything once; exit code 1 if a promise broke.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end.")
    ] = False,
    photos: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of car photographs; a manifest.csv (file, text) says what is on them.",
        ),
    ] = None,
) -> None:
    """Show everything at work: cars, a ticking bill, charges, gates, pushes, and what may fail.

    No real money moves and no real phone rings: acquirer, Firebase and SMS gateway are stand-ins
    on this machine. Without --once it goes on until Ctrl-C.
    """
    _log_to_feed(feed := Feed())
    options = ShowOptions(data=data, once=once, photos=photos)
    try:
        report = asyncio.run(_show(options, feed, json_output=json_output))
    except ParkingError as error:
        Console(stderr=True).print(Text(str(error), style="red"))
        raise typer.Exit(1) from error
    if report is None:
        typer.echo("stopped before the first round was over", err=True)
        raise typer.Exit(1)
    if json_output:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        console = Console()
        console.print(report.to_table(console.width))
    raise typer.Exit(0 if report.last.passed else 1)


async def _show(options: ShowOptions, feed: Feed, *, json_output: bool) -> DemoReport | None:
    console = Console()
    if console.is_terminal and not json_output:
        return await _show_live(options, feed, console)

    def say(line: str) -> None:
        # Standard output belongs to the JSON object.
        typer.echo(line, err=json_output)

    return await Show(options, feed, say).run()


async def _show_live(options: ShowOptions, feed: Feed, console: Console) -> DemoReport | None:
    # Drawn by a task of this loop, not by rich's thread: nothing changes under the drawing.
    with Live(render(feed), console=console, screen=True, auto_refresh=False) as live:
        drawing = asyncio.create_task(_draw(live, feed))
        try:
            return await Show(options, feed, lambda _: None).run()
        finally:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)


async def _draw(live: Live, feed: Feed) -> None:
    while True:
        live.update(render(feed), refresh=True)
        await asyncio.sleep(REFRESH_S)


def _log_to_feed(feed: Feed) -> None:
    """Keep this process's own log off the screen; the terminal view shows its end."""

    def keep(_: object, __: str, event: EventDict) -> EventDict:
        feed.on_line("demo", " ".join(str(value) for value in event.values()))
        raise structlog.DropEvent

    structlog.configure(
        processors=[keep], wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING)
    )
