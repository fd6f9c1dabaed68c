"""The inbox: each event once, in the order of the commits, whatever the channels do."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Final
from uuid import UUID

import pytest

from notifications.handlers import Notifier, Texting
from notifications.push import RecordingPushSender
from parking.drivers import deliveries
from parking.drivers.port import RecordingSmsSender
from parking.events import outbox
from parking.events.envelope import Event
from parking.events.relay import Job
from parking.events.types import EventType
from parking.kit.clock import ManualClock
from parking.kit.database import Database
from parking.notices import preferences, repository, service
from parking.notices.errors import CategoryAlwaysToldError, NoticeUnknownError
from parking.notices.models import Notice
from parking.notices.quiet_hours import QuietHours
from parking.notices.rules import NoticeCategory, NoticeChannel
from tests.integration.notification_stage import OPERATOR, VAULT, add_driver, append, charged

# In Shanghai it is 23:00.
NIGHT: Final = datetime(2026, 5, 1, 15, 0, tzinfo=UTC)
MORNING: Final = datetime(2026, 5, 1, 23, 0, tzinfo=UTC)
QUIET: Final = QuietHours(time(22), time(7), "Asia/Shanghai")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NIGHT)


@pytest.fixture
async def database(database_url: str, clock: ManualClock) -> AsyncGenerator[Database]:
    database = Database(database_url, clock=clock, vault=VAULT, connections_max=8)
    yield database
    await database.close()


@pytest.fixture
def push() -> RecordingPushSender:
    return RecordingPushSender()


@pytest.fixture
def notifier(database: Database, push: RecordingPushSender) -> Notifier:
    return Notifier(database, push, draw=lambda: 0.0)


async def _lease(database: Database) -> list[Job]:
    async with database.begin() as unit:
        leased = await outbox.lease(unit)
    return [Job(one.event.owner_id, one.event.id, one.attempt) for one in leased]


async def _deliver(database: Database, notifier: Notifier) -> int:
    jobs = await _lease(database)
    for job in jobs:
        await notifier.deliver(job)
    return len(jobs)


async def _inbox(database: Database, driver_id: UUID) -> Sequence[Notice]:
    async with database.begin() as unit:
        return await repository.since_number(unit, driver_id, 0)


def _refunded(at: datetime, driver_id: UUID) -> Event:
    return replace(charged(at, driver_id), type=EventType.PAYMENT_REFUNDED)


async def _be_quiet(database: Database, driver_id: UUID) -> None:
    async with database.begin() as unit:
        await preferences.set_quiet_hours(unit, driver_id, QUIET)


async def test_a_notice_says_what_it_is_about_and_nothing_else(
    database: Database, notifier: Notifier
) -> None:
    driver_id = await add_driver(database)
    event = charged(NIGHT, driver_id, plate="TEST1234", charged_at=NIGHT.isoformat())
    await append(database, event)
    await _deliver(database, notifier)
    (notice,) = await _inbox(database, driver_id)
    assert notice.model_dump() == {
        "driver_id": driver_id,
        "id": service.notice_id_of(event.id),
        "number": 1,
        "event_id": event.id,
        "operator_id": OPERATOR,
        "event_type": "PaymentCharged",
        "subject_id": event.subject_id,
        "category": NoticeCategory.BILL,
        "template": "payment_charged",
        "arguments": {
            "amount_minor": 1250,
            "currency": "CNY",
            "provider": "acquirer",
            "place_name": "Seaside",
            "timezone": "Asia/Shanghai",
            "charged_at": NIGHT.isoformat(),
        },
        "occurred_at": NIGHT,
        "created_at": NIGHT,
        "acknowledged_at": None,
    }


async def test_rivals_put_it_there_once_and_count_without_gaps(
    database: Database, notifier: Notifier
) -> None:
    driver_id = await add_driver(database, "phone")
    events = [charged(NIGHT, driver_id) for _ in range(6)]
    await append(database, *events)
    jobs = await _lease(database)
    await asyncio.gather(*(notifier.deliver(job) for job in [*jobs, *jobs]))
    found = await _inbox(database, driver_id)
    assert [notice.number for notice in found] == [1, 2, 3, 4, 5, 6]
    assert {notice.event_id for notice in found} == {event.id for event in events}


async def test_acknowledging_is_counted_once_and_is_nobody_elses(
    database: Database, notifier: Notifier
) -> None:
    driver_id, other = await add_driver(database), await add_driver(database)
    await append(database, charged(NIGHT, driver_id), charged(NIGHT, driver_id))
    await _deliver(database, notifier)
    ids = [notice.id for notice in await _inbox(database, driver_id)]
    async with database.begin() as unit:
        assert await repository.count_unacknowledged(unit, driver_id) == 2
        with pytest.raises(NoticeUnknownError):
            await service.acknowledge(unit, other, ids)
        with pytest.raises(NoticeUnknownError):
            await service.acknowledge(unit, driver_id, [ids[0], UUID(int=9)])
        assert await repository.count_unacknowledged(unit, driver_id) == 2
        assert await service.acknowledge(unit, driver_id, ids[:1]) == 1
        assert await service.acknowledge(unit, driver_id, ids) == 1
        assert await service.acknowledge(unit, driver_id, ids) == 0
        assert await repository.count_unacknowledged(unit, driver_id) == 0


async def test_what_can_wait_is_sent_after_the_quiet_hours(
    database: Database, notifier: Notifier, push: RecordingPushSender, clock: ManualClock
) -> None:
    driver_id = await add_driver(database, "phone")
    await _be_quiet(database, driver_id)
    urgent, waiting = charged(NIGHT, driver_id), _refunded(NIGHT, driver_id)
    await append(database, urgent, waiting)
    assert await _deliver(database, notifier) == 2
    assert [message.tag for message in push.messages] == [str(urgent.id)]
    assert len(await _inbox(database, driver_id)) == 2
    clock.advance(MORNING - NIGHT - timedelta(seconds=1))
    assert await _deliver(database, notifier) == 0
    clock.advance(timedelta(seconds=1))
    assert await _deliver(database, notifier) == 1
    assert [message.tag for message in push.messages] == [str(urgent.id), str(waiting.id)]
    assert len(await _inbox(database, driver_id)) == 2


async def test_what_is_of_no_use_any_more_is_only_in_the_inbox(
    database: Database, notifier: Notifier, push: RecordingPushSender, clock: ManualClock
) -> None:
    driver_id = await add_driver(database, "phone")
    opened = replace(charged(NIGHT, driver_id), type=EventType.GATE_OPENED)
    await append(database, opened)
    clock.advance(timedelta(minutes=15, seconds=1))
    assert await _deliver(database, notifier) == 1
    assert push.messages == []
    assert [notice.template for notice in await _inbox(database, driver_id)] == [
        "gate_opened_entry"
    ]
    assert await _lease(database) == []


async def test_a_text_for_what_was_pushed_waits_for_the_morning(
    database: Database, push: RecordingPushSender, clock: ManualClock
) -> None:
    sms = RecordingSmsSender()
    notifier = Notifier(database, push, texting=Texting(sms), draw=lambda: 0.0)
    driver_id = await add_driver(database, "phone", phone_number="+8613800138000")
    await _be_quiet(database, driver_id)
    await append(database, charged(NIGHT, driver_id))
    await _deliver(database, notifier)
    assert len(push.messages) == 1
    clock.advance(timedelta(hours=1))
    assert await _deliver(database, notifier) == 0
    clock.advance(MORNING - NIGHT - timedelta(hours=1))
    assert await _deliver(database, notifier) == 1
    assert len(sms.messages) == 1


async def test_what_is_switched_off_does_not_come(
    database: Database, notifier: Notifier, push: RecordingPushSender
) -> None:
    driver_id = await add_driver(database, "phone")
    entered = replace(
        charged(NIGHT, driver_id, entered_at=NIGHT.isoformat()), type=EventType.SESSION_ENTERED
    )
    async with database.begin() as unit:
        for channel in (NoticeChannel.PUSH, NoticeChannel.IN_APP):
            await preferences.set_preference(
                unit, driver_id, NoticeCategory.STAY, channel, is_on=False
            )
    bill = _refunded(NIGHT, driver_id)
    await append(database, entered, bill)
    await _deliver(database, notifier)
    assert [message.tag for message in push.messages] == [str(bill.id)]
    assert [notice.event_id for notice in await _inbox(database, driver_id)] == [bill.id]
    async with database.begin() as unit:
        assert await deliveries.of_events(unit, driver_id, [entered.id]) == []


async def test_money_that_is_collected_at_night_wakes_nobody(
    database: Database, notifier: Notifier, push: RecordingPushSender, clock: ManualClock
) -> None:
    driver_id = await add_driver(database, "phone")
    async with database.begin() as unit:
        await preferences.set_quiet_hours(unit, driver_id, QUIET)
    at_a_gate = charged(NIGHT, driver_id)
    collected = charged(NIGHT, driver_id, can_wait=True)
    await append(database, at_a_gate, collected)
    await _deliver(database, notifier)
    assert [message.tag for message in push.messages] == [str(at_a_gate.id)]
    assert len(await _inbox(database, driver_id)) == 2
    clock.advance(MORNING - NIGHT)
    assert await _deliver(database, notifier) == 1
    assert [message.tag for message in push.messages[1:]] == [str(collected.id)]


@pytest.mark.parametrize("category", [NoticeCategory.BILL, NoticeCategory.SECURITY])
async def test_bills_and_security_are_always_told(
    database: Database, category: NoticeCategory
) -> None:
    driver_id = await add_driver(database)
    async with database.begin() as unit:
        for channel in (NoticeChannel.PUSH, NoticeChannel.SMS):
            await preferences.set_preference(unit, driver_id, category, channel, is_on=False)
    for channel in (NoticeChannel.WEB_PUSH, NoticeChannel.IN_APP):
        with pytest.raises(CategoryAlwaysToldError):
            async with database.begin() as unit:
                await preferences.set_preference(unit, driver_id, category, channel, is_on=False)
    async with database.begin() as unit:
        book = await repository.find_book(unit, driver_id)
    assert book.muted == [f"{category}:push", f"{category}:sms"]


async def test_text_messages_do_not_stand_in_for_what_they_never_tell(database: Database) -> None:
    driver_id = await add_driver(database)
    for category in (NoticeCategory.BILL, NoticeCategory.SECURITY):
        async with database.begin() as unit:
            await preferences.set_preference(
                unit, driver_id, category, NoticeChannel.PUSH, is_on=False
            )
    async with database.begin() as unit:
        await preferences.set_preference(
            unit, driver_id, NoticeCategory.BILL, NoticeChannel.WEB_PUSH, is_on=False
        )
    with pytest.raises(CategoryAlwaysToldError):
        async with database.begin() as unit:
            await preferences.set_preference(
                unit, driver_id, NoticeCategory.SECURITY, NoticeChannel.WEB_PUSH, is_on=False
            )
    async with database.begin() as unit:
        book = await repository.find_book(unit, driver_id)
    assert book.muted == ["bill:push", "bill:web_push", "security:push"]


async def test_quiet_hours_of_a_zone_that_is_gone_keep_nothing_back(
    database: Database, notifier: Notifier, push: RecordingPushSender
) -> None:
    driver_id = await add_driver(database, "phone")
    async with database.begin() as unit:
        book = await preferences.set_quiet_hours(unit, driver_id, QUIET)
        book.quiet_timezone = "Atlantis/Capital"
    event = _refunded(NIGHT, driver_id)
    await append(database, event)
    assert await _deliver(database, notifier) == 1
    assert [message.tag for message in push.messages] == [str(event.id)]
    assert [notice.event_id for notice in await _inbox(database, driver_id)] == [event.id]
