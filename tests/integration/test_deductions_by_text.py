"""Every deduction is told: by text message where no device can be told."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest
from sqlmodel import select

from notifications.handlers import TEXT_AFTER, TEXT_AFTER_ATTEMPTS, Notifier, Texting
from notifications.push import PushOutcome, PushResult, RecordingPushSender
from parking.drivers import deliveries
from parking.drivers.models import Delivery, DeliveryState
from parking.drivers.port import RecordingSmsSender, SmsMessage, SmsNotSentError
from parking.drivers.texting import SmsPolicy
from parking.events import outbox
from parking.events.envelope import Event
from parking.events.relay import Job
from parking.events.types import EventType
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.database import Database
from parking.notices import preferences
from parking.notices import service as notices
from parking.notices.rules import NoticeCategory, NoticeChannel
from tests.integration.notification_stage import VAULT, add_driver, append, charged

START: Final = SystemClock().now()
NUMBER: Final = "+8613800138000"
RETRY: Final = PushResult(PushOutcome.RETRY, failure="unavailable")
REFUSED: Final = PushResult(PushOutcome.REFUSED, failure="invalid_argument")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def database(database_url: str, clock: ManualClock) -> AsyncGenerator[Database]:
    database = Database(database_url, clock=clock, vault=VAULT, connections_max=4)
    yield database
    await database.close()


class _Gateway(RecordingSmsSender):
    """Refuses as many messages as it was told to, and keeps the others."""

    refusals = 0

    async def send(self, message: SmsMessage) -> None:
        if self.refusals:
            self.refusals -= 1
            raise SmsNotSentError(f"message {message.id}: status 503")
        await super().send(message)


@pytest.fixture
def sms() -> _Gateway:
    return _Gateway()


@pytest.fixture
def push() -> RecordingPushSender:
    return RecordingPushSender()


@pytest.fixture
def notifier(database: Database, push: RecordingPushSender, sms: _Gateway) -> Notifier:
    return Notifier(database, push, texting=Texting(sms), draw=lambda: 0.0)


async def _deliver(database: Database, notifier: Notifier) -> list[int]:
    async with database.begin() as unit:
        leased = await outbox.lease(unit)
    for one in leased:
        await notifier.deliver(Job(one.event.owner_id, one.event.id, one.attempt))
    return [one.attempt for one in leased]


async def _rows(database: Database) -> set[tuple[str, DeliveryState, str | None]]:
    async with database.begin() as unit:
        rows = (await unit.session.exec(select(Delivery))).all()
    return {(row.channel, row.state, row.failure) for row in rows}


async def _is_done(database: Database, event: Event) -> bool:
    async with database.begin() as unit:
        row = await unit.session.get(outbox.OutboxRow, (event.owner_id, event.id))
    return row is not None and row.done_at is not None


async def test_who_has_no_device_is_told_once(
    database: Database, notifier: Notifier, sms: _Gateway
) -> None:
    driver_id = await add_driver(database, phone_number=NUMBER)
    event = charged(START, driver_id, charged_at="2026-03-01T10:30:00+00:00")
    await append(database, event)
    assert await _deliver(database, notifier) == [1]
    (message,) = sms.messages
    assert message.phone_number == NUMBER
    assert message.text == (
        "CN¥12.50 paid. Your stay at Seaside is paid. Taken from the payment service, "
        "1 Mar 2026 18:30. Not you? Open the app: end the permission and object to the bill."
    )
    assert await _rows(database) == {("sms", DeliveryState.SENT, None)}
    assert await _is_done(database, event)
    await notifier.deliver(Job(event.owner_id, event.id, 1))
    assert len(sms.messages) == 1


async def test_a_refused_push_is_made_good_by_a_text(
    database: Database, notifier: Notifier, push: RecordingPushSender, sms: _Gateway
) -> None:
    event = charged(START, await add_driver(database, "phone", phone_number=NUMBER))
    push.answers = [REFUSED]
    await append(database, event)
    await _deliver(database, notifier)
    assert await _rows(database) == {
        ("push", DeliveryState.FAILED, "invalid_argument"),
        ("sms", DeliveryState.SENT, None),
    }
    assert len(sms.messages) == 1
    assert await _is_done(database, event)


async def test_one_device_that_took_it_is_enough(
    database: Database, push: RecordingPushSender, sms: _Gateway
) -> None:
    notifier = Notifier(database, push, texting=Texting(sms, after=None))
    event = charged(START, await add_driver(database, "phone", "tablet", phone_number=NUMBER))
    push.answers = [PushResult(PushOutcome.SENT), REFUSED]
    await append(database, event)
    await _deliver(database, notifier)
    assert sms.messages == []
    assert await _is_done(database, event)


@pytest.mark.parametrize("seen", ["nothing", "push", "notice"])
async def test_what_nobody_acknowledged_goes_out_as_a_text(
    database: Database, notifier: Notifier, sms: _Gateway, clock: ManualClock, seen: str
) -> None:
    driver_id = await add_driver(database, "phone", phone_number=NUMBER)
    event = charged(START, driver_id)
    await append(database, event)
    assert await _deliver(database, notifier) == [1]
    assert sms.messages == []
    assert not await _is_done(database, event)
    async with database.begin() as unit:
        (row,) = await deliveries.of_events(unit, driver_id, [event.id])
        if seen == "push":
            assert await deliveries.acknowledge(unit, driver_id, row.id) == event.id
        if seen == "notice":
            notice_id = notices.notice_id_of(event.id)
            assert await notices.acknowledge(unit, driver_id, [notice_id]) == 1
    clock.advance(TEXT_AFTER - timedelta(seconds=1))
    assert await _deliver(database, notifier) == []
    clock.advance(timedelta(seconds=1))
    assert await _deliver(database, notifier) == [2]
    assert [message.phone_number for message in sms.messages] == [NUMBER] * (seen == "nothing")
    assert await _is_done(database, event)
    await notifier.deliver(Job(event.owner_id, event.id, 2))
    assert len(sms.messages) == (seen == "nothing")


async def test_who_has_no_number_is_not_waited_for(
    database: Database, notifier: Notifier, push: RecordingPushSender
) -> None:
    event = charged(START, await add_driver(database, "phone"))
    await append(database, event)
    await _deliver(database, notifier)
    assert len(push.messages) == 1
    assert await _is_done(database, event)


async def test_a_driver_who_wants_no_texts_gets_one_only_if_nothing_else_came(
    database: Database, notifier: Notifier, push: RecordingPushSender, sms: _Gateway
) -> None:
    driver_id = await add_driver(database, "phone", phone_number=NUMBER)
    async with database.begin() as unit:
        await preferences.set_preference(
            unit, driver_id, NoticeCategory.BILL, NoticeChannel.SMS, is_on=False
        )
    pushed, refused = charged(START, driver_id), charged(START, driver_id)
    await append(database, pushed)
    await _deliver(database, notifier)
    assert sms.messages == []
    assert await _is_done(database, pushed)
    push.answers = [REFUSED]
    await append(database, refused)
    await _deliver(database, notifier)
    assert len(sms.messages) == 1


async def test_a_service_that_is_down_for_long_is_passed_by(
    database: Database,
    notifier: Notifier,
    push: RecordingPushSender,
    sms: _Gateway,
    clock: ManualClock,
) -> None:
    event = charged(START, await add_driver(database, "phone", phone_number=NUMBER))
    push.answers = [RETRY] * TEXT_AFTER_ATTEMPTS
    await append(database, event)
    for attempt in range(1, TEXT_AFTER_ATTEMPTS + 1):
        assert sms.messages == []
        assert await _deliver(database, notifier) == [attempt]
        clock.advance(timedelta(seconds=2**attempt))
    assert len(sms.messages) == 1
    assert await _rows(database) == {
        ("push", DeliveryState.FAILED, "told_by_text"),
        ("sms", DeliveryState.SENT, None),
    }
    assert await _is_done(database, event)


async def test_a_gateway_that_fails_is_asked_again_with_the_same_id(
    database: Database, notifier: Notifier, sms: _Gateway, clock: ManualClock
) -> None:
    event = charged(START, await add_driver(database, phone_number=NUMBER))
    sms.refusals = 1
    await append(database, event)
    assert await _deliver(database, notifier) == [1]
    assert await _rows(database) == {("sms", DeliveryState.PENDING, "SMS_NOT_SENT")}
    clock.advance(timedelta(seconds=2))
    assert await _deliver(database, notifier) == [2]
    async with database.begin() as unit:
        (row,) = (await unit.session.exec(select(Delivery))).all()
    assert [message.id for message in sms.messages] == [row.id]
    assert (row.state, row.attempts) == (DeliveryState.SENT, 2)
    assert await _is_done(database, event)


@pytest.mark.parametrize("phone_number", [None, NUMBER])
async def test_no_text_goes_where_none_may_go(
    database: Database, sms: _Gateway, phone_number: str | None
) -> None:
    policy = SmsPolicy(countries=frozenset({"DE"}))
    notifier = Notifier(database, None, texting=Texting(sms, policy))
    event = charged(START, await add_driver(database, phone_number=phone_number))
    await append(database, event)
    await _deliver(database, notifier)
    assert sms.messages == []
    assert await _rows(database) == set()
    assert await _is_done(database, event)


async def test_only_deductions_are_worth_a_text(
    database: Database, notifier: Notifier, sms: _Gateway
) -> None:
    driver_id = await add_driver(database, phone_number=NUMBER)
    due = replace(charged(START, driver_id), type=EventType.BILL_DUE)
    await append(database, due)
    await _deliver(database, notifier)
    assert sms.messages == []
    assert await _is_done(database, due)
