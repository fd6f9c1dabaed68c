"""`sesame sandbox gocardless`: a stand-in for GoCardless."""

import json
from pathlib import Path
from typing import Annotated

import typer

from parking.kit.clock import SystemClock
from sesame.commands.stand_in_options import (
    LOOPBACK,
    Data,
    Host,
    JsonOutput,
    NoticeRetryMs,
    NoticeUrl,
    Port,
    PublicUrl,
)
from sesame.commands.stand_in_server import listen, secret_of, serve
from sesame.sandbox.gocardless import Options, create_stand_in
from sesame.sandbox.platform import RETRY_MS


def gocardless_command(  # noqa: PLR0913 - one parameter for each command-line option
    *,
    data: Data,
    access_token_file: Annotated[
        Path, typer.Option(dir_okay=False, help="File with the access token; made if missing.")
    ],
    webhook_secret_file: Annotated[
        Path,
        typer.Option(dir_okay=False, help="File with the secret of events; made if missing."),
    ],
    host: Host = LOOPBACK,
    port: Port = 0,
    public_url: PublicUrl = None,
    notice_url: NoticeUrl = None,
    notice_retry_ms: NoticeRetryMs = RETRY_MS,
    json_output: JsonOutput = False,
) -> None:
    """Play GoCardless until interrupted, as far as docs/payments/gocardless.md goes.

    POST /_control and GET /_books, on loopback, let days pass and show its books.
    """
    listener, url = listen(host, port)
    options = Options(
        data=data,
        access_token=secret_of(access_token_file),
        webhook_secret=secret_of(webhook_secret_file),
        public_url=(public_url or url).rstrip("/"),
        notice_url=notice_url,
        notice_retry_ms=notice_retry_ms,
    )
    app = create_stand_in(options, SystemClock())
    typer.echo(json.dumps({"url": url}) if json_output else f"GoCardless stand-in at {url}")
    serve(app, listener)
