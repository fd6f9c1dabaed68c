"""What workers do at set minutes of the hour: arq says when, and lets one worker do it.

It has a queue of its own: arq keeps the mark of a job at work as long as the longest job of its
queue may take, and a driver's push must not wait for that after a worker died.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast

import structlog
from arq.cron import cron
from arq.worker import Worker

from parking.flows import occupancy_recount
from parking.flows.accounts import deletion
from parking.flows.campaigns import noticing, scheduling
from parking.flows.context import ParkingContext
from parking.flows.guidance import sampling
from parking.flows.reconciliation import nightly
from parking.flows.retention import purging
from sesame.job_queue import JobWorker, connect_queue, read_job, write_job

QUEUE_NAME: Final = "sesame:{cron}"
POLL_S: Final = 1.0
JOBS_AT_ONCE_MAX: Final = 4
# Every quarter of an hour: a settlement file that was not there is asked for again soon.
RECONCILE_MINUTES: Final = frozenset({4, 19, 34, 49})
# As long as a worker holds the day that it compares.
RECONCILE_TIMEOUT_S: Final = nightly.LEASE.total_seconds()
# Off the minutes of the other one.
RECOUNT_MINUTES: Final = frozenset({11, 26, 41, 56})
RECOUNT_TIMEOUT_S: Final = 600.0
ERASURE_MINUTES: Final = frozenset({7, 22, 37, 52})
ERASURE_TIMEOUT_S: Final = 600.0
# Each falls into the middle half of an hour somewhere: some clocks are half an hour off.
SAMPLING_MINUTES: Final = frozenset({1, 16, 31, 46})
SAMPLING_TIMEOUT_S: Final = 600.0
AUDIENCE_MINUTES: Final = frozenset({44})
AUDIENCE_TIMEOUT_S: Final = 1800.0
RETENTION_MINUTES: Final = frozenset({23})
RETENTION_TIMEOUT_S: Final = 1800.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CronTask:
    """A call that one worker makes at these minutes of every hour, and when a worker starts."""

    name: str
    minutes: frozenset[int]
    timeout_s: float
    call: Callable[[], Awaitable[object]]


def cron_tasks(context: ParkingContext) -> list[CronTask]:
    """Return what the workers of an installation do by the clock."""
    reconcile = partial(nightly.reconcile_due, context)
    recount = partial(occupancy_recount.recount_due, context)
    retain = partial(purging.apply, context.database, context.retention)
    erase = partial(deletion.sweep, context)
    end_done = partial(scheduling.end_done, context)
    refresh = partial(noticing.refresh_stale, context)
    sample = partial(sampling.sample_due, context)
    return [
        CronTask("deleted accounts", ERASURE_MINUTES, ERASURE_TIMEOUT_S, erase),
        CronTask("reconciliation", RECONCILE_MINUTES, RECONCILE_TIMEOUT_S, reconcile),
        CronTask("recount", RECOUNT_MINUTES, RECOUNT_TIMEOUT_S, recount),
        CronTask("usual occupancy", SAMPLING_MINUTES, SAMPLING_TIMEOUT_S, sample),
        CronTask("audience", AUDIENCE_MINUTES, AUDIENCE_TIMEOUT_S, refresh),
        CronTask("done campaigns", AUDIENCE_MINUTES, AUDIENCE_TIMEOUT_S, end_done),
        CronTask("retention", RETENTION_MINUTES, RETENTION_TIMEOUT_S, retain),
    ]


def cron_worker(url: str, tasks: Sequence[CronTask], *, started: Callable[[], None]) -> JobWorker:
    """Return a worker that makes the calls; one that fails is made again at its next minute."""

    async def on_startup(ctx: Mapping[Any, Any]) -> None:
        _ = ctx
        started()

    redis = connect_queue(url)
    worker = Worker(
        cron_jobs=[
            cron(
                cast("Any", partial(_make, task)),
                name=task.name,
                minute=set(task.minutes),
                timeout=task.timeout_s,
                run_at_startup=True,
            )
            for task in tasks
        ],
        queue_name=QUEUE_NAME,
        redis_pool=redis,
        on_startup=cast("Any", on_startup),
        handle_signals=False,
        max_jobs=JOBS_AT_ONCE_MAX,
        keep_result=0,
        poll_delay=POLL_S,
        job_serializer=write_job,
        job_deserializer=read_job,
        log_results=False,
    )
    return JobWorker(worker, redis)


async def _make(task: CronTask, ctx: Mapping[Any, Any]) -> None:
    _ = ctx
    try:
        await task.call()
    except Exception as error:  # noqa: BLE001 - its next minute comes, and others must go on
        _log.warning("cron_task_failed", task=task.name, error=repr(error), exc_info=True)
