"""The worker as a process of its own: killed, flushed, stopped; every driver is told."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from sqlmodel import col, func, select

from notifications.handlers import Notifier
from parking.drivers.models import Delivery, DeliveryState, Device
from parking.events.bus import Bus, open_valkey
from parking.events.models import OutboxRow
from parking.kit.clock import SystemClock
from parking.kit.database import Database
from parking.kit.tasks import end_tasks
from sesame.embedded.stack import Stack
from sesame.periodic import PeriodicTask
from sesame.sandbox.fcm import create_fcm_stand_in, new_service_account
from sesame.worker import WorkerProcess
from tests.contract.http_server import listener, serving, url_of
from tests.factories.push_targets import target_of
from tests.integration.notification_stage import VAULT, add_driver, append, charged
from tests.servers import valkey_client

REPOSITORY: Final = Path(__file__).parents[2]
WAIT_S: Final = 100
POLL_S: Final = 0.1
EVENTS: Final = 200
DRIVERS: Final = 30
FLAKY: Final = 3
GONE: Final = 2


@dataclass(frozen=True, slots=True)
class Fcm:
    """The stand-in, and the file that opens it."""

    url: str
    credentials_file: Path
    client: httpx.AsyncClient

    async def log(self, *, after: int = 0) -> dict[str, Any]:
        answer = await self.client.get("/_log", params={"after": after})
        log: dict[str, Any] = answer.json()
        return log

    async def taken(self) -> int:
        return int((await self.log(after=sys.maxsize))["taken"])


@pytest.fixture
async def fcm(tmp_path: Path) -> AsyncGenerator[Fcm]:
    socket = listener()
    url = url_of(socket)
    account = new_service_account("seaside")
    path = tmp_path / "account.json"
    path.write_text(account.to_json(url))
    with serving(create_fcm_stand_in(account, SystemClock()), socket):
        async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as client:  # noqa: S501 - loopback
            yield Fcm(url, path, client)


@pytest.fixture
async def bus(valkey_url: str) -> AsyncGenerator[Bus]:
    redis = open_valkey(valkey_url)
    bus = Bus(redis)
    yield bus
    await bus.close()
    await redis.aclose()


@pytest.fixture
async def database(database_url: str, bus: Bus) -> AsyncGenerator[Database]:
    database = Database(
        database_url,
        clock=SystemClock(),
        vault=VAULT,
        connections_max=4,
        after_events=bus.wake_relay,
    )
    yield database
    await database.close()


@pytest.fixture
async def start_worker(
    database_url: str, valkey_url: str, fcm: Fcm, tmp_path: Path
) -> AsyncGenerator[Callable[[], Awaitable[Process]]]:
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": valkey_url,
        "SESAME_FCM_CREDENTIALS_FILE": str(fcm.credentials_file),
        "SESAME_FCM_ENDPOINT": fcm.url,
    }
    started: list[Process] = []
    log = tmp_path / "workers.log"

    async def start() -> Process:
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.integration.worker_process",
                cwd=REPOSITORY,
                env=environment,
                stdout=output,
                stderr=output,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # Pytest shows it where the test failed.
    sys.stdout.write(log.read_text(encoding="utf-8"))


async def test_every_driver_is_told_over_kills_and_a_flush(
    database: Database,
    fcm: Fcm,
    valkey_url: str,
    start_worker: Callable[[], Awaitable[Process]],
) -> None:
    kinds = ["flaky1"] * FLAKY + ["unregistered"] * GONE
    kinds += ["ok"] * (DRIVERS - len(kinds))
    drivers = [await add_driver(database, f"{kind}-{n}") for n, kind in enumerate(kinds)]
    start = database.clock.now()
    events = [
        charged(start + timedelta(milliseconds=n), drivers[n % DRIVERS]) for n in range(EVENTS)
    ]
    async with asyncio.timeout(WAIT_S):
        victims = [await start_worker(), await start_worker()]
        for number, event in enumerate(events):
            await append(database, event)
            if number in (60, 140):
                await _until_told(fcm, number // 2)
                victim = victims.pop(0)
                victim.kill()
                await victim.wait()
                victims.append(await start_worker())
            if number == 100:
                with valkey_client(valkey_url) as client:
                    client.flushall()
        await _until_done(database, EVENTS)
    log = await fcm.log()
    assert log["malformed"] == 0
    told = Counter(
        one["message"]["data"]["event_id"] for one in log["messages"] if one["outcome"] == "taken"
    )
    gone = {str(driver) for driver in drivers[FLAKY : FLAKY + GONE]}
    expected = {str(event.id) for event in events if event.payload["driver_id"] not in gone}
    assert set(told) == expected
    states = await _states(database)
    assert states[DeliveryState.SENT] == len(expected)
    assert states[DeliveryState.PENDING] == 0
    async with database.begin() as unit:
        disabled = select(Device).where(col(Device.disabled_at).is_not(None))
        devices = (await unit.session.exec(disabled)).all()
    targets = sorted(target_of(VAULT, device) for device in devices)
    assert targets == [f"unregistered-{n}" for n in range(FLAKY, FLAKY + GONE)]


async def test_sigterm_ends_a_worker_that_was_at_work(
    database: Database, fcm: Fcm, start_worker: Callable[[], Awaitable[Process]]
) -> None:
    driver_id = await add_driver(database, "ok-1")
    events = [charged(database.clock.now(), driver_id) for _ in range(40)]
    async with asyncio.timeout(WAIT_S):
        worker = await start_worker()
        await append(database, *events)
        await _until_told(fcm, 1)
        worker.send_signal(signal.SIGTERM)
        assert await worker.wait() == 0
        log = await fcm.log()
        states = await _states(database)
        # What was sent is recorded: nothing is sent twice by the next worker.
        assert states[DeliveryState.SENT] == len(log["messages"])
        await start_worker()
        await _until_done(database, len(events))
    assert await fcm.taken() == len(events)


async def test_a_worker_outlives_valkey_and_repeats_its_tasks(
    database: Database, bus: Bus, valkey_url: str, stack: Stack
) -> None:
    turns = asyncio.Semaphore(0)
    failures = iter([True, False])

    async def repeat() -> None:
        turns.release()
        if next(failures, False):
            raise OSError("for once")

    process = WorkerProcess(
        database,
        bus,
        redis_url=valkey_url,
        notifier=Notifier(database, None),
        periodic=[PeriodicTask("repeat", 0.01, repeat)],
    )
    stop = asyncio.Event()
    running = asyncio.create_task(process.run(stop))
    async with asyncio.timeout(WAIT_S):
        for _ in range(3):
            await turns.acquire()
        stack.valkey.kill()
        await append(database, charged(database.clock.now(), None))
        stack.valkey.restart()
        await _until_done(database, 1)
        stop.set()
        await running


async def test_a_part_that_ends_by_itself_ends_the_process(
    database: Database, bus: Bus, valkey_url: str
) -> None:
    process = WorkerProcess(database, bus, redis_url=valkey_url, notifier=Notifier(database, None))
    running = asyncio.create_task(process.run(asyncio.Event()))
    await asyncio.sleep(0.05)
    await bus.close()
    with pytest.raises(RuntimeError, match="by itself"):
        async with asyncio.timeout(WAIT_S):
            await running
    await end_tasks(running)


async def _until_told(fcm: Fcm, count: int) -> None:
    while await fcm.taken() < count:  # noqa: ASYNC110 - another process counts
        await asyncio.sleep(POLL_S)


async def _until_done(database: Database, count: int) -> None:
    done = select(func.count()).select_from(OutboxRow).where(col(OutboxRow.done_at).is_not(None))
    found = 0
    while found < count:
        await asyncio.sleep(POLL_S)
        async with database.begin() as unit:
            found = (await unit.session.exec(done)).one()


async def _states(database: Database) -> Counter[DeliveryState]:
    async with database.begin() as unit:
        states = (await unit.session.exec(select(Delivery.state))).all()
        return Counter(DeliveryState(state) for state in states)
