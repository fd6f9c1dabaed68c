"""`sesame gates serve`: the bridge."""

import gc
from typing import Annotated, Final

import typer
import uvloop

from gate_bridge.options import BridgeOptions
from gate_bridge.server import GateBridge
from parking.flows.gate_identity import GateIdentityFlows
from parking.flows.lane import LaneFlows
from parking.kit.errors import ParkingError
from sesame.commands.ending import failure, stop_on_signals
from sesame.settings import Settings
from sesame.wiring import open_context

# Thousands of connections are a million objects, and a look through all of them for cycles keeps
# every car waiting for half a second. Few looks: what ends here mostly ends without one.
_COLLECTOR_THRESHOLDS: Final = (5_000, 10, 10)


def serve_command(
    *,
    host: Annotated[str | None, typer.Option(help="Address; default SESAME_GATES_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; default SESAME_GATES_PORT.")] = None,
    plain_allowed: Annotated[
        bool,
        typer.Option(
            "--plain-allowed", help="Listen without TLS beyond loopback, behind a TLS proxy."
        ),
    ] = False,
) -> None:
    """Run the gate bridge until SIGTERM: agents connect to it, cars are read and let through."""
    settings = Settings()
    options = BridgeOptions(
        host=host or settings.gates_host,
        port=settings.gates_port if port is None else port,
        tls_cert=settings.gates_tls_cert,
        tls_key=settings.gates_tls_key,
        plain_allowed=plain_allowed,
        probe_host=settings.gates_probe_host,
        probe_port=settings.gates_probe_port,
    )
    try:
        uvloop.run(_serve(settings, options))
    except (ParkingError, OSError) as error:
        raise failure(error) from error


async def _serve(settings: Settings, options: BridgeOptions) -> None:
    options.check()
    stop = stop_on_signals()
    async with (
        open_context(settings) as context,
        GateBridge(
            LaneFlows(context),
            settings.require_redis_url(),
            options,
            context.clock,
            identity=GateIdentityFlows(context),
        ),
    ):
        # Everything loaded so far lives to the end: the collector need never look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECTOR_THRESHOLDS)
        await stop.wait()
