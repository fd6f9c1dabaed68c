"""`sesame sandbox wechat`: the stand-in for WeChat Pay."""

import json
from pathlib import Path
from typing import Annotated

import typer

from parking.kit.clock import SystemClock
from sesame.commands.stand_in_options import LOOPBACK, Data, Host, JsonOutput, Port, PublicUrl
from sesame.commands.stand_in_server import listen, secret_of, serve
from sesame.sandbox.wechat import Account, Options, create_stand_in
from sesame.sandbox.wechat.app import ACCOUNT_APP, APP, MERCHANT, SERIAL

AccountSecretFile = Annotated[
    Path | None,
    typer.Option(
        help="File with the official account's secret; made if missing. Without it nobody pays "
        "inside WeChat."
    ),
]
PageHost = Annotated[
    str, typer.Option(help="Host of the merchant's pages, from which payers come.")
]


def wechat_command(  # noqa: PLR0913 - one parameter for each command-line option
    *,
    data: Data,
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
    account_secret_file: AccountSecretFile = None,
    page_host: PageHost = LOOPBACK,
    host: Host = LOOPBACK,
    port: Port = 0,
    public_url: PublicUrl = None,
    json_output: JsonOutput = False,
) -> None:
    """Play WeChat Pay of docs/payments/wechat.md until interrupted.

    Notices go to each order's own notify_url.

    POST /_control and GET /_books, on loopback, make it misbehave and show its books.
    """
    listener, url = listen(host, port)
    options = Options(
        data=data,
        merchant=merchant,
        sub_merchant=sub_merchant,
        merchant_keys_pem={key_serial: merchant_key.read_bytes()},
        api_key=secret_of(api_key_file),
        account=_account(account_secret_file, page_host),
        page_host=page_host,
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
        **({"SESAME_WECHAT_SUB_MERCHANT": sub_merchant} if sub_merchant else {}),
        **_account_variables(url, account_secret_file),
    }
    typer.echo(json.dumps(report) if json_output else f"WeChat Pay stand-in at {url}")
    serve(stand_in.app, listener)


def _account(secret_file: Path | None, page_host: str) -> Account | None:
    if secret_file is None:
        return None
    return Account(app=ACCOUNT_APP, secret=secret_of(secret_file), page_host=page_host)


def _account_variables(url: str, secret_file: Path | None) -> dict[str, str]:
    if secret_file is None:
        return {}
    return {
        "SESAME_WECHAT_ACCOUNT_APP": ACCOUNT_APP,
        "SESAME_WECHAT_ACCOUNT_SECRET_FILE": str(secret_file),
        "SESAME_WECHAT_ACCOUNT_PAGE_URL": url,
        "SESAME_WECHAT_ACCOUNT_API_URL": url,
    }
