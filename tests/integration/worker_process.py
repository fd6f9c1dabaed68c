"""A worker for tests that kill it: as `sesame worker`, but an attempt may work for 3 s."""

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

from notifications.fcm import FcmPushSender
from notifications.handlers import Notifier
from parking.events.bus import Bus, open_valkey
from parking.kit.clock import SystemClock
from parking.kit.database import Database
from sesame.worker import WorkerProcess
from tests.integration.notification_stage import VAULT


async def main() -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    redis = open_valkey(os.environ["REDIS_URL"])
    bus = Bus(redis)
    database = Database(
        os.environ["DATABASE_URL"], clock=SystemClock(), vault=VAULT, after_events=bus.wake_relay
    )
    push = FcmPushSender(
        Path(os.environ["SESAME_FCM_CREDENTIALS_FILE"]), endpoint=os.environ["SESAME_FCM_ENDPOINT"]
    )
    notifier = Notifier(database, push, claim=timedelta(seconds=3))
    process = WorkerProcess(database, bus, redis_url=os.environ["REDIS_URL"], notifier=notifier)
    await process.run(stop)
    await push.aclose()
    await bus.close()
    await redis.aclose()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main())
