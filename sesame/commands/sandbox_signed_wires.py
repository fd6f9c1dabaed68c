"""`sesame sandbox acquirer` and `sesame sandbox etc`: stand-ins that speak our signed wires."""

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
from sesame.commands.stand_in_server import listen, serve
from sesame.sandbox import acquirer, etc
from sesame.sandbox.platform import RETRY_MS

MerchantKeys = Annotated[
    list[Path],
    typer.Option(
        exists=True,
        dir_okay=False,
        help="Merchant's public key, PEM; repeat it for a second key.",
    ),
]
Merchant = Annotated[str, typer.Option(help="Merchant's name on the wire.")]
PlatformKeyOut = Annotated[
    Path | None, typer.Option(help="Where to write the platform's public keys, PEM.")
]


def acquirer_command(  # noqa: PLR0913 - one parameter for each command-line option
    *,
    data: Data,
    merchant_key: MerchantKeys,
    merchant: Merchant = "sesame",
    platform_key_out: PlatformKeyOut = None,
    host: Host = LOOPBACK,
    port: Port = 0,
    public_url: PublicUrl = None,
    notice_url: NoticeUrl = None,
    notice_retry_ms: NoticeRetryMs = RETRY_MS,
    json_output: JsonOutput = False,
) -> None:
    """Play the acquirer of docs/acquirer-wire.md until interrupted.

    POST /_control and GET /_books, on loopback, make it misbehave and show its books.
    """
    listener, url = listen(host, port)
    options = acquirer.Options(
        data=data,
        merchant=merchant,
        merchant_keys_pem=tuple(path.read_bytes() for path in merchant_key),
        public_url=(public_url or url).rstrip("/"),
        notice_url=notice_url,
        notice_retry_ms=notice_retry_ms,
    )
    try:
        stand_in = acquirer.create_stand_in(options, SystemClock())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--merchant-key") from error
    if platform_key_out:
        platform_key_out.write_text(stand_in.platform_keys_pem)
    report = {"url": url, "merchant": merchant, "platform_keys": stand_in.platform_key_ids}
    typer.echo(json.dumps(report) if json_output else f"Acquirer stand-in at {url}")
    serve(stand_in.app, listener)


def etc_command(  # noqa: PLR0913 - one parameter for each command-line option
    *,
    data: Data,
    merchant_key: MerchantKeys,
    merchant: Merchant = "sesame",
    platform_key_out: PlatformKeyOut = None,
    host: Host = LOOPBACK,
    port: Port = 0,
    public_url: PublicUrl = None,
    notice_url: NoticeUrl = None,
    notice_retry_ms: NoticeRetryMs = RETRY_MS,
    sees_everything: Annotated[
        bool, typer.Option("--sees-everything", help="Every antenna sees every unit.")
    ] = False,
    json_output: JsonOutput = False,
) -> None:
    """Play the ETC acquirer of docs/etc-wire.md until interrupted.

    POST /_control and GET /_books, on loopback, put cars under antennas and show its books.
    """
    listener, url = listen(host, port)
    options = etc.Options(
        data=data,
        merchant=merchant,
        merchant_keys_pem=tuple(path.read_bytes() for path in merchant_key),
        public_url=(public_url or url).rstrip("/"),
        notice_url=notice_url,
        notice_retry_ms=notice_retry_ms,
        sees_everything=sees_everything,
    )
    try:
        stand_in = etc.create_stand_in(options, SystemClock())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--merchant-key") from error
    if platform_key_out:
        platform_key_out.write_text(stand_in.platform_keys_pem)
    report = {"url": url, "merchant": merchant, "platform_keys": stand_in.platform_key_ids}
    typer.echo(json.dumps(report) if json_output else f"ETC stand-in at {url}")
    serve(stand_in.app, listener)
