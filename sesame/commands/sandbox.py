"""`sesame sandbox`: stand-ins for outside services, to try the product by hand and in tests."""

import json
from pathlib import Path
from typing import Annotated

import typer

from parking.kit.clock import SystemClock
from sesame.commands.sandbox_etc import etc_command
from sesame.commands.sandbox_gocardless import gocardless_command
from sesame.commands.sandbox_stripe import stripe_command
from sesame.commands.sandbox_wechat import wechat_command
from sesame.commands.stand_in_server import listen, serve
from sesame.sandbox.acquirer import Options, create_stand_in
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem
from sesame.sandbox.alipay import Options as AlipayOptions
from sesame.sandbox.alipay import create_stand_in as create_alipay_stand_in
from sesame.sandbox.alipay.app import APP_ID, SELLER_ID
from sesame.sandbox.etc.signing import etc_public_pem, new_etc_private_pem
from sesame.sandbox.fapiao import create_fapiao_stand_in
from sesame.sandbox.fcm import create_fcm_stand_in, load_service_account, new_service_account
from sesame.sandbox.platform import RETRY_MS
from sesame.sandbox.sms import create_sms_stand_in

PRIVATE_FILE_MODE = 0o600

sandbox_app = typer.Typer(
    help="Stand-ins for outside services. No real money moves.", no_args_is_help=True
)


sandbox_app.command("etc")(etc_command)
sandbox_app.command("gocardless")(gocardless_command)
sandbox_app.command("stripe")(stripe_command)
sandbox_app.command("wechat")(wechat_command)


@sandbox_app.command("acquirer")
def acquirer_command(  # noqa: PLR0913 - one parameter for each command-line option
    *,
    data: Annotated[Path, typer.Option(help="SQLite file with the books; made if missing.")],
    merchant_key: Annotated[
        list[Path],
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Merchant's public key, PEM; repeat it for a second key.",
        ),
    ],
    merchant: Annotated[str, typer.Option(help="Merchant's name on the wire.")] = "sesame",
    platform_key_out: Annotated[
        Path | None, typer.Option(help="Where to write the platform's public keys, PEM.")
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
    json_output: Annotated[bool, typer.Option("--json", help="Say in JSON where it is.")] = False,
) -> None:
    """Play the acquirer of docs/acquirer-wire.md until interrupted.

    POST /_control and GET /_books, on loopback, make it misbehave and show its books.
    """
    listener, url = listen(host, port)
    options = Options(
        data=data,
        merchant=merchant,
        merchant_keys_pem=tuple(path.read_bytes() for path in merchant_key),
        public_url=(public_url or url).rstrip("/"),
        notice_url=notice_url,
        notice_retry_ms=notice_retry_ms,
    )
    try:
        stand_in = create_stand_in(options, SystemClock())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--merchant-key") from error
    if platform_key_out:
        platform_key_out.write_text(stand_in.platform_keys_pem)
    report = {"url": url, "merchant": merchant, "platform_keys": stand_in.platform_key_ids}
    typer.echo(json.dumps(report) if json_output else f"Acquirer stand-in at {url}")
    serve(stand_in.app, listener)


@sandbox_app.command("alipay")
def alipay_command(  # noqa: PLR0913 - one parameter for each command-line option
    *,
    data: Annotated[Path, typer.Option(help="SQLite file with the books; made if missing.")],
    app_key: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Application's public key, PEM.")
    ],
    public_keys_out: Annotated[
        Path, typer.Option(help="Where to write Alipay's public keys, PEM.")
    ],
    app_id: Annotated[str, typer.Option(help="Application's id.")] = APP_ID,
    seller_id: Annotated[str, typer.Option(help="Merchant's account.")] = SELLER_ID,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    public_url: Annotated[
        str | None, typer.Option(help="Where payers reach it; by default its own address.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Say in JSON where it is.")] = False,
) -> None:
    """Play Alipay's gateway of docs/payments/alipay.md until interrupted.

    Notices go to each order's own notify_url. POST /_control and GET /_books, on loopback, make it
    misbehave and show its books.
    """
    listener, url = listen(host, port)
    options = AlipayOptions(
        data=data,
        app_key_pem=app_key.read_bytes(),
        public_url=(public_url or url).rstrip("/"),
        app_id=app_id,
        seller_id=seller_id,
    )
    try:
        stand_in = create_alipay_stand_in(options, SystemClock())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--app-key") from error
    public_keys_out.write_text(stand_in.public_keys_pem)
    report = {"gateway": f"{url}/gateway.do", "app_id": app_id, "seller_id": seller_id}
    typer.echo(json.dumps(report) if json_output else f"Alipay stand-in at {url}/gateway.do")
    serve(stand_in.app, listener)


@sandbox_app.command("merchant-key")
def merchant_key_command(
    *,
    private_out: Annotated[Path, typer.Option(help="Where to write the private key, PEM.")],
    public_out: Annotated[Path, typer.Option(help="Where to write the public key, PEM.")],
    ed25519: Annotated[
        bool, typer.Option("--ed25519", help="For the ETC wire; otherwise the key is RSA.")
    ] = False,
) -> None:
    """Make a key pair for a merchant; an existing private key is kept."""
    if not private_out.exists():
        private_out.touch(mode=PRIVATE_FILE_MODE)
        private_out.write_bytes(new_etc_private_pem() if ed25519 else new_private_pem())
    private = private_out.read_bytes()
    public_out.write_text(etc_public_pem(private) if ed25519 else public_pem(private))


@sandbox_app.command("fcm")
def fcm_command(
    *,
    credentials_out: Annotated[
        Path,
        typer.Option(help="Service account's file to write; the key of an older one is kept."),
    ],
    project: Annotated[str, typer.Option(help="Firebase project's id.")] = "sesame-sandbox",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    json_output: Annotated[bool, typer.Option("--json", help="Say in JSON where it is.")] = False,
) -> None:
    """Play Google's token endpoint and Firebase Cloud Messaging until interrupted.

    POST /_control and GET /_log, on loopback, make it misbehave and show what came.
    """
    listener, url = listen(host, port)
    try:
        account = (
            load_service_account(credentials_out.read_text(encoding="ascii"))
            if credentials_out.exists()
            else new_service_account(project)
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--credentials-out") from error
    credentials_out.touch(mode=PRIVATE_FILE_MODE)
    credentials_out.write_text(account.to_json(url), encoding="ascii")
    report = {"url": url, "project": account.project_id, "credentials": str(credentials_out)}
    typer.echo(json.dumps(report) if json_output else f"FCM stand-in at {url}")
    serve(create_fcm_stand_in(account, SystemClock()), listener)


@sandbox_app.command("sms")
def sms_command(
    *,
    secret_file: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="File that holds the shared secret.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    json_output: Annotated[bool, typer.Option("--json", help="Say in JSON where it is.")] = False,
) -> None:
    """Play the gateway of docs/sms-webhook.md until interrupted.

    GET /_messages, on loopback, shows what came.
    """
    listener, base_url = listen(host, port)
    url = f"{base_url}/messages"
    secret = secret_file.read_text(encoding="utf-8").strip()
    typer.echo(json.dumps({"url": url}) if json_output else f"SMS stand-in at {url}")
    serve(create_sms_stand_in(secret, SystemClock()), listener)


@sandbox_app.command("fapiao")
def fapiao_command(
    *,
    secret_file: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="File that holds the shared secret.")
    ],
    account: Annotated[str, typer.Option(help="The caller's name on the wire.")] = "sesame",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 0,
    json_output: Annotated[bool, typer.Option("--json", help="Say in JSON where it is.")] = False,
) -> None:
    """Play the fapiao service of docs/fapiao-wire.md until interrupted; books in memory.

    POST /_control and GET /_books, on loopback, issue or fail applications and show them.
    """
    listener, url = listen(host, port)
    secret = secret_file.read_text(encoding="utf-8").strip()
    typer.echo(json.dumps({"url": url}) if json_output else f"Fapiao stand-in at {url}")
    serve(create_fapiao_stand_in(account, secret, SystemClock(), public_url=url), listener)


if __name__ == "__main__":
    sandbox_app()
