"""arq as the queue of attempts: it may forget everything, for the outbox does not."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff

from parking.events.relay import Job, QueueUnavailableError
from parking.events.valkey import CONNECT_TIMEOUT_S, SOCKET_TIMEOUT_S, VALKEY_FAILURES
from parking.kit.tasks import end_tasks

QUEUE_NAME: Final = "sesame:{jobs}"
FUNCTION_NAME: Final = "deliver_event"
QUEUE_JOBS_MAX: Final = 500
JOBS_AT_ONCE_MAX: Final = 50
# Longer than a push and then a text take: one that is cut off before it is recorded comes twice.
JOB_TIMEOUT_S: Final = 25
# A job that waited longer was replaced by a later attempt.
JOB_EXPIRY_S: Final = 120
POLL_S: Final = 0.05
CLOSE_S: Final = 2
CONNECTIONS_MAX: Final = 20
POOL_WAIT_S: Final = 5
RETRIES_MAX: Final = 3
RETRY_S_MIN: Final = 0.02
RETRY_S_MAX: Final = 0.5

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobWorker:
    """One arq worker, with the names that we use of it."""

    worker: Worker
    redis: ArqRedis

    async def run(self) -> None:
        """Work until cancelled, or until Valkey is lost."""
        await self.worker.async_run()

    async def drain(self) -> None:
        """Take no new job, and wait until those at work have ended."""
        self.worker.allow_pick_jobs = False
        while any(not task.done() for task in self.worker.tasks.values()):  # noqa: ASYNC110 - arq tells nobody
            await asyncio.sleep(POLL_S)

    async def close(self) -> None:
        """Cancel what is still at work and close the connections.

        arq's own `close` calls what redis-py has deprecated, and fails when Valkey is away.
        """
        await end_tasks(*self.worker.job_tasks.values())
        try:
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(*self.worker.tasks.values(), return_exceptions=True)
                await _close(self.redis)
        except Exception as error:  # noqa: BLE001 - the worker is thrown away, and Valkey may be gone
            _log.info("job_worker_closed_badly", error=repr(error))
        await end_tasks(*self.worker.tasks.values())


class ArqJobQueue:
    """The relay's side of the queue."""

    def __init__(self, url: str) -> None:
        self._redis = connect_queue(url)

    async def put(self, jobs: Sequence[Job]) -> int:
        """Queue jobs from the front of `jobs` while there is room; returns how many.

        Raises:
            QueueUnavailableError: Valkey does not answer.
        """
        try:
            waiting = int(await cast("Any", self._redis).zcard(QUEUE_NAME))
            accepted = jobs[: max(0, QUEUE_JOBS_MAX - waiting)]
            await asyncio.gather(*(self._enqueue(job) for job in accepted))
        except VALKEY_FAILURES as error:
            raise QueueUnavailableError(str(error)) from error
        return len(accepted)

    async def aclose(self) -> None:
        """Close the connections."""
        await _close(self._redis)

    async def _enqueue(self, job: Job) -> None:
        # The same attempt twice is one job: arq refuses an id that it has.
        await self._redis.enqueue_job(
            FUNCTION_NAME,
            str(job.owner_id),
            str(job.event_id),
            job.attempt,
            _job_id=job.id,
            _expires=JOB_EXPIRY_S,
        )


def job_worker(
    url: str, deliver: Callable[[Job], Awaitable[None]], *, started: Callable[[], None]
) -> JobWorker:
    """Return a worker that gives each job to `deliver`; a failed one waits for its next attempt."""

    async def deliver_event(
        _context: dict[Any, Any], owner_id: str, event_id: str, attempt: int
    ) -> None:
        try:
            await deliver(Job(UUID(owner_id), UUID(event_id), attempt))
        except Exception as error:  # noqa: BLE001 - one job's failure is the outbox's to repeat
            _log.warning(
                "event_delivery_failed",
                event_id=event_id,
                attempt=attempt,
                error=repr(error),
                exc_info=True,
            )

    async def on_startup(ctx: dict[Any, Any]) -> None:
        _ = ctx
        started()

    redis = connect_queue(url)
    worker = Worker(
        functions=[func(cast("Any", deliver_event), name=FUNCTION_NAME)],
        queue_name=QUEUE_NAME,
        redis_pool=redis,
        on_startup=on_startup,
        handle_signals=False,
        max_jobs=JOBS_AT_ONCE_MAX,
        job_timeout=JOB_TIMEOUT_S,
        keep_result=0,
        poll_delay=POLL_S,
        job_serializer=write_job,
        job_deserializer=read_job,
        log_results=False,
    )
    return JobWorker(worker, redis)


def connect_queue(url: str) -> ArqRedis:
    """Return the connections of a queue."""
    pool: Any = cast("Any", BlockingConnectionPool).from_url(
        url,
        max_connections=CONNECTIONS_MAX,
        timeout=POOL_WAIT_S,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(ExponentialBackoff(cap=RETRY_S_MAX, base=RETRY_S_MIN), RETRIES_MAX),
        # A restarting server refuses connections, which redis-py alone does not repeat.
        retry_on_error=list(VALKEY_FAILURES),
    )
    return ArqRedis(
        pool_or_conn=pool,
        job_serializer=write_job,
        job_deserializer=read_job,
        default_queue_name=QUEUE_NAME,
    )


async def _close(redis: ArqRedis) -> None:
    await cast("Any", redis).aclose(close_connection_pool=True)


def write_job(job: dict[str, Any]) -> bytes:
    """Return a job as the queue keeps it."""
    # arq also serializes the exceptions of failed jobs, for results that nobody keeps.
    return json.dumps(job, default=repr).encode()


def read_job(body: bytes) -> dict[str, Any]:
    """Return a job that the queue kept."""
    return json.loads(body)
