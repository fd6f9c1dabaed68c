"""`sesame sandbox`: stand-ins for outside services, to try the product by hand and in tests."""

import json
from pathlib import Path
from typing import Annotated

import typer

from parking.kit.clock import SystemClock
from sesame.commands.sandbox_alipay import alipay_command
from sesame.commands.sandbox_firebase import fcm_command, firebase_command
from sesame.commands.sandbox_gocardless import gocardless_command
from sesame.commands.sandbox_oidc import oidc_command
from sesame.commands.sandbox_signed_wires import acquirer_command, etc_command
from sesame.commands.sandbox_stripe import stripe_command
from sesame.commands.sandbox_texting import aliyun_command, twilio_command
from sesame.commands.sandbox_web_push import web_push_command
from sesame.commands.sandbox_wechat import wechat_command
from sesame.commands.stand_in_options import LOOPBACK, Host, JsonOutput, Port
from sesame.commands.stand_in_server import SECRET_FILE_MODE, listen, secret_of, serve
from sesame.sandbox.acquirer.signing import new_private_pem, public_pem
from sesame.sandbox.etc.signing import etc_public_pem, new_etc_private_pem
from sesame.sandbox.fapiao import create_fapiao_stand_in
from sesame.sandbox.sms import create_sms_stand_in

sandbox_app = typer.Typer(
    help="Stand-ins for outside services. No real money moves.",
    no_args_is_help=True,
    add_completion=False,
)

sandbox_app.command("acquirer")(acquirer_command)
sandbox_app.command("alipay")(alipay_command)
sandbox_app.command("aliyun")(aliyun_command)
sandbox_app.command("etc")(etc_command)
sandbox_app.command("fcm")(fcm_command)
sandbox_app.command("firebase")(firebase_command)
sandbox_app.command("gocardless")(gocardless_command)
sandbox_app.command("oidc")(oidc_command)
sandbox_app.command("stripe")(stripe_command)
sandbox_app.command("twilio")(twilio_command)
sandbox_app.command("web-push")(web_push_command)
sandbox_app.command("wechat")(wechat_command)


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
        private_out.touch(mode=SECRET_FILE_MODE)
        private_out.write_bytes(new_etc_private_pem() if ed25519 else new_private_pem())
    private = private_out.read_bytes()
    public_out.write_text(etc_public_pem(private) if ed25519 else public_pem(private))


@sandbox_app.command("sms")
def sms_command(
    *,
    secret_file: Annotated[
        Path, typer.Option(dir_okay=False, help="File with the shared secret; made if missing.")
    ],
    host: Host = LOOPBACK,
    port: Port = 0,
    json_output: JsonOutput = False,
) -> None:
    """Play the gateway of docs/sms-webhook.md until interrupted.

    GET /_messages, on loopback, shows what came.
    """
    listener, base_url = listen(host, port)
    url = f"{base_url}/messages"
    secret = secret_of(secret_file)
    typer.echo(json.dumps({"url": url}) if json_output else f"SMS stand-in at {url}")
    serve(create_sms_stand_in(secret, SystemClock()), listener)


@sandbox_app.command("fapiao")
def fapiao_command(
    *,
    secret_file: Annotated[
        Path, typer.Option(dir_okay=False, help="File with the shared secret; made if missing.")
    ],
    account: Annotated[str, typer.Option(help="The caller's name on the wire.")] = "sesame",
    host: Host = LOOPBACK,
    port: Port = 0,
    json_output: JsonOutput = False,
) -> None:
    """Play the fapiao service of docs/fapiao-wire.md until interrupted; books in memory.

    POST /_control and GET /_books, on loopback, issue or fail applications and show them.
    """
    listener, url = listen(host, port)
    secret = secret_of(secret_file)
    typer.echo(json.dumps({"url": url}) if json_output else f"Fapiao stand-in at {url}")
    serve(create_fapiao_stand_in(account, secret, SystemClock(), public_url=url), listener)


if __name__ == "__main__":
    sandbox_app()
