"""What workers do by the clock: through arq, once, and whatever fails beside it."""

import asyncio

from notifications.handlers import Notifier
from parking.events.bus import Bus, open_valkey
from parking.kit.clock import SystemClock
from parking.kit.database import Database
from parking.kit.tasks import end_tasks
from sesame.cron import CronTask
from sesame.worker import WorkerProcess
from tests.integration.notification_stage import VAULT

WAIT_S = 60
EVERY_MINUTE = frozenset(range(60))


async def test_a_started_worker_does_at_once_what_the_clock_asks_for(
    database_url: str, valkey_url: str
) -> None:
    done, failed = asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise OSError("on purpose")

    async def work() -> None:
        await failed.wait()
        done.set()

    redis = open_valkey(valkey_url)
    bus = Bus(redis)
    database = Database(database_url, clock=SystemClock(), vault=VAULT)
    process = WorkerProcess(
        database,
        bus,
        redis_url=valkey_url,
        notifier=Notifier(database, None),
        cron=[
            CronTask("failing", EVERY_MINUTE, 30, fail),
            CronTask("working", EVERY_MINUTE, 30, work),
        ],
    )
    stop = asyncio.Event()
    running = asyncio.create_task(process.run(stop))
    try:
        async with asyncio.timeout(WAIT_S):
            await done.wait()
            stop.set()
            await running
    finally:
        await end_tasks(running)
        await bus.close()
        await redis.aclose()
        await database.close()
