"""`sesame gates`: the lanes of the fleet, and the bridge that they connect to."""

import typer

from sesame.commands.gates_serve import serve_command

gates_app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Show the fleet, run the bridge."
)


@gates_app.callback()
def _gates() -> None:  # pyright: ignore[reportUnusedFunction] - typer keeps it
    """Keep `serve` a sub-command while it is the only one."""


gates_app.command("serve")(serve_command)
