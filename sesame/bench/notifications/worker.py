"""A job worker that is made to be killed: as `sesame worker`, but what it held is soon free."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from datetime import timedelta

import structlog

from notifications.fcm import FcmPushSender
from notifications.handlers import Notifier, Texting
from parking.kit.errors import InvalidInputError
from sesame.settings import Settings
from sesame.sms import open_sms, sms_policy
from sesame.wiring import open_context
from sesame.worker import WorkerProcess


async def main(claim_s: float) -> None:
    """Work until SIGTERM.

    Args:
        claim_s: How long an attempt may work before another may begin.
    """
    settings, stop = Settings(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if settings.fcm_credentials_file is None:
        raise InvalidInputError("SESAME_FCM_CREDENTIALS_FILE", "a file")
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(open_context(settings))
        sms = await stack.enter_async_context(open_sms(settings))
        push = FcmPushSender(settings.fcm_credentials_file, endpoint=settings.fcm_endpoint)
        stack.push_async_callback(push.aclose)
        notifier = Notifier(
            context.database,
            push,
            texting=None if sms is None else Texting(sms, sms_policy(settings), after=None),
            bus=context.bus,
            claim=timedelta(seconds=claim_s),
        )
        url = settings.require_redis_url()
        process = WorkerProcess(context.database, context.bus, redis_url=url, notifier=notifier)
        await process.run(stop)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    asyncio.run(main(float(sys.argv[1])))
