"""`sesame sandbox wechat`: the stand-in for WeChat Pay."""

import json
from pathlib import Path
from typing import Annotated

import typer

from parking.kit.clock import SystemClock
from sesame.commands.stand_in_server import listen, serve
from sesame.sandbox.wechat import Options, create_stand_in, new_api_key
from sesame.sandbox.wechat.app import APP, MERCHANT, SERIAL

_SECRET_FILE_MODE = 0o600


def wechat_command(  # noqa: PLR0913 - one parameter for each command-line option
    *,
    data: Annotated[Path, typer.Option(help="SQLite file with the books; made if missing.")],
    merchant_key: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Merchant's public key, PEM.")
    ],
    api_key_file: Annotated[
        Path, typer.Option(help="File with the APIv3 key, 32 characters; made if missing.")
    ],
    platform_keys_out: Annotated[
        Path, typer.Option(help="Where to write WeChat Pay's public keys, with their names.")
    ],
    merchant: Annotated[str, typer.Option(help="Merchant's number.")] = MERCHANT,
    sub_merchant: Annotated[
        str | None, typer.Option(help="Whom it acts for as a service provider.")
    ] = None,
    key_serial: Annotated[
        str, typer.Option(help="Serial number of the merchant's certificate.")
    ] = SERIAL,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    public_url: Annotated[
        str | None, typer.Option(help="Where payers reach it; by default its own address.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Say in JSON where it is.")] = False,
) -> None:
    """Play WeChat Pay of docs/payments/wechat.md until interrupted.

    Notices go to each order's own notify_url. POST /_control and GET /_books, on loopback, make it
    misbehave and show its books.
    """
    if not api_key_file.exists():
        api_key_file.touch(mode=_SECRET_FILE_MODE)
        api_key_file.write_text(new_api_key(), encoding="ascii")
    listener, url = listen(host, port)
    options = Options(
        data=data,
        merchant=merchant,
        sub_merchant=sub_merchant,
        merchant_keys_pem={key_serial: merchant_key.read_bytes()},
        api_key=api_key_file.read_text(encoding="ascii").strip(),
        public_url=(public_url or url).rstrip("/"),
    )
    try:
        stand_in = create_stand_in(options, SystemClock())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--merchant-key") from error
    platform_keys_out.write_text(stand_in.platform_keys_pem, encoding="ascii")
    report = {
        "SESAME_WECHAT_URL": url,
        "SESAME_WECHAT_MERCHANT": merchant,
        "SESAME_WECHAT_APP": APP,
        "SESAME_WECHAT_KEY_SERIAL": key_serial,
        "SESAME_WECHAT_SERVICE_URL": stand_in.service_url,
    }
    if sub_merchant is not None:
        report["SESAME_WECHAT_SUB_MERCHANT"] = sub_merchant
    typer.echo(json.dumps(report) if json_output else f"WeChat Pay stand-in at {url}")
    serve(stand_in.app, listener)
