"""`sesame sandbox twilio` and `sesame sandbox aliyun`: SMS services to try by hand."""

import json
from pathlib import Path
from typing import Annotated

import typer

from parking.kit.clock import SystemClock
from sesame.commands.stand_in_options import LOOPBACK, Host, JsonOutput, Port
from sesame.commands.stand_in_server import listen, secret_of, serve
from sesame.sandbox.aliyun import AliyunStandIn
from sesame.sandbox.twilio import TwilioStandIn

SecretFile = Annotated[
    Path, typer.Option(dir_okay=False, help="File with the secret; made if missing.")
]


def twilio_command(
    *,
    secret_file: SecretFile,
    auth_token_file: Annotated[
        Path, typer.Option(dir_okay=False, help="File with the auth token; made if missing.")
    ],
    account: Annotated[str, typer.Option(help="The account's SID.")] = "AC" + "0" * 32,
    key: Annotated[str, typer.Option(help="The API key's SID.")] = "SK" + "0" * 32,
    host: Host = LOOPBACK,
    port: Port = 0,
    json_output: JsonOutput = False,
) -> None:
    """Play Twilio's messages until interrupted.

    GET /_messages, POST /_status and POST /_control, on loopback, show and steer it.
    """
    listener, url = listen(host, port)
    stand_in = TwilioStandIn(account, key, secret_of(secret_file), secret_of(auth_token_file))
    report = {"url": url, "account": account, "key": key}
    typer.echo(json.dumps(report) if json_output else f"Twilio stand-in at {url}")
    serve(stand_in.app, listener)


def aliyun_command(
    *,
    secret_file: SecretFile,
    key_id: Annotated[str, typer.Option(help="The access key's id.")] = "sandbox-key",
    host: Host = LOOPBACK,
    port: Port = 0,
    json_output: JsonOutput = False,
) -> None:
    """Play Alibaba Cloud's SMS service until interrupted.

    GET /_messages and POST /_control, on loopback, show and steer it.
    """
    listener, url = listen(host, port)
    stand_in = AliyunStandIn(key_id, secret_of(secret_file), SystemClock())
    report = {"url": url, "key_id": key_id}
    typer.echo(json.dumps(report) if json_output else f"Aliyun stand-in at {url}")
    serve(stand_in.app, listener)
