"""`sesame sandbox fcm` and `sesame sandbox firebase`: what Google does for an app, by hand."""

import json
from pathlib import Path
from typing import Annotated

import typer

from parking.kit.clock import SystemClock
from sesame.commands.stand_in_options import LOOPBACK, Host, JsonOutput, Port
from sesame.commands.stand_in_server import SECRET_FILE_MODE, listen, serve
from sesame.sandbox.fcm import create_fcm_stand_in, load_service_account, new_service_account
from sesame.sandbox.fcm.grant import ServiceAccount
from sesame.sandbox.firebase import FirebaseStandIn

CredentialsOut = Annotated[
    Path, typer.Option(help="Service account's file to write; the key of an older one is kept.")
]
Project = Annotated[str, typer.Option(help="Firebase project's id.")]
_PROJECT = "sesame-sandbox"


def fcm_command(
    *,
    credentials_out: CredentialsOut,
    project: Project = _PROJECT,
    host: Host = LOOPBACK,
    port: Port = 0,
    json_output: JsonOutput = False,
) -> None:
    """Play Google's token endpoint and Firebase Cloud Messaging until interrupted.

    POST /_control and GET /_log, on loopback, make it misbehave and show what came.
    """
    listener, url = listen(host, port)
    account = _account(credentials_out, project, url)
    report = {"url": url, "project": account.project_id, "credentials": str(credentials_out)}
    typer.echo(json.dumps(report) if json_output else f"FCM stand-in at {url}")
    serve(create_fcm_stand_in(account, SystemClock()), listener)


def firebase_command(
    *,
    credentials_out: CredentialsOut,
    project: Project = _PROJECT,
    host: Host = LOOPBACK,
    port: Port = 0,
    json_output: JsonOutput = False,
) -> None:
    """Play Firebase Authentication until interrupted: certificates, users and their ID tokens.

    POST /_users, on loopback, adds or changes a user and answers with a token to sign in with.
    """
    listener, url = listen(host, port)
    account = _account(credentials_out, project, url)
    report = {
        "url": url,
        "project": account.project_id,
        "credentials": str(credentials_out),
        "certificates": f"{url}/certificates",
    }
    typer.echo(json.dumps(report) if json_output else f"Firebase stand-in at {url}")
    serve(FirebaseStandIn(account, SystemClock()).app, listener)


def _account(credentials_out: Path, project: str, url: str) -> ServiceAccount:
    try:
        account = (
            load_service_account(credentials_out.read_text(encoding="ascii"))
            if credentials_out.exists()
            else new_service_account(project)
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--credentials-out") from error
    credentials_out.touch(mode=SECRET_FILE_MODE)
    credentials_out.write_text(account.to_json(url), encoding="ascii")
    return account
