"""How a command that runs on and on ends: on a signal, or with a refusal in one line."""

import asyncio
import signal

import typer
from rich.console import Console
from rich.text import Text


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def failure(error: Exception) -> typer.Exit:
    """Print why a command cannot go on; returns what to raise."""
    Console(stderr=True).print(Text(str(error), style="red"))
    return typer.Exit(1)
