"""The job worker: relay, arq and periodic tasks in one process, of which there may be many."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final

import structlog

from notifications.handlers import Notifier
from parking.events import outbox
from parking.events.bus import Bus
from parking.events.envelope import Event
from parking.events.outage import Outage
from parking.events.relay import Job, Relay
from parking.flows.habits import learning
from parking.kit.database import Database
from parking.kit.tasks import end_tasks
from sesame.cron import CronTask, cron_worker
from sesame.job_queue import ArqJobQueue, JobWorker, job_worker
from sesame.periodic import PeriodicTask

# Longer than a push takes, shorter than what orchestrators give a process after SIGTERM.
DRAIN_S: Final = 14.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class WorkerProcess:
    """What one worker process runs.

    Args:
        database: Where events are.
        bus: Of this process.
        redis_url: Where the job queue is.
        notifier: Tells drivers.
        learns: Whether it learns habits from events, of drivers who allowed it.
        periodic: What to repeat.
        cron: What one worker does at set minutes.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        *,
        redis_url: str,
        notifier: Notifier,
        learns: bool = True,
        periodic: Sequence[PeriodicTask] = (),
        cron: Sequence[CronTask] = (),
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._learns = learns
        self._queue = ArqJobQueue(redis_url)
        self._relay = Relay(database, bus, self._queue, is_durable=self._wants)
        self._redis_url = redis_url
        self._periodic = periodic
        self._cron = cron
        self._current: JobWorker | None = None
        self._current_cron: JobWorker | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; jobs at work then end, new ones stay in the queue.

        Raises:
            RuntimeError: a part ended by itself, which is a defect; the process should end too.
        """
        sources = self._start(
            {"relay": self._relay.run()} | {task.name: task.run() for task in self._periodic}
        )
        working = self._start({"job worker": self._keep_working()})
        if self._cron:
            # What it leaves undone is in PostgreSQL, so that nobody waits for its end.
            sources += self._start({"cron worker": self._keep_cron()})
        stopping = asyncio.create_task(stop.wait())
        _log.info("worker_started", periodic=[task.name for task in self._periodic])
        try:
            await asyncio.wait([stopping, *sources, *working], return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                raise RuntimeError("a part of the worker ended by itself")
            await end_tasks(*sources)
            await self._drain()
        finally:
            await end_tasks(stopping, *sources, *working)
            for worker in (self._current, self._current_cron):
                if worker is not None:
                    await worker.close()
            await self._queue.aclose()
        _log.info("worker_stopped")

    def _start(self, parts: Mapping[str, Coroutine[Any, Any, None]]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(part, name=name) for name, part in parts.items()]

    def _wants(self, event: Event) -> bool:
        return self._notifier.wants(event) or (self._learns and learning.wants(event))

    async def _deliver(self, job: Job) -> None:
        if self._learns:
            # Before the notifier, which says that the event is done: learning twice is learning
            # once, and an event that could not be learned from comes again.
            async with self._database.begin() as unit:
                event = await outbox.find(unit, job.owner_id, job.event_id)
                if event is not None:
                    await learning.learn(unit, event)
        await self._notifier.deliver(job)

    async def _keep_working(self) -> None:
        outage = Outage("job worker")
        while True:
            self._current = job_worker(self._redis_url, self._deliver, started=outage.ended)
            try:
                await self._current.run()
            except Exception as error:  # noqa: BLE001 - arq gives up when Valkey goes away; a new worker is the cure
                await self._current.close()
                await asyncio.sleep(outage.failed(error))

    async def _keep_cron(self) -> None:
        outage = Outage("cron worker")
        while True:
            self._current_cron = cron_worker(self._redis_url, self._cron, started=outage.ended)
            try:
                await self._current_cron.run()
            except Exception as error:  # noqa: BLE001 - arq gives up when Valkey goes away; a new worker is the cure
                await self._current_cron.close()
                await asyncio.sleep(outage.failed(error))

    async def _drain(self) -> None:
        if self._current is None:
            return
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._current.drain()
        except TimeoutError:
            _log.warning("worker_stopped_with_jobs_at_work", after_s=DRAIN_S)
