"""`sesame up`: start everything on this machine and keep it running."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from parking.kit.errors import ParkingError
from sesame.embedded.folder import DataFolder
from sesame.embedded.stack import Stack
from sesame.installation import install
from sesame.processes import application_processes
from sesame.supervisor import Echo, Supervisor

ENDPOINTS_NAME: Final = "endpoints.json"
SERVER_CHECK_INTERVAL_S: Final = 1.0
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NAME_WIDTH: Final = 11
COLOURS: Final = ("cyan", "green", "magenta", "yellow", "blue")


@dataclass(frozen=True, slots=True)
class Report:
    """What runs where; the processes' addresses are None with --only-servers."""

    data: str
    database_url: str
    redis_url: str
    api_url: str | None = None
    gates_url: str | None = None


def up_command(
    data: Annotated[
        Path, typer.Option("--data", envvar="SESAME_DATA", help="Folder of all data and keys.")
    ] = Path(".sesame"),
    *,
    only_servers: Annotated[
        bool, typer.Option("--only-servers", help="PostgreSQL and Valkey, no processes.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print one JSON object when everything is ready.")
    ] = False,
) -> None:
    """Start the servers and all processes, and keep them running until Ctrl-C.

    DATABASE_URL and REDIS_URL name servers of your own; those are then not started.
    """
    console = Console(stderr=True)
    try:
        asyncio.run(_up(data, only_servers=only_servers, console=None if json_output else console))
    except ParkingError as error:
        console.print(Text(str(error), style="red"))
        raise typer.Exit(1) from error


async def _up(data: Path, *, only_servers: bool, console: Console | None) -> None:
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        # `nohup` has SIGHUP ignored: that stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _servers(data) as stack, Supervisor(stack.folder.logs(), _echo(console)) as children:
        works: tuple[Coroutine[object, object, object], ...] = (
            stop.wait(),
            _keep_servers(stack, console),
            _run(stack, None if only_servers else children, console),
        )
        tasks = {asyncio.create_task(work) for work in works}
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for task in done:
            task.result()


@asynccontextmanager
async def _servers(data: Path) -> AsyncGenerator[Stack]:
    """Run the stack in threads, so that a signal is heard while a server starts or stops."""
    stack = Stack(data)
    await asyncio.to_thread(stack.start)
    try:
        yield stack
    finally:
        await asyncio.to_thread(stack.stop)


async def _run(stack: Stack, children: Supervisor | None, console: Console | None) -> None:
    """Announce what runs, once it does, and return only if a child is given up."""
    if children is None:
        endpoints = stack.endpoints
        report = Report(str(stack.folder.root), endpoints.database_url, endpoints.redis_url)
    else:
        report = await _start_processes(stack, children)
    with _announced(report, stack.folder, console):
        if children is None:
            await asyncio.Event().wait()
        else:
            await children.wait_failure()


async def _start_processes(stack: Stack, supervisor: Supervisor) -> Report:
    # Imported here: with --only-servers nothing of the application is loaded.
    from sesame.commands.migrate import migrate  # noqa: PLC0415

    endpoints = stack.endpoints
    await migrate(endpoints.database_url)
    installation = install(stack.folder, endpoints)
    await asyncio.gather(*(supervisor.start(spec) for spec in application_processes(installation)))
    return Report(
        data=str(stack.folder.root),
        database_url=endpoints.database_url,
        redis_url=endpoints.redis_url,
        api_url=installation.api_url,
        gates_url=installation.gates_url,
    )


async def _keep_servers(stack: Stack, console: Console | None) -> None:
    while True:
        await asyncio.sleep(SERVER_CHECK_INTERVAL_S)
        for name in await asyncio.to_thread(stack.revive):
            if console is not None:
                console.print(f"{name} crashed and was started again")


@contextmanager
def _announced(report: Report, folder: DataFolder, console: Console | None) -> Generator[None]:
    """Print the addresses and keep them in a file of the folder while they are valid."""
    line = json.dumps(asdict(report))
    path = folder.root / ENDPOINTS_NAME
    path.touch(mode=0o600)
    path.write_text(line + "\n", encoding="utf-8")
    if console is None:
        typer.echo(line)
    else:
        Console().print(_table(report, path))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _table(report: Report, path: Path) -> Table:
    table = Table("what", "where", title="Sesame is up; Ctrl-C stops it")
    rows = {
        "API": report.api_url,
        "gates": report.gates_url,
        "PostgreSQL": _without_password(report.database_url),
        "Valkey": _without_password(report.redis_url),
        "data": report.data,
        "with passwords": str(path),
    }
    for what, where in rows.items():
        if where is not None:
            table.add_row(what, Text(where, overflow="fold"))
    return table


def _without_password(url: str) -> str:
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":…@", 1) if password else url


def _echo(console: Console | None) -> Echo | None:
    if console is None:
        return None
    colours: dict[str, str] = {}

    def echo(name: str, line: str) -> None:
        colour = colours.setdefault(name, COLOURS[len(colours) % len(COLOURS)])
        console.print(Text(f"{name:<{NAME_WIDTH}} ", style=colour).append(line, style="default"))

    return echo
