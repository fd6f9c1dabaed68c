"""The relay on real servers: every event is told, whatever dies in between."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import pytest

from parking.events import outbox
from parking.events.bus import Bus, Listener, Poke, open_valkey
from parking.events.envelope import Event
from parking.events.pokes import session_channel
from parking.events.relay import Job, QueueUnavailableError, Relay, RelayStep
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.crypto import Vault
from parking.kit.database import Database
from parking.kit.ids import new_id
from parking.kit.tasks import end_tasks
from sesame.embedded.server import Server
from sesame.embedded.stack import Stack
from tests.servers import fetch_value, valkey_client

WAIT_S: Final = 20
OWNER: Final = UUID(int=7)
SESSION: Final = UUID(int=8)
START: Final = SystemClock().now()
VAULT: Final = Vault(field_key=b"f" * 32, index_key=b"i" * 32)


class RecordingQueue:
    """A queue that keeps what it gets, has a limit, and can be away."""

    def __init__(self, room: int = 1000) -> None:
        self.jobs: list[Job] = []
        self.room = room
        self.is_away = False

    async def put(self, jobs: Sequence[Job]) -> int:
        if self.is_away:
            raise QueueUnavailableError("away")
        accepted = list(jobs)[: self.room]
        self.room -= len(accepted)
        self.jobs += accepted
        return len(accepted)


def _is_durable(event: Event) -> bool:
    return event.type == "PaymentCharged"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def bus(valkey_url: str) -> AsyncGenerator[Bus]:
    redis = open_valkey(valkey_url)
    bus = Bus(redis)
    yield bus
    await bus.close()
    await redis.aclose()


@pytest.fixture
async def database(database_url: str, clock: ManualClock, bus: Bus) -> AsyncGenerator[Database]:
    database = Database(
        database_url, clock=clock, vault=VAULT, connections_max=4, after_events=bus.wake_relay
    )
    yield database
    await database.close()


@pytest.fixture
def queue() -> RecordingQueue:
    return RecordingQueue()


@pytest.fixture
def relay(database: Database, bus: Bus, queue: RecordingQueue) -> Relay:
    return Relay(database, bus, queue, is_durable=_is_durable)


def _event(event_type: str, at: datetime = START, session_id: UUID = SESSION) -> Event:
    return Event(new_id(at), event_type, OWNER, session_id, at, {}, version=1)


async def _append(database: Database, *events: Event) -> None:
    async with database.begin() as unit:
        for event in events:
            outbox.append(unit, event)


async def _hear(listener: Listener, count: int) -> list[UUID]:
    pokes = [await listener.next() for _ in range(count)]
    return [poke.event_id for poke in pokes if isinstance(poke, Poke)]


async def test_an_event_is_poked_and_done(relay: Relay, database: Database, bus: Bus) -> None:
    event = _event("SessionEntered")
    async with asyncio.timeout(WAIT_S), bus.listen(session_channel(SESSION)) as listener:
        await _append(database, event)
        assert await relay.step() == RelayStep(leased=1, done=1)
        assert await _hear(listener, 1) == [event.id]
    assert await relay.step() == RelayStep()


async def test_a_durable_event_is_queued_and_stays_open(
    relay: Relay, database: Database, queue: RecordingQueue, clock: ManualClock
) -> None:
    event = _event("PaymentCharged")
    await _append(database, event)
    assert await relay.step() == RelayStep(leased=1, queued=1)
    assert queue.jobs == [Job(OWNER, event.id, 1)]
    assert queue.jobs[0].id == f"ob:{event.id}:1"
    assert await relay.step() == RelayStep()
    clock.advance(outbox.LEASE)
    assert await relay.step() == RelayStep(leased=1, queued=1)
    assert queue.jobs[1] == Job(OWNER, event.id, 2)
    async with database.begin() as unit:
        assert await outbox.mark_done(unit, OWNER, event.id)
        assert not await outbox.mark_done(unit, OWNER, event.id)
    clock.advance(timedelta(days=1))
    assert await relay.step() == RelayStep()


async def test_an_away_or_full_queue_costs_no_attempt(
    relay: Relay, database: Database, queue: RecordingQueue, clock: ManualClock
) -> None:
    first, second = _event("PaymentCharged"), _event("PaymentCharged", START + timedelta(seconds=1))
    await _append(database, first, second)
    queue.is_away = True
    for _ in range(outbox.ATTEMPTS_MAX + 5):
        assert await relay.step() == RelayStep(leased=2, released=2)
        clock.advance(timedelta(seconds=2))
    queue.is_away = False
    queue.room = 1
    assert await relay.step() == RelayStep(leased=2, queued=1, released=1)
    clock.advance(timedelta(seconds=2))
    queue.room = 1
    assert await relay.step() == RelayStep(leased=1, queued=1)
    assert queue.jobs == [Job(OWNER, first.id, 1), Job(OWNER, second.id, 1)]


async def test_an_event_that_nobody_takes_is_parked_and_can_be_resumed(
    relay: Relay, database: Database, queue: RecordingQueue, clock: ManualClock
) -> None:
    event = _event("PaymentCharged")
    await _append(database, event)
    for attempt in range(1, outbox.ATTEMPTS_MAX + 1):
        assert await relay.step() == RelayStep(leased=1, queued=1)
        assert queue.jobs[-1].attempt == attempt
        clock.advance(outbox.LEASE * outbox.LEASE_GROWTH_MAX)
    assert await relay.step() == RelayStep(leased=1, parked=1)
    clock.advance(timedelta(days=365))
    assert await relay.step() == RelayStep()
    async with database.begin() as unit:
        assert await outbox.count_parked(unit) == 1
        assert await outbox.resume_parked(unit) == 1
    assert await relay.step() == RelayStep(leased=1, queued=1)
    assert queue.jobs[-1] == Job(OWNER, event.id, 1)


async def test_only_the_newest_attempt_may_work(
    relay: Relay, database: Database, clock: ManualClock
) -> None:
    event = _event("PaymentCharged")
    await _append(database, event)
    await relay.step()
    clock.advance(outbox.LEASE)
    await relay.step()
    until = clock.now() + timedelta(minutes=1)
    async with database.begin() as unit:
        assert await outbox.claim(unit, OWNER, event.id, attempt=1, until=until) is None
        assert await outbox.claim(unit, OWNER, event.id, attempt=2, until=until) == event
    clock.advance(timedelta(seconds=59))
    assert await relay.step() == RelayStep()
    clock.advance(timedelta(seconds=1))
    assert await relay.step() == RelayStep(leased=1, queued=1)


async def test_two_relays_tell_each_event_once_a_lease(database: Database, bus: Bus) -> None:
    queues = [RecordingQueue(), RecordingQueue()]
    relays = [Relay(database, bus, queue, is_durable=_is_durable) for queue in queues]
    events = [_event("PaymentCharged", START + timedelta(milliseconds=n)) for n in range(500)]
    await _append(database, *events)
    while any(step.leased for step in await asyncio.gather(*(one.step() for one in relays))):
        pass
    told = [job.event_id for queue in queues for job in queue.jobs]
    assert sorted(told) == [event.id for event in events]
    assert all(queue.jobs for queue in queues)


async def test_a_commit_wakes_the_relay(relay: Relay, database: Database, bus: Bus) -> None:
    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(WAIT_S), bus.listen(session_channel(SESSION)) as listener:
        for number in range(3):
            event = _event("SessionBillChanged", START + timedelta(seconds=number))
            await _append(database, event)
            assert await _hear(listener, 1) == [event.id]
    await end_tasks(running)


@pytest.fixture
def valkey(stack: Stack, valkey_url: str) -> Iterator[Server]:
    server = stack.valkey
    yield server
    server.restart()


@pytest.fixture
async def live_database(database_url: str, bus: Bus) -> AsyncGenerator[Database]:
    database = Database(
        database_url,
        clock=SystemClock(),
        vault=VAULT,
        connections_max=4,
        after_events=bus.wake_relay,
    )
    yield database
    await database.close()


async def test_lost_servers_are_waited_for(
    live_database: Database, bus: Bus, stack: Stack, valkey: Server, database_url: str
) -> None:
    relay = Relay(live_database, bus, RecordingQueue(), is_durable=_is_durable)
    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(WAIT_S):
        valkey.kill()
        await _append(live_database, _event("SessionEntered", session_id=uuid4()))
        await asyncio.sleep(0)
        valkey.restart()
        await _until_done(database_url, 1)
        stack.postgres.kill()
        stack.postgres.restart()
        await _append_patiently(live_database, _event("SessionEnded", session_id=uuid4()))
        await _until_done(database_url, 2)
    assert not running.done()
    await end_tasks(running)


async def test_flushing_valkey_loses_no_event(
    live_database: Database, bus: Bus, valkey_url: str, database_url: str
) -> None:
    relay = Relay(live_database, bus, RecordingQueue(), is_durable=_is_durable)
    running = asyncio.create_task(relay.run())
    async with asyncio.timeout(WAIT_S):
        for number in range(50):
            await _append(live_database, _event("SessionEntered", session_id=UUID(int=number)))
            if number % 10 == 0:
                with valkey_client(valkey_url) as client:
                    client.flushall()
        await _until_done(database_url, 50)
    await end_tasks(running)


async def _append_patiently(database: Database, event: Event) -> None:
    while True:
        try:
            await _append(database, event)
        except Exception:  # noqa: BLE001, S110 - the pool's connections die one by one
            pass
        else:
            return


async def _until_done(url: str, count: int) -> None:
    done = "SELECT count(*) FROM outbox WHERE done_at IS NOT NULL"
    while await fetch_value(url, done) != count:  # noqa: ASYNC110 - the row is in PostgreSQL
        await asyncio.sleep(0.02)
