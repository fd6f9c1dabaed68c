"""`sesame sandbox stripe`: the stand-in for Stripe."""

import json
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
from sesame.sandbox.platform import RETRY_MS
from sesame.sandbox.stripe import Options, create_stand_in

SECRET_KEY = "sk_test_sandbox"  # noqa: S105 - what everybody may know
WEBHOOK_SECRET = "whsec_sandbox"  # noqa: S105 - see above


def stripe_command(  # noqa: PLR0913 - one parameter for each command-line option
    *,
    data: Data,
    secret_key: Annotated[
        str, typer.Option(help="The key that calls must bring; sk_live_… plays live mode.")
    ] = SECRET_KEY,
    webhook_secret: Annotated[
        list[str] | None,
        typer.Option(help="What signs events; repeat it for a secret that is being replaced."),
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="Play for this connected account, acct_….")
    ] = None,
    host: Host = LOOPBACK,
    port: Port = 0,
    public_url: PublicUrl = None,
    notice_url: NoticeUrl = None,
    notice_retry_ms: NoticeRetryMs = RETRY_MS,
    json_output: JsonOutput = False,
) -> None:
    """Play the part of Stripe of docs/payments/stripe.md until interrupted.

    POST /_control and GET /_books, on loopback, make it misbehave and show its books.
    """
    listener, url = listen(host, port)
    secrets = tuple(webhook_secret or [WEBHOOK_SECRET])
    options = Options(
        data=data,
        secret_key=secret_key,
        webhook_secrets=secrets,
        public_url=(public_url or url).rstrip("/"),
        notice_url=notice_url,
        notice_retry_ms=notice_retry_ms,
        connected=account,
    )
    app = create_stand_in(options, SystemClock())
    report = {
        "SESAME_STRIPE_URL": url,
        "SESAME_STRIPE_SECRET_KEY": secret_key,
        "SESAME_STRIPE_WEBHOOK_SECRETS": ",".join(secrets),
        **({"SESAME_STRIPE_ACCOUNT": account} if account else {}),
    }
    typer.echo(json.dumps(report) if json_output else f"Stripe stand-in at {url}")
    serve(app, listener)
