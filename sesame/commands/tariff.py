"""`sesame tariff`: what a rate table makes of stays, whether it is sound, when it is in force."""

import typer

from sesame.commands.tariff_exchange import export_command, import_command
from sesame.commands.tariff_explain import explain_command
from sesame.commands.tariff_file import FILE_BYTES_MAX
from sesame.commands.tariff_lint import lint_command
from sesame.commands.tariff_publish import publish_command, versions_command
from sesame.commands.tariff_quote import quote_command

__all__ = ["FILE_BYTES_MAX", "tariff_app"]

tariff_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Say what rate tables make of stays."
)


@tariff_app.callback()
def _tariff() -> None:  # pyright: ignore[reportUnusedFunction] - typer keeps it
    """Keep each command one of its own, also when it is the only one."""


tariff_app.command("quote")(quote_command)
tariff_app.command("explain")(explain_command)
tariff_app.command("lint")(lint_command)
tariff_app.command("publish")(publish_command)
tariff_app.command("versions")(versions_command)
tariff_app.command("export")(export_command)
tariff_app.command("import")(import_command)
