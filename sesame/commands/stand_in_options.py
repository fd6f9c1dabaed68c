"""The options that the commands of all stand-ins have."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Option(help="SQLite file with the books; made if missing.")]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")]
PublicUrl = Annotated[
    str | None, typer.Option(help="Where payers reach it; by default its own address.")
]
NoticeUrl = Annotated[str | None, typer.Option(help="Where notices go; without it they wait.")]
NoticeRetryMs = Annotated[
    int, typer.Option(min=1, help="First wait before a notice is sent again.")
]
JsonOutput = Annotated[bool, typer.Option("--json", help="Say in JSON where it is.")]
LOOPBACK = "127.0.0.1"
