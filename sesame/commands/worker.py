"""`sesame worker`: relay, notifications and periodic tasks."""

import asyncio
import signal
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Annotated

import typer
import uvloop
from prometheus_client import start_http_server

from notifications.handlers import Notifier, Texting
from notifications.push import PushSender
from parking.events import outbox
from sesame.cron import cron_tasks
from sesame.periodic import periodic_tasks
from sesame.settings import Settings
from sesame.sms import open_sms, sms_policy
from sesame.web_push import open_web_push
from sesame.wiring import open_context
from sesame.worker import WorkerProcess

CONNECTIONS_MAX = 12


def worker_command(
    *,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Serve metrics on this loopback port; 0: do not.")
    ] = 0,
    retry_parked: Annotated[
        bool,
        typer.Option(
            "--retry-parked", help="Only try the events again that nobody could take, and end."
        ),
    ] = False,
) -> None:
    """Publish events, push notifications and repeat what must be repeated, until SIGTERM."""
    settings = Settings()
    if retry_parked:
        typer.echo(f"Events to try again: {uvloop.run(_retry_parked(settings))}")
        return
    if metrics_port:
        start_http_server(metrics_port, addr="127.0.0.1")
    uvloop.run(_work(settings))


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(
            open_context(settings, connections_max=CONNECTIONS_MAX)
        )
        process = WorkerProcess(
            context.database,
            context.bus,
            redis_url=settings.require_redis_url(),
            notifier=Notifier(
                context.database,
                _push_sender(settings, stack),
                web_push=await stack.enter_async_context(open_web_push(settings)),
                texting=await _texting(settings, stack),
                bus=context.bus,
            ),
            periodic=periodic_tasks(context),
            cron=cron_tasks(context),
        )
        await process.run(stop)


async def _retry_parked(settings: Settings) -> int:
    async with open_context(settings) as context, context.database.begin() as unit:
        return await outbox.resume_parked(unit)


async def _texting(settings: Settings, stack: AsyncExitStack) -> Texting | None:
    sender = await stack.enter_async_context(open_sms(settings))
    if sender is None:
        return None
    minutes = settings.sms_after_minutes
    after = timedelta(minutes=minutes) if minutes else None
    return Texting(sender, sms_policy(settings), after)


def _push_sender(settings: Settings, stack: AsyncExitStack) -> PushSender | None:
    if settings.fcm_credentials_file is None:
        return None
    # firebase-admin takes seconds to load, and only a worker that pushes needs it.
    from notifications.fcm import FcmPushSender  # noqa: PLC0415

    sender = FcmPushSender(settings.fcm_credentials_file, endpoint=settings.fcm_endpoint)
    stack.push_async_callback(sender.aclose)
    return sender
