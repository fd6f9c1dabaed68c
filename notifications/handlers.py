"""Tells drivers about events: the inbox first, then every device, then the number if need be."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from notifications.messages import push_message, text_message
from notifications.push import PushMessage, PushOutcome, PushResult, PushSender
from parking.drivers import deliveries
from parking.drivers.deliveries import PendingDelivery, PendingText, Telling
from parking.drivers.models import TargetKind
from parking.drivers.port import SmsNotSentError, SmsRefusedError, SmsSender, SmsUnansweredError
from parking.drivers.texting import SmsPolicy
from parking.events import outbox
from parking.events.bus import Bus
from parking.events.envelope import Event
from parking.events.relay import Job
from parking.flows.campaigns.agreeing import is_agreed_to
from parking.flows.notices.tellings import arguments_of, is_urgent, template_of
from parking.flows.notices.wording import DEFAULT_LOCALE, Text, render
from parking.kit.database import Database, UnitOfWork
from parking.notices import service as notices
from parking.notices.models import NoticeBook
from parking.notices.quiet_hours import quiet_hours_of
from parking.notices.rules import DEDUCTIONS, RULES, NoticeChannel, Template, is_on
from parking.notices.service import NewNotice

SEND_TIMEOUT_S: Final = 12.0
# Longer than sending and recording take: no second attempt begins while one is at work.
CLAIM: Final = timedelta(seconds=20)
RETRY_S_MAX: Final = 300.0
RETRY_AFTER_S_MAX: Final = 3600.0
JITTER: Final = 0.25
# A deduction that no device took by then, after about a minute, goes out as a text message.
TEXT_AFTER_ATTEMPTS: Final = 6
# And one that a device took, but that nobody acknowledged, after this time.
TEXT_AFTER: Final = timedelta(minutes=5)
# From this try of a text on, one that the gateway does not answer for is the last: each may have
# been sent, and paid for.
UNANSWERED_TEXTS_MAX: Final = 3

_TEXTS: Final = Counter("sesame_texts", "Text messages by outcome", ["template", "outcome"])
_PUSHES: Final = Counter("sesame_pushes", "Pushes by outcome", ["template", "outcome"])
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Texting:
    """How deductions are told by text message.

    Attributes:
        policy: Which numbers may be told.
        after: When a deduction that nobody acknowledged goes out as a text; `None` for never.
    """

    sender: SmsSender
    policy: SmsPolicy = field(default_factory=SmsPolicy)
    after: timedelta | None = TEXT_AFTER


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one attempt has to send.

    Attributes:
        not_before: Where the driver wants to be left alone until then; nothing is sent now.
    """

    telling: Telling
    template: Template
    text: Text
    book: NoticeBook
    messages: Sequence[tuple[PendingDelivery, PushMessage]] = ()
    not_before: datetime | None = None
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class _Next:
    """What follows an attempt: a text message now, another attempt later, or nothing more.

    Attributes:
        until: With a text, when pushes are tried again if the text never can be sent.
    """

    text: PendingText | None = None
    until: datetime | None = None


class Notifier:
    """The durable consumer of events that drivers are told of.

    Args:
        database: Where events, devices, notices and deliveries are.
        push: To phones; `None` where no push service is configured: none is then pushed to.
        web_push: To browsers; `None` likewise.
        texting: Tells of deductions where nobody took or saw the push; `None` without a gateway.
        bus: Where whoever watches an inbox is poked.
        claim: How long one attempt may work before another may begin.
        draw: Returns a number from 0 to 1, for the jitter of retries.
    """

    def __init__(
        self,
        database: Database,
        push: PushSender | None,
        *,
        web_push: PushSender | None = None,
        texting: Texting | None = None,
        bus: Bus | None = None,
        claim: timedelta = CLAIM,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._push = push
        self._web_push = web_push
        self._texting = texting
        self._bus = bus
        self._claim = claim
        self._draw = draw

    def wants(self, event: Event) -> bool:
        """Say whether a driver is to be told of `event`."""
        return template_of(event) is not None and bool(event.payload.get("driver_id"))

    async def deliver(self, job: Job) -> None:
        """Make one attempt to tell the driver on every device that has not been told.

        A deduction goes to the driver's number too where there is no device, all have failed, do
        not answer for long, or nobody acknowledged what they got.

        An attempt that a later one has replaced does nothing. What failed for now is tried again
        by the next attempt; the others are not sent to twice, except where this process dies
        between sending and recording. The phone then replaces the first copy by the second.
        """
        async with self._database.begin() as unit:
            until = unit.now() + self._claim
            event = await outbox.claim(
                unit, job.owner_id, job.event_id, attempt=job.attempt, until=until
            )
            if event is None:
                return
            plan = await self._plan(unit, event)
        if plan is not None and self._bus is not None:
            await self._bus.publish([notices.added(plan.telling.driver_id, event.id)])
        results: Sequence[PushResult] = [] if plan is None else await self._send(plan)
        async with self._database.begin() as unit:
            # The event's row first, as above: two runs of one attempt never wait for each other.
            await _end_attempt(unit, job, unit.now() + self._claim)
            if plan is not None:
                await _record(unit, plan, results)
            following = await self._next(unit, plan, results, job)
            if following.text is None:
                await _end_attempt(unit, job, following.until)
        if plan is not None and following.text is not None:
            await self._tell_by_text(plan, following.text, job, following.until)

    async def _plan(self, unit: UnitOfWork, event: Event) -> _Plan | None:
        template = template_of(event)
        if template is None or not self.wants(event):
            return None
        driver_id = UUID(str(event.payload["driver_id"]))
        locale = await deliveries.find_locale(unit, driver_id)
        if locale is None or not await is_agreed_to(unit, event):
            return None
        arguments = arguments_of(event)
        text = render(template, arguments, event.occurred_at, locale or DEFAULT_LOCALE)
        new = NewNotice(
            driver_id=driver_id,
            event_id=event.id,
            operator_id=event.owner_id,
            event_type=event.type,
            subject_id=event.subject_id,
            template=template,
            arguments=arguments,
            occurred_at=event.occurred_at,
        )
        book = await notices.add(unit, new)
        telling = Telling(driver_id, event.id, event.owner_id, event.subject_id, template)
        rule, now = RULES[template], unit.now()
        if rule.stale_after is not None and event.occurred_at + rule.stale_after < now:
            await deliveries.give_up(unit, telling, deliveries.STALE)
            return _Plan(telling, template, text, book, is_stale=True)
        not_before = None if is_urgent(event, template) else _quiet_until(book, now)
        if not_before is not None:
            return _Plan(telling, template, text, book, not_before=not_before)
        pending = await deliveries.begin_pushes(unit, telling, kinds=self._kinds(book, template))
        messages = [(one, push_message(one, template, event, text)) for one in pending]
        return _Plan(telling, template, text, book, messages)

    def _kinds(self, book: NoticeBook, template: Template) -> frozenset[TargetKind]:
        """Return which targets may be told; a channel that is missing or muted is skipped."""
        kinds: set[TargetKind] = set()
        category = RULES[template].category
        if self._push is not None and is_on(book.muted, category, NoticeChannel.PUSH):
            kinds |= {TargetKind.FID, TargetKind.TOKEN}
        if self._web_push is not None and is_on(book.muted, category, NoticeChannel.WEB_PUSH):
            kinds.add(TargetKind.WEB_PUSH)
        return frozenset(kinds)

    async def _send(self, plan: _Plan) -> Sequence[PushResult]:
        results = await asyncio.gather(*(self._send_one(message) for _, message in plan.messages))
        for result in results:
            _PUSHES.labels(plan.template, result.outcome).inc()
        return results

    async def _send_one(self, message: PushMessage) -> PushResult:
        is_web = message.target_kind == TargetKind.WEB_PUSH
        sender = self._web_push if is_web else self._push
        if sender is None:
            raise RuntimeError("a plan was made without a push service")
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                return await sender.send(message)
        except TimeoutError:
            return PushResult(PushOutcome.RETRY, failure="timeout")
        except Exception as error:  # noqa: BLE001 - a defect met with one device must not have the others told again
            # Its words may name the target.
            failure = type(error).__name__
            _log.error("push_failed", delivery_id=str(message.delivery_id), failure=failure)
            return PushResult(PushOutcome.RETRY, failure=failure)

    async def _next(
        self, unit: UnitOfWork, plan: _Plan | None, results: Sequence[PushResult], job: Job
    ) -> _Next:
        if plan is None or plan.is_stale:
            return _Next()
        if plan.not_before is not None:
            return _Next(until=plan.not_before)
        again = self._again(unit, results, job.attempt)
        texting = self._texting
        if texting is None or plan.template not in DEDUCTIONS:
            return again
        following = await self._next_of_deduction(unit, plan, texting, again, job)
        if following == _Next():
            await deliveries.give_up(unit, plan.telling, deliveries.NOT_NEEDED)
        return following

    async def _next_of_deduction(
        self, unit: UnitOfWork, plan: _Plan, texting: Texting, again: _Next, job: Job
    ) -> _Next:
        told_at = await deliveries.first_sent_at(
            unit, plan.telling.driver_id, plan.telling.event_id
        )
        if told_at is not None:
            return await self._next_of_told(unit, plan, texting, told_at, again)
        if again.until is not None and job.attempt < TEXT_AFTER_ATTEMPTS:
            return again
        if await self._is_acknowledged(unit, plan.telling):
            return again
        text = await deliveries.begin_text(unit, plan.telling, policy=texting.policy)
        return again if text is None else replace(again, text=text)

    async def _next_of_told(
        self, unit: UnitOfWork, plan: _Plan, texting: Texting, told_at: datetime, again: _Next
    ) -> _Next:
        """Return when a deduction that a device took goes out as a text as well, if ever."""
        category = RULES[plan.template].category
        if texting.after is None or not is_on(plan.book.muted, category, NoticeChannel.SMS):
            return again
        # What was pushed need not wake anybody: the text waits for the end of the quiet hours.
        due_at = max(told_at + texting.after, _quiet_until(plan.book, unit.now()) or told_at)
        if unit.now() < due_at and again.until is not None:
            return again
        if await self._is_acknowledged(unit, plan.telling):
            return again
        if unit.now() < due_at:
            number = await deliveries.textable_number(unit, plan.telling.driver_id, texting.policy)
            return again if number is None else _Next(until=due_at)
        text = await deliveries.begin_text(unit, plan.telling, policy=texting.policy)
        return again if text is None else replace(again, text=text)

    async def _is_acknowledged(self, unit: UnitOfWork, telling: Telling) -> bool:
        if await notices.is_acknowledged(unit, telling.driver_id, telling.event_id):
            return True
        return await deliveries.was_acknowledged(unit, telling.driver_id, telling.event_id)

    async def _tell_by_text(
        self, plan: _Plan, pending: PendingText, job: Job, pushed_at: datetime | None
    ) -> None:
        if self._texting is None:
            raise RuntimeError("a text was begun without a gateway")
        result = PushResult(PushOutcome.SENT)
        try:
            await self._texting.sender.send(text_message(pending, plan.telling, plan.text))
        except SmsNotSentError as error:
            _log.warning("text_not_sent", delivery_id=str(pending.id), reason=str(error))
            result = _text_failure(error, pending)
        _TEXTS.labels(plan.template, result.outcome).inc()
        driver_id = plan.telling.driver_id
        async with self._database.begin() as unit:
            until = self._again(unit, [result], job.attempt).until
            if result.outcome != PushOutcome.SENT and pushed_at is not None:
                until = max(until or pushed_at, pushed_at)
            await _end_attempt(unit, job, until)
            failure = result.failure or ""
            match result.outcome:
                case PushOutcome.SENT:
                    await deliveries.mark_sent(unit, driver_id, pending.id)
                    await deliveries.give_up(unit, plan.telling, deliveries.TOLD_BY_TEXT)
                case PushOutcome.RETRY:
                    await deliveries.mark_tried(unit, driver_id, pending.id, failure)
                case _:
                    await deliveries.mark_failed(unit, driver_id, pending.id, failure)

    def _again(self, unit: UnitOfWork, results: Sequence[PushResult], attempt: int) -> _Next:
        """Return when what failed for now is tried again, if anything did."""
        again = [result for result in results if result.outcome == PushOutcome.RETRY]
        if not again:
            return _Next()
        asked_s = max(result.retry_after_s or 0.0 for result in again)
        wait_s = max(min(2.0**attempt, RETRY_S_MAX), min(asked_s, RETRY_AFTER_S_MAX))
        # Only ever later: a service that asked for 30 seconds is not asked again after 29.
        return _Next(until=unit.now() + timedelta(seconds=wait_s * (1 + JITTER * self._draw())))


def _text_failure(error: SmsNotSentError, pending: PendingText) -> PushResult:
    is_last = pending.attempts + 1 >= UNANSWERED_TEXTS_MAX
    is_final = isinstance(error, SmsRefusedError) or (
        is_last and isinstance(error, SmsUnansweredError)
    )
    outcome = PushOutcome.REFUSED if is_final else PushOutcome.RETRY
    return PushResult(outcome, failure=error.code)


def _quiet_until(book: NoticeBook, now: datetime) -> datetime | None:
    hours = quiet_hours_of(book)
    return None if hours is None else hours.until(now)


async def _end_attempt(unit: UnitOfWork, job: Job, until: datetime | None) -> None:
    if until is None:
        await outbox.mark_done(unit, job.owner_id, job.event_id)
        return
    await outbox.postpone(unit, job.owner_id, job.event_id, attempt=job.attempt, until=until)


async def _record(unit: UnitOfWork, plan: _Plan, results: Sequence[PushResult]) -> None:
    driver_id = plan.telling.driver_id
    for (pending, _), result in zip(plan.messages, results, strict=True):
        failure = result.failure or ""
        match result.outcome:
            case PushOutcome.SENT:
                await deliveries.mark_sent(unit, driver_id, pending.id, result.reference)
            case PushOutcome.RETRY:
                await deliveries.mark_tried(unit, driver_id, pending.id, failure)
            case PushOutcome.GONE:
                await deliveries.mark_failed(unit, driver_id, pending.id, failure)
                await deliveries.disable_device(unit, driver_id, pending.device_id, pending.target)
            case PushOutcome.REFUSED:
                await deliveries.mark_failed(unit, driver_id, pending.id, failure)
                _log.error("push_refused", delivery_id=str(pending.id), failure=failure)
