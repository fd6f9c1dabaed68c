"""`sesame sandbox oidc`: a stand-in for the provider that staff sign in with."""

import json
from pathlib import Path
from typing import Annotated

import typer

from parking.kit.clock import SystemClock
from sesame.commands.stand_in_options import LOOPBACK, Host, JsonOutput, Port
from sesame.commands.stand_in_server import listen, secret_of, serve
from sesame.sandbox.oidc import OidcOptions, OidcStandIn


def oidc_command(
    *,
    account: Annotated[list[str], typer.Option(help="An address; once for each account.")],
    client_secret_file: Annotated[
        Path, typer.Option(dir_okay=False, help="File with the client's secret; made if missing.")
    ],
    client_id: Annotated[str, typer.Option(help="By which it knows us.")] = "sesame",
    redirect_uri: Annotated[
        str, typer.Option(help="Where browsers come back to.")
    ] = "http://127.0.0.1:8080/staff/sign-in/callback",
    host: Host = LOOPBACK,
    port: Port = 0,
    json_output: JsonOutput = False,
) -> None:
    """Play an OpenID Connect provider until interrupted; whoever comes picks an account.

    POST /_control, on loopback, takes a new key and changes the claims of the next tokens.
    """
    listener, url = listen(host, port)
    secret = secret_of(client_secret_file)
    options = OidcOptions(client_id, secret, redirect_uri, tuple(account))
    typer.echo(json.dumps({"url": url}) if json_output else f"Sign-in provider at {url}")
    serve(OidcStandIn(options, SystemClock(), url).app(), listener)
