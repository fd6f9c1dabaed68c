"""The storm of `sesame bench notifications`, small: services fail, workers die, all are told once.

No process and no second passes: a worker that dies is one that neither records nor goes on.
"""

import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import text

from notifications.handlers import Notifier, Texting
from notifications.push import PushMessage, PushOutcome, PushResult
from parking.drivers.port import RecordingSmsSender, SmsMessage, SmsNotSentError
from parking.events import outbox
from parking.events.bus import Bus, open_valkey
from parking.events.relay import Job
from parking.flows.context import ParkingContext
from parking.kit.clock import ManualClock
from parking.kit.database import Database
from sesame.bench.notifications.audit import audit
from sesame.bench.notifications.ground import TEMPERS, Told, add_drivers, add_events
from tests.integration.notification_stage import VAULT

# Midnight in Shanghai.
START: Final = datetime(2026, 5, 1, 16, 0, tzinfo=UTC)
DEDUCTIONS: Final = 60
ROUNDS_MAX: Final = 12
_FAILURES: Final = (
    PushResult(PushOutcome.RETRY, failure="quota_exceeded", retry_after_s=1.0),
    PushResult(PushOutcome.RETRY, failure="unavailable"),
    PushResult(PushOutcome.RETRY, failure="transport"),
)
_PHONELESS: Final = text(
    """
    SELECT event_id FROM notices WHERE event_id = ANY(:events) AND NOT EXISTS (
        SELECT FROM devices
        WHERE devices.driver_id = notices.driver_id AND devices.disabled_at IS NULL
    )
    """
)


class _WorkerDiedError(BaseException):
    """The process ended in the middle of an attempt: nothing of it handles that."""


@dataclass(slots=True)
class _Fcm:
    """Fails as it likes, and dies with its worker before or after it has taken a message."""

    dice: random.Random
    log: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    async def send(self, message: PushMessage) -> PushResult:
        if message.target.startswith("unregistered-"):
            return PushResult(PushOutcome.GONE, failure="unregistered")
        roll = self.dice.random()
        if roll < 0.1:
            raise _WorkerDiedError
        if roll < 0.35:
            return self.dice.choice(_FAILURES)
        self.log.append({"outcome": "taken", "message": {"data": dict(message.data)}})
        if roll < 0.45:
            raise _WorkerDiedError
        return PushResult(PushOutcome.SENT)


class _Gateway(RecordingSmsSender):
    """Fails now and then, and takes each id once, as the webhook says."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self._dice = dice

    async def send(self, message: SmsMessage) -> None:
        if self._dice.random() < 0.2:
            raise SmsNotSentError("status 503")
        if all(kept.id != message.id for kept in self.messages):
            await super().send(message)


@pytest.fixture
async def context(database_url: str, valkey_url: str) -> AsyncGenerator[ParkingContext]:
    clock, redis = ManualClock(START), open_valkey(valkey_url)
    database = Database(database_url, clock=clock, vault=VAULT, connections_max=4)
    yield ParkingContext(
        database=database,
        clock=clock,
        vault=VAULT,
        bus=Bus(redis),
        providers={},
        checkout_provider=None,
        public_url="",
    )
    await database.close()
    await redis.aclose()


async def _work(context: ParkingContext, notifier: Notifier) -> tuple[int, int]:
    """Deliver what is due; returns how many attempts there were, and how many died."""
    async with context.database.begin() as unit:
        leased = await outbox.lease(unit)
    died = 0
    for one in leased:
        try:
            await notifier.deliver(Job(one.event.owner_id, one.event.id, one.attempt))
        except _WorkerDiedError:
            died += 1
    return len(leased), died


async def _storm(context: ParkingContext, notifier: Notifier, clock: ManualClock) -> int:
    """Work until nothing is due for long; returns how often a worker died."""
    died = 0
    for _ in range(ROUNDS_MAX):
        attempts = 1
        while attempts:
            attempts, now_died = await _work(context, notifier)
            died += now_died
        clock.advance(timedelta(minutes=2))
    return died


async def test_every_driver_is_told_of_every_deduction_once(context: ParkingContext) -> None:
    dice = random.Random(7)  # noqa: S311 - a plan that repeats, not a secret
    fcm, sms = _Fcm(dice), _Gateway(dice)
    notifier = Notifier(context.database, fcm, texting=Texting(sms, after=None), draw=lambda: 0.0)
    assert isinstance(context.clock, ManualClock)
    drivers = await add_drivers(context, len(TEMPERS))
    told = await add_events(context, drivers, DEDUCTIONS)
    died = await _storm(context, notifier, context.clock)
    found = await audit(context, told, fcm.log)
    assert died > 5
    assert found.sent_again > 0
    assert found == replace(
        found,
        deductions=DEDUCTIONS,
        notices=DEDUCTIONS,
        noted=DEDUCTIONS,
        reached=DEDUCTIONS,
        waiting=5,
        waiting_noted=5,
        disturbed=0,
        parked=0,
        miscounted=0,
    )
    assert found.is_right
    # Whom a push reached is not told by text as well.
    assert found.pushes + found.texts == DEDUCTIONS
    assert found.texts == len(sms.messages)
    # When the quiet hours are over the rest is sent.
    context.clock.advance(timedelta(hours=6))
    await _storm(context, notifier, context.clock)
    assert _waited(told, fcm.log) == set(told.waiting) - await _phoneless(context, told)


def _waited(told: Told, log: Sequence[dict[str, Any]]) -> set[Any]:
    sent = Counter(one["message"]["data"]["event_id"] for one in log)
    return {event_id for event_id in told.waiting if sent[str(event_id)]}


async def _phoneless(context: ParkingContext, told: Told) -> set[Any]:
    """Return the events whose drivers have no phone that is registered."""
    async with context.database.begin() as unit:
        rows = await unit.run(_PHONELESS, {"events": list(told.waiting)})
        return {row.event_id for row in rows}
