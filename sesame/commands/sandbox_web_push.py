"""`sesame sandbox web-push`: a browser with its push service."""

import json

import typer

from parking.kit.clock import SystemClock
from sesame.commands.stand_in_options import LOOPBACK, Host, JsonOutput, Port
from sesame.commands.stand_in_server import listen, serve
from sesame.sandbox.web_push import WebPushStandIn


def web_push_command(
    *, host: Host = LOOPBACK, port: Port = 0, json_output: JsonOutput = False
) -> None:
    """Play a browser and its push service until interrupted; says what to register for it.

    GET /_messages, on loopback, shows what came, opened with the browser's key.
    """
    listener, url = listen(host, port)
    browser = WebPushStandIn(SystemClock())
    report = {"url": url, "endpoint": f"{url}/push/browser", "keys": browser.keys}
    said = json.dumps(report)
    typer.echo(said if json_output else f"Push service: {said}")
    serve(browser.app, listener)
