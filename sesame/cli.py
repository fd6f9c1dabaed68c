"""The command `sesame`. A command's module is imported only when it is called or listed."""

import gc
import logging
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import structlog
import typer
from typer.core import TyperGroup

from parking.kit.errors import ParkingError

# Name: module, and function or typer app.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "demo": ("sesame.commands.demo", "demo_command"),
    "up": ("sesame.commands.up", "up_command"),
    "migrate": ("sesame.commands.migrate", "migrate_command"),
    "api": ("sesame.commands.api", "api_command"),
    "gates": ("sesame.commands.gates", "gates_app"),
    "gate-agent": ("sesame.commands.gate_agent", "gate_agent_app"),
    "recognizer": ("sesame.commands.recognition", "recognizer_command"),
    "worker": ("sesame.commands.worker", "worker_command"),
    "recognize": ("sesame.commands.recognition", "recognize_command"),
    "evaluate": ("sesame.commands.recognition", "evaluate_command"),
    "train": ("sesame.commands.train", "train_app"),
    "tariff": ("sesame.commands.tariff", "tariff_app"),
    "bill": ("sesame.commands.bill", "bill_app"),
    "place": ("sesame.commands.place", "place_app"),
    "invoice": ("sesame.commands.invoice", "invoice_app"),
    "habits": ("sesame.commands.habits", "habits_app"),
    "reconcile": ("sesame.commands.reconcile", "reconcile_command"),
    "retention": ("sesame.commands.retention", "retention_command"),
    "staff": ("sesame.commands.staff", "staff_app"),
    "campaign": ("sesame.commands.campaign", "campaign_app"),
    "sandbox": ("sesame.commands.sandbox", "sandbox_app"),
    "schema": ("sesame.commands.schema", "schema_command"),
    "bench": ("sesame.commands.bench", "bench_command"),
}

# One object a line, for programs that read the log.
_JSON_PROCESSORS: Final = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(),
)
# The library's own console shows the local variables of a traceback: tokens, codes, plates.
_CONSOLE_PROCESSORS: Final = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
)


class LazyGroup(TyperGroup):
    """Imports a command's module when the command is wanted."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride] - typer's own context class
        """Return the names in the order of a day's work."""
        _ = ctx
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # noqa: ANN401  # pyright: ignore[reportIncompatibleMethodOverride] - typer's own command class
        """Import one command."""
        _ = ctx
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        with _uncollected():
            return _command(cmd_name, getattr(import_module(module), attribute))


@contextmanager
def _uncollected() -> Generator[None]:
    """Keep the collector away from imports: all they make stays, and looking at it is a fifth."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _command(name: str, target: Any) -> Any:  # noqa: ANN401 - a function or an app, and typer's class
    if not isinstance(target, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(name)(target)
        target = app
    command: Any = typer.main.get_command(target)
    command.name = name
    return command


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    help="Seamless parking: the gate knows your plate, the bill is live on your phone.",
)


@app.callback()
def _sesame() -> None:  # pyright: ignore[reportUnusedFunction] - typer keeps it
    """Take part in the help; every option belongs to a command."""


def main() -> None:
    """Run a command; an expected refusal prints one line and ends with 1."""
    configure_log(as_json=os.environ.get("SESAME_LOG_FORMAT") == "json")
    try:
        app()
    except ParkingError as error:
        _refuse(str(error))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        # Of a file that an option names. Every other trouble of the system is a defect, and shown.
        _refuse(f"{error.filename}: {error.strerror}")


def _refuse(reason: str) -> None:
    typer.secho(reason, fg=typer.colors.RED, err=True)
    sys.exit(1)


def configure_log(*, as_json: bool) -> None:
    """Send the log to standard error; tracebacks show code, never values."""
    structlog.configure(
        processors=_JSON_PROCESSORS if as_json else _CONSOLE_PROCESSORS,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Standard output belongs to a command's report, so the log goes to standard error.
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
