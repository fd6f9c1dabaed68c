"""From the outbox to the world: pokes for whoever watches now, jobs for whoever must be told.

Any number of relays run at once. Each event is leased, told, and marked; a relay, a Valkey or a
queue that dies in between costs one lease, never an event.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog
from prometheus_client import Counter

from parking.events import outbox
from parking.events.bus import Bus
from parking.events.envelope import Event
from parking.events.listener import Listener
from parking.events.outage import Outage
from parking.events.outbox import LeasedEvent
from parking.events.pokes import RELAY_CHANNEL, channels_of, poke_of
from parking.kit.database import Database
from parking.kit.errors import UnavailableError

IDLE_S_MIN: Final = 0.05
IDLE_S_MAX: Final = 0.5
# How long an event rests that neither Valkey nor the queue could take.
RELEASE_REST: Final = timedelta(seconds=1)

_RELAYED: Final = Counter(
    "sesame_outbox_relayed", "Events leased, by what became of them", ["became"]
)
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class QueueUnavailableError(UnavailableError):
    """The job queue does not answer; whether it took the jobs is unknown."""

    code = "QUEUE_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt to deliver one event."""

    owner_id: UUID
    event_id: UUID
    attempt: int

    @property
    def id(self) -> str:
        """The same for the same attempt, so that queueing twice is queueing once."""
        return f"ob:{self.event_id}:{self.attempt}"


class JobQueue(Protocol):
    """Where attempts wait for a worker. It may forget; it has a named maximum."""

    async def put(self, jobs: Sequence[Job]) -> int:
        """Queue jobs from the front of `jobs` while there is room; returns how many.

        Raises:
            QueueUnavailableError: the queue does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class RelayStep:
    """What became of the events of one lease."""

    leased: int = 0
    done: int = 0
    queued: int = 0
    released: int = 0
    parked: int = 0

    def count(self) -> None:
        """Add these to the metrics of the process."""
        for became in ("done", "queued", "released", "parked"):
            _RELAYED.labels(became).inc(getattr(self, became))


class Relay:
    """One loop over the outbox.

    Args:
        database: Where the outbox is.
        bus: Where pokes go, and where wake-ups come from.
        queue: Where attempts at durable events go.
        is_durable: Whether somebody must be told of an event; others are done once poked.
    """

    def __init__(
        self, database: Database, bus: Bus, queue: JobQueue, *, is_durable: Callable[[Event], bool]
    ) -> None:
        self._database = database
        self._bus = bus
        self._queue = queue
        self._is_durable = is_durable
        self._outage = Outage("event relay")

    async def run(self) -> None:
        """Relay until cancelled or until the bus closes; lost servers are waited for."""
        idle_s = IDLE_S_MIN
        async with self._bus.listen(RELAY_CHANNEL) as wake_ups:
            while True:
                try:
                    step = await self.step()
                    self._outage.ended()
                except Exception as error:  # noqa: BLE001 - the loop outlives PostgreSQL's restarts and defects alike
                    await asyncio.sleep(self._outage.failed(error))
                    continue
                if step.released:
                    await asyncio.sleep(IDLE_S_MAX)
                elif step.leased < outbox.LEASE_ROWS_MAX:
                    idle_s = IDLE_S_MIN if step.leased else min(idle_s * 2, IDLE_S_MAX)
                    await _wait(wake_ups, idle_s)

    async def step(self) -> RelayStep:
        """Lease what is due and pass it on, once."""
        async with self._database.begin() as unit:
            leased = await outbox.lease(unit)
        if not leased:
            return RelayStep()
        exhausted = [one for one in leased if one.attempt > outbox.ATTEMPTS_MAX]
        live = [one for one in leased if one.attempt <= outbox.ATTEMPTS_MAX]
        done, queued, released = await self._pass_on(live)
        async with self._database.begin() as unit:
            await outbox.finish(unit, done)
            await outbox.release(unit, released, unit.now() + RELEASE_REST)
            await outbox.park(unit, exhausted)
        _report_parked(exhausted)
        step = RelayStep(len(leased), len(done), len(queued), len(released), len(exhausted))
        step.count()
        return step

    async def _pass_on(
        self, leased: Sequence[LeasedEvent]
    ) -> tuple[Sequence[LeasedEvent], Sequence[LeasedEvent], Sequence[LeasedEvent]]:
        """Return the events that are done, those that are queued, and those to give back."""
        pokes = [
            (channel, poke_of(one.event)) for one in leased for channel in channels_of(one.event)
        ]
        if not await self._bus.publish(pokes):
            return [], [], leased
        durable = [one for one in leased if self._is_durable(one.event)]
        done = [one for one in leased if not self._is_durable(one.event)]
        accepted = await self._enqueue(durable)
        return done, durable[:accepted], durable[accepted:]

    async def _enqueue(self, leased: Sequence[LeasedEvent]) -> int:
        jobs = [Job(one.event.owner_id, one.event.id, one.attempt) for one in leased]
        if not jobs:
            return 0
        try:
            return await self._queue.put(jobs)
        except QueueUnavailableError as error:
            _log.warning("queue_unavailable", jobs=len(jobs), error=str(error))
            return 0


async def _wait(wake_ups: Listener, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake_ups.next()
    except TimeoutError:
        pass


def _report_parked(parked: Sequence[LeasedEvent]) -> None:
    for one in parked:
        _log.error(
            "event_parked",
            event_id=str(one.event.id),
            owner_id=str(one.event.owner_id),
            type=one.event.type,
            attempts=one.attempt - 1,
        )
