"""What becomes of a deduction whose text message the gateway does not take, or not in time."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Final
from uuid import UUID

import pytest
from sqlmodel import select

from notifications.handlers import (
    TEXT_AFTER,
    TEXT_AFTER_ATTEMPTS,
    UNANSWERED_TEXTS_MAX,
    Notifier,
    Texting,
)
from notifications.push import PushMessage, PushOutcome, PushResult, RecordingPushSender
from parking.drivers.models import Delivery, DeliveryState
from parking.drivers.port import (
    RecordingSmsSender,
    SmsMessage,
    SmsNotSentError,
    SmsRefusedError,
    SmsUnansweredError,
)
from parking.events import outbox
from parking.events.envelope import Event
from parking.events.relay import Job
from parking.kit.clock import ManualClock, SystemClock
from parking.kit.database import Database
from parking.notices import service as notices
from tests.integration.notification_stage import VAULT, add_driver, append, charged

START: Final = SystemClock().now()
NUMBER: Final = "+8613800138000"
RETRY: Final = PushResult(PushOutcome.RETRY, failure="unavailable")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def database(database_url: str, clock: ManualClock) -> AsyncGenerator[Database]:
    database = Database(database_url, clock=clock, vault=VAULT, connections_max=4)
    yield database
    await database.close()


class _Gateway(RecordingSmsSender):
    """Answers each message with the next of `errors`, and takes what comes after them."""

    def __init__(self, *errors: SmsNotSentError) -> None:
        super().__init__()
        self.asked = 0
        self._errors = list(errors)

    async def send(self, message: SmsMessage) -> None:
        self.asked += 1
        if self._errors:
            raise self._errors.pop(0)
        await super().send(message)


@pytest.fixture
def push() -> RecordingPushSender:
    return RecordingPushSender()


def _notifier(database: Database, push: RecordingPushSender, sms: _Gateway) -> Notifier:
    return Notifier(database, push, texting=Texting(sms), draw=lambda: 0.0)


async def _deliver(database: Database, notifier: Notifier) -> list[int]:
    async with database.begin() as unit:
        leased = await outbox.lease(unit)
    for one in leased:
        await notifier.deliver(Job(one.event.owner_id, one.event.id, one.attempt))
    return [one.attempt for one in leased]


async def _try(database: Database, notifier: Notifier, clock: ManualClock, attempts: range) -> None:
    for attempt in attempts:
        assert await _deliver(database, notifier) == [attempt]
        clock.advance(timedelta(seconds=2**attempt))


async def _rows(database: Database) -> set[tuple[str, DeliveryState, str | None]]:
    async with database.begin() as unit:
        rows = (await unit.session.exec(select(Delivery))).all()
    return {(row.channel, row.state, row.failure) for row in rows}


async def _is_done(database: Database, event: Event) -> bool:
    async with database.begin() as unit:
        row = await unit.session.get(outbox.OutboxRow, (event.owner_id, event.id))
    return row is not None and row.done_at is not None


async def _see(database: Database, driver_id: UUID, event: Event) -> None:
    async with database.begin() as unit:
        seen = [notices.notice_id_of(event.id)]
        assert await notices.acknowledge(unit, driver_id, seen) == 1


async def test_a_push_is_not_given_up_for_a_text_that_is_refused(
    database: Database, push: RecordingPushSender, clock: ManualClock
) -> None:
    sms = _Gateway(SmsRefusedError("no text was approved"))
    notifier = _notifier(database, push, sms)
    event = charged(START, await add_driver(database, "phone", phone_number=NUMBER))
    push.answers = [RETRY] * TEXT_AFTER_ATTEMPTS
    await append(database, event)
    await _try(database, notifier, clock, range(1, TEXT_AFTER_ATTEMPTS + 1))
    assert await _rows(database) == {
        ("push", DeliveryState.PENDING, "unavailable"),
        ("sms", DeliveryState.FAILED, "SMS_REFUSED"),
    }
    assert not await _is_done(database, event)
    assert await _deliver(database, notifier) == [TEXT_AFTER_ATTEMPTS + 1]
    assert await _rows(database) == {
        ("push", DeliveryState.SENT, None),
        ("sms", DeliveryState.FAILED, "SMS_REFUSED"),
    }
    assert (sms.asked, sms.messages) == (1, [])


async def test_a_push_that_comes_before_a_late_text_is_enough_once_it_is_seen(
    database: Database, push: RecordingPushSender, clock: ManualClock
) -> None:
    sms = _Gateway(SmsNotSentError("status 503"))
    notifier = _notifier(database, push, sms)
    driver_id = await add_driver(database, "phone", phone_number=NUMBER)
    event = charged(START, driver_id)
    push.answers = [RETRY] * TEXT_AFTER_ATTEMPTS
    await append(database, event)
    await _try(database, notifier, clock, range(1, TEXT_AFTER_ATTEMPTS + 2))
    assert await _rows(database) == {
        ("push", DeliveryState.SENT, None),
        ("sms", DeliveryState.PENDING, "SMS_NOT_SENT"),
    }
    await _see(database, driver_id, event)
    clock.advance(TEXT_AFTER)
    assert await _deliver(database, notifier) == [TEXT_AFTER_ATTEMPTS + 2]
    assert await _rows(database) == {
        ("push", DeliveryState.SENT, None),
        ("sms", DeliveryState.FAILED, "not_needed"),
    }
    assert (sms.asked, sms.messages) == (1, [])
    assert await _is_done(database, event)


async def test_what_the_driver_has_seen_in_the_inbox_needs_no_text(
    database: Database, push: RecordingPushSender, clock: ManualClock
) -> None:
    sms = _Gateway()
    notifier = _notifier(database, push, sms)
    driver_id = await add_driver(database, "phone", phone_number=NUMBER)
    event = charged(START, driver_id)
    push.answers = [RETRY, PushResult(PushOutcome.REFUSED, failure="invalid_argument")]
    await append(database, event)
    await _try(database, notifier, clock, range(1, 2))
    await _see(database, driver_id, event)
    assert await _deliver(database, notifier) == [2]
    assert sms.messages == []
    assert await _rows(database) == {("push", DeliveryState.FAILED, "invalid_argument")}
    assert await _is_done(database, event)


async def test_a_gateway_that_never_answers_is_not_paid_twenty_times(
    database: Database, push: RecordingPushSender, clock: ManualClock
) -> None:
    sms = _Gateway(*(SmsUnansweredError("ReadTimeout") for _ in range(20)))
    notifier = _notifier(database, push, sms)
    event = charged(START, await add_driver(database, phone_number=NUMBER))
    await append(database, event)
    await _try(database, notifier, clock, range(1, UNANSWERED_TEXTS_MAX))
    assert await _rows(database) == {("sms", DeliveryState.PENDING, "SMS_UNANSWERED")}
    await _try(database, notifier, clock, range(UNANSWERED_TEXTS_MAX, UNANSWERED_TEXTS_MAX + 1))
    assert await _rows(database) == {("sms", DeliveryState.FAILED, "SMS_UNANSWERED")}
    assert sms.asked == UNANSWERED_TEXTS_MAX
    assert await _is_done(database, event)


class _Faulty:
    """Meets a defect with one target, and takes what goes to the others."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def send(self, message: PushMessage) -> PushResult:
        if message.target == "defect":
            raise KeyError(message.target)
        self.taken.append(message.target)
        return PushResult(PushOutcome.SENT)


async def test_a_defect_with_one_device_does_not_tell_the_others_again(
    database: Database, clock: ManualClock
) -> None:
    push = _Faulty()
    notifier = Notifier(database, push, draw=lambda: 0.0)
    await append(database, charged(START, await add_driver(database, "defect", "phone")))
    await _try(database, notifier, clock, range(1, 4))
    assert push.taken == ["phone"]
    assert await _rows(database) == {
        ("push", DeliveryState.PENDING, "KeyError"),
        ("push", DeliveryState.SENT, None),
    }
