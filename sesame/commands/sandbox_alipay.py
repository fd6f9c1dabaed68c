"""`sesame sandbox alipay`: the stand-in for Alipay."""

import json
from pathlib import Path
from typing import Annotated

import typer

from parking.kit.clock import SystemClock
from sesame.commands.stand_in_options import LOOPBACK, Data, Host, JsonOutput, Port, PublicUrl
from sesame.commands.stand_in_server import listen, serve
from sesame.sandbox.alipay import Options, create_stand_in
from sesame.sandbox.alipay.app import APP_ID, SELLER_ID


def alipay_command(  # noqa: PLR0913 - one parameter for each command-line option
    *,
    data: Data,
    app_key: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Application's public key, PEM.")
    ],
    public_keys_out: Annotated[
        Path, typer.Option(help="Where to write Alipay's public keys, PEM.")
    ],
    app_id: Annotated[str, typer.Option(help="Application's id.")] = APP_ID,
    seller_id: Annotated[str, typer.Option(help="Merchant's account.")] = SELLER_ID,
    host: Host = LOOPBACK,
    port: Port = 0,
    public_url: PublicUrl = None,
    json_output: JsonOutput = False,
) -> None:
    """Play Alipay's gateway of docs/payments/alipay.md until interrupted.

    Notices go to each order's own notify_url.

    POST /_control and GET /_books, on loopback, make it misbehave and show its books.
    """
    listener, url = listen(host, port)
    options = Options(
        data=data,
        app_key_pem=app_key.read_bytes(),
        public_url=(public_url or url).rstrip("/"),
        app_id=app_id,
        seller_id=seller_id,
    )
    try:
        stand_in = create_stand_in(options, SystemClock())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--app-key") from error
    public_keys_out.write_text(stand_in.public_keys_pem)
    report = {"gateway": f"{url}/gateway.do", "app_id": app_id, "seller_id": seller_id}
    typer.echo(json.dumps(report) if json_output else f"Alipay stand-in at {url}/gateway.do")
    serve(stand_in.app, listener)
