"""Drivers are told: once where all goes well, again where it did not, never not at all."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from notifications.handlers import Notifier
from notifications.push import PushMessage, PushOutcome, PushResult, RecordingPushSender
from parking.drivers.models import Delivery, DeliveryState, Device
from parking.events import outbox
from parking.events.envelope import Event
from parking.events.relay import Job
from parking.flows.notices.wording import PayloadError
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.database import Database
from parking.notices.service import notice_id_of
from tests.factories.push_targets import target_of
from tests.integration.notification_stage import OPERATOR, VAULT, add_driver, append, charged

START: Final = SystemClock().now()
RETRY: Final = PushResult(PushOutcome.RETRY, failure="unavailable")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def database(database_url: str, clock: ManualClock) -> AsyncGenerator[Database]:
    database = Database(database_url, clock=clock, vault=VAULT, connections_max=4)
    yield database
    await database.close()


@pytest.fixture
def push() -> RecordingPushSender:
    return RecordingPushSender()


@pytest.fixture
def notifier(database: Database, push: RecordingPushSender) -> Notifier:
    return Notifier(database, push, draw=lambda: 1.0)


async def _lease(database: Database) -> list[Job]:
    async with database.begin() as unit:
        leased = await outbox.lease(unit)
    return [Job(one.event.owner_id, one.event.id, one.attempt) for one in leased]


async def _deliver(database: Database, notifier: Notifier) -> list[int]:
    """Lease what is due and deliver it; returns the attempts' numbers."""
    jobs = await _lease(database)
    for job in jobs:
        await notifier.deliver(job)
    return [job.attempt for job in jobs]


async def _deliveries(database: Database) -> Sequence[Delivery]:
    async with database.begin() as unit:
        return (await unit.session.exec(select(Delivery).order_by("id"))).all()


async def _disabled(database: Database) -> list[str]:
    async with database.begin() as unit:
        devices = (await unit.session.exec(select(Device))).all()
    return sorted(target_of(VAULT, device) for device in devices if device.disabled_at is not None)


async def _is_done(database: Database, event: Event) -> bool:
    async with database.begin() as unit:
        row = await unit.session.get(outbox.OutboxRow, (event.owner_id, event.id))
    return row is not None and row.done_at is not None


async def test_every_device_is_told_once(
    database: Database, notifier: Notifier, push: RecordingPushSender
) -> None:
    driver_id = await add_driver(database, "phone", "tablet", locale="de")
    event = charged(START, driver_id)
    await append(database, event)
    assert await _deliver(database, notifier) == [1]
    rows = await _deliveries(database)
    assert [(row.state, row.attempts, row.failure, row.template) for row in rows] == [
        (DeliveryState.SENT, 1, None, "payment_charged")
    ] * 2
    assert {row.sent_at for row in rows} == {START}
    by_target = {message.target: message for message in push.messages}
    charged_at = START.astimezone(ZoneInfo("Asia/Shanghai"))
    assert by_target["phone"] == PushMessage(
        delivery_id=next(row.id for row in rows if row.id == by_target["phone"].delivery_id),
        target_kind=by_target["phone"].target_kind,
        target="phone",
        title="12,50\xa0CN¥ bezahlt",
        body="Ihr Aufenthalt (Seaside) ist bezahlt. Abgebucht bei dem Zahlungsdienst, "
        f"{charged_at:%d.%m.%Y %H:%M}. Nicht von Ihnen? Öffnen Sie die App: Erlaubnis beenden "
        "und der Rechnung widersprechen.",
        tag=str(event.id),
        collapse_key=f"money:{event.subject_id}",
        data={
            "type": "PaymentCharged",
            "event_id": str(event.id),
            "delivery_id": str(by_target["phone"].delivery_id),
            "notice_id": str(notice_id_of(event.id)),
            "operator_id": str(OPERATOR),
            "session_id": str(event.subject_id),
            "version": "2",
            "amount_minor": "1250",
            "currency": "CNY",
        },
    )
    assert await _is_done(database, event)
    # The same attempt once more, as arq may run it: nothing moves.
    await notifier.deliver(Job(event.owner_id, event.id, 1))
    assert len(push.messages) == 2
    assert await _deliveries(database) == rows


async def test_a_driver_without_devices_is_skipped(
    database: Database, notifier: Notifier, push: RecordingPushSender
) -> None:
    events = [
        charged(START, await add_driver(database)),
        charged(START, UUID(int=99)),
        charged(START, None),
    ]
    await append(database, *events)
    assert await _deliver(database, notifier) == [1, 1, 1]
    assert push.messages == []
    assert await _deliveries(database) == []
    assert [await _is_done(database, event) for event in events] == [True] * 3


async def test_a_target_that_is_gone_is_told_nothing_more(
    database: Database, notifier: Notifier, push: RecordingPushSender
) -> None:
    driver_id = await add_driver(database, "old", "new")
    push.answers = [
        PushResult(PushOutcome.SENT),
        PushResult(PushOutcome.GONE, failure="unregistered"),
    ]
    await append(database, charged(START, driver_id))
    await _deliver(database, notifier)
    gone = push.messages[1].target
    assert await _disabled(database) == [gone]
    states = {(row.state, row.failure) for row in await _deliveries(database)}
    assert states == {(DeliveryState.SENT, None), (DeliveryState.FAILED, "unregistered")}
    await append(database, charged(START, driver_id))
    await _deliver(database, notifier)
    assert [message.target for message in push.messages[2:]] == [push.messages[0].target]


async def test_a_refused_message_fails_and_the_device_stays(
    database: Database, notifier: Notifier, push: RecordingPushSender
) -> None:
    event = charged(START, await add_driver(database, "phone"))
    push.answers = [PushResult(PushOutcome.REFUSED, failure="invalid_argument")]
    await append(database, event)
    await _deliver(database, notifier)
    (row,) = await _deliveries(database)
    assert (row.state, row.failure) == (DeliveryState.FAILED, "invalid_argument")
    assert await _disabled(database) == []
    assert await _is_done(database, event)


async def test_only_who_was_not_reached_is_tried_again(
    database: Database, notifier: Notifier, push: RecordingPushSender, clock: ManualClock
) -> None:
    event = charged(START, await add_driver(database, "phone", "tablet"))
    push.answers = [PushResult(PushOutcome.SENT), RETRY, RETRY]
    await append(database, event)
    assert await _deliver(database, notifier) == [1]
    missed = push.messages[1].target
    assert not await _is_done(database, event)
    # 2 s after the first attempt and 4 s after the second, and the jitter's whole quarter.
    for step, attempts in ((2.4, []), (0.1, [2]), (4.9, []), (0.1, [3])):
        clock.advance(timedelta(seconds=step))
        assert await _deliver(database, notifier) == attempts
    assert [message.target for message in push.messages[2:]] == [missed] * 2
    rows = {row.attempts: row.state for row in await _deliveries(database)}
    assert rows == {1: DeliveryState.SENT, 3: DeliveryState.SENT}
    assert await _is_done(database, event)


@pytest.mark.parametrize(
    ("retry_after_s", "expected_s"), [(40, 50), (1, 2.5), (None, 2.5), (10**9, 4500)]
)
async def test_the_service_is_left_alone_as_long_as_it_asks(
    database: Database,
    notifier: Notifier,
    push: RecordingPushSender,
    clock: ManualClock,
    retry_after_s: float | None,
    expected_s: float,
) -> None:
    event = charged(START, await add_driver(database, "phone"))
    push.answers = [
        PushResult(PushOutcome.RETRY, failure="quota_exceeded", retry_after_s=retry_after_s)
    ]
    await append(database, event)
    await _deliver(database, notifier)
    clock.advance(timedelta(seconds=expected_s, milliseconds=-1))
    assert await _deliver(database, notifier) == []
    clock.advance(timedelta(milliseconds=1))
    assert await _deliver(database, notifier) == [2]
    assert await _is_done(database, event)


async def test_a_later_attempt_replaces_one_that_waits(
    database: Database, notifier: Notifier, push: RecordingPushSender, clock: ManualClock
) -> None:
    await append(database, charged(START, await add_driver(database, "phone")))
    (first,) = await _lease(database)
    clock.advance(outbox.LEASE)
    (second,) = await _lease(database)
    await notifier.deliver(first)
    assert push.messages == []
    await notifier.deliver(second)
    assert len(push.messages) == 1


async def test_an_event_that_cannot_be_told_stays_open(
    database: Database, notifier: Notifier, push: RecordingPushSender
) -> None:
    event = charged(START, await add_driver(database, "phone"), amount_minor="much")
    await append(database, event)
    with pytest.raises(PayloadError):
        await _deliver(database, notifier)
    assert push.messages == []
    assert await _deliveries(database) == []
    assert not await _is_done(database, event)


async def test_a_device_that_leaves_between_two_attempts_is_not_told(
    database: Database, notifier: Notifier, push: RecordingPushSender, clock: ManualClock
) -> None:
    event = charged(START, await add_driver(database, "phone"))
    push.answers = [RETRY]
    await append(database, event)
    await _deliver(database, notifier)
    async with database.begin() as unit:
        (device,) = (await unit.session.exec(select(Device))).all()
        device.disabled_at = unit.now()
        unit.session.add(device)
    clock.advance(timedelta(seconds=3))
    assert await _deliver(database, notifier) == [2]
    assert len(push.messages) == 1
    (row,) = await _deliveries(database)
    assert (row.state, row.failure) == (DeliveryState.FAILED, "device_disabled")
    assert await _is_done(database, event)


class _SilentSender:
    """Never answers."""

    async def send(self, message: PushMessage) -> PushResult:
        await asyncio.Event().wait()
        return PushResult(PushOutcome.SENT, reference=message.tag)


async def test_a_service_that_never_answers_is_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.handlers.SEND_TIMEOUT_S", 0.01)
    await append(database, charged(START, await add_driver(database, "phone")))
    await _deliver(database, Notifier(database, _SilentSender()))
    (row,) = await _deliveries(database)
    assert (row.state, row.attempts, row.failure) == (DeliveryState.PENDING, 1, "timeout")


def test_who_wants_what(database: Database, push: RecordingPushSender) -> None:
    told = charged(START, UUID(int=1))
    assert Notifier(database, push).wants(told)
    # The inbox needs no service.
    assert Notifier(database, None).wants(told)
    assert not Notifier(database, push).wants(charged(START, None))
    assert not Notifier(database, push).wants(_other(START))


def _other(at: datetime) -> Event:
    return Event(UUID(int=4), "SessionBillChanged", OPERATOR, OPERATOR, at, {"driver_id": "x"})
