"""`sesame sandbox etc`: a stand-in for the ETC acquirer."""

import json
from pathlib import Path
from typing import Annotated

import typer

from parking.kit.clock import SystemClock
from sesame.commands.stand_in_server import listen, serve
from sesame.sandbox.etc import EtcOptions, create_etc_stand_in
from sesame.sandbox.platform import RETRY_MS


def etc_command(  # noqa: PLR0913 - one parameter for each command-line option
    *,
    data: Annotated[Path, typer.Option(help="SQLite file with the books; made if missing.")],
    merchant_key: Annotated[
        list[Path],
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Merchant's Ed25519 public key, PEM; repeat it for a second key.",
        ),
    ],
    merchant: Annotated[str, typer.Option(help="Merchant's name on the wire.")] = "sesame",
    platform_key_out: Annotated[
        Path | None, typer.Option(help="Where to write the acquirer's public keys, PEM.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    public_url: Annotated[
        str | None, typer.Option(help="Where payers reach it; by default its own address.")
    ] = None,
    notice_url: Annotated[
        str | None, typer.Option(help="Where notices go; without it they wait.")
    ] = None,
    notice_retry_ms: Annotated[
        int, typer.Option(min=1, help="First wait before a notice is sent again.")
    ] = RETRY_MS,
    sees_everything: Annotated[
        bool, typer.Option("--sees-everything", help="Every antenna sees every unit.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Say in JSON where it is.")] = False,
) -> None:
    """Play the ETC acquirer of docs/etc-wire.md until interrupted.

    POST /_control and GET /_books, on loopback, put cars under antennas and show its books.
    """
    listener, url = listen(host, port)
    options = EtcOptions(
        data=data,
        merchant=merchant,
        merchant_keys_pem=tuple(path.read_bytes() for path in merchant_key),
        public_url=(public_url or url).rstrip("/"),
        notice_url=notice_url,
        notice_retry_ms=notice_retry_ms,
        sees_everything=sees_everything,
    )
    try:
        stand_in = create_etc_stand_in(options, SystemClock())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--merchant-key or --data") from error
    if platform_key_out:
        platform_key_out.write_text(stand_in.platform_keys_pem)
    report = {"url": url, "merchant": merchant, "platform_keys": stand_in.platform_key_ids}
    typer.echo(json.dumps(report) if json_output else f"ETC stand-in at {url}")
    serve(stand_in.app, listener)
