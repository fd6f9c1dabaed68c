"""Tells drivers about events: who gets which message, on which devices, and what then."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from notifications.push import PushMessage, PushOutcome, PushResult, PushSender
from notifications.templates import (
    DEDUCTIONS,
    DEFAULT_LOCALE,
    DISPUTES,
    PASSES,
    WITH_AMOUNT,
    Template,
    Text,
    render,
    template_of,
)
from parking.drivers import deliveries
from parking.drivers.deliveries import PendingDelivery, PendingText
from parking.drivers.port import SmsMessage, SmsNotSentError, SmsSender
from parking.drivers.texting import SmsPolicy
from parking.events import outbox
from parking.events.envelope import Event
from parking.events.relay import Job
from parking.events.types import PASS_EVENTS, EventType
from parking.kit.database import Database, UnitOfWork

SEND_TIMEOUT_S: Final = 12.0
# Longer than sending and recording take: no second attempt begins while one is at work.
CLAIM: Final = timedelta(seconds=20)
RETRY_S_MAX: Final = 300.0
RETRY_AFTER_S_MAX: Final = 3600.0
JITTER: Final = 0.25
# A deduction that no device took by then, after about a minute, goes out as a text message.
TEXT_AFTER_ATTEMPTS: Final = 6

# What an event is about, where it is not a stay.
_SUBJECTS: Final[Mapping[str, str]] = {
    EventType.INVOICE_ISSUED: "invoice_id",
    **dict.fromkeys(PASS_EVENTS, "pass_id"),
}
_DATA_FIELDS: Final = ("amount_minor", "currency", "pay_url", "direction", "place_id")
_TEXTS: Final = Counter("sesame_texts", "Text messages by outcome", ["template", "outcome"])
_PUSHES: Final = Counter("sesame_pushes", "Pushes by outcome", ["template", "outcome"])
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What one attempt has to send."""

    driver_id: UUID
    template: Template
    text: Text
    messages: Sequence[tuple[PendingDelivery, PushMessage]]


class Notifier:
    """The durable consumer of events that drivers are told of.

    Args:
        database: Where events, devices and deliveries are.
        push: `None` where no push service is configured: nobody is then pushed to.
        sms: Tells of deductions where no device could be told; `None` without a gateway.
        sms_policy: Which numbers it may tell.
        claim: How long one attempt may work before another may begin.
        draw: Returns a number from 0 to 1, for the jitter of retries.
    """

    def __init__(
        self,
        database: Database,
        push: PushSender | None,
        *,
        sms: SmsSender | None = None,
        sms_policy: SmsPolicy = SmsPolicy(),  # noqa: B008 - frozen
        claim: timedelta = CLAIM,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._push = push
        self._sms = sms
        self._sms_policy = sms_policy
        self._claim = claim
        self._draw = draw

    def wants(self, event: Event) -> bool:
        """Say whether a driver is to be told of `event`."""
        template = template_of(event)
        if template is None or not event.payload.get("driver_id"):
            return False
        return self._push is not None or (self._sms is not None and template in DEDUCTIONS)

    async def deliver(self, job: Job) -> None:
        """Make one attempt to tell the driver on every device that has not been told.

        A deduction goes to the driver's number where there is no device, all have failed, or they
        do not answer for long.

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
        results: Sequence[PushResult] = [] if plan is None else await self._send(plan)
        async with self._database.begin() as unit:
            if plan is not None:
                await _record(unit, plan, results)
            pending_text = await self._begin_text(unit, plan, results, job)
            if pending_text is None:
                await self._end_attempt(unit, job, self._delay_s(results, job.attempt))
        if plan is not None and pending_text is not None:
            await self._tell_by_text(plan, pending_text, job)

    async def _end_attempt(self, unit: UnitOfWork, job: Job, delay_s: float | None) -> None:
        if delay_s is None:
            await outbox.mark_done(unit, job.owner_id, job.event_id)
            return
        until = unit.now() + timedelta(seconds=delay_s)
        await outbox.postpone(unit, job.owner_id, job.event_id, attempt=job.attempt, until=until)

    async def _begin_text(
        self, unit: UnitOfWork, plan: _Plan | None, results: Sequence[PushResult], job: Job
    ) -> PendingText | None:
        if self._sms is None or plan is None or plan.template not in DEDUCTIONS:
            return None
        is_trying = any(result.outcome == PushOutcome.RETRY for result in results)
        if is_trying and job.attempt < TEXT_AFTER_ATTEMPTS:
            return None
        if await deliveries.was_told(unit, plan.driver_id, job.event_id):
            return None
        return await deliveries.begin_text(
            unit, plan.driver_id, job.event_id, template=plan.template, policy=self._sms_policy
        )

    async def _tell_by_text(self, plan: _Plan, pending: PendingText, job: Job) -> None:
        if self._sms is None:
            raise RuntimeError("a text was begun without a gateway")
        text = f"{plan.text.title}. {plan.text.body}"
        result = PushResult(PushOutcome.SENT)
        try:
            await self._sms.send(SmsMessage(pending.id, pending.phone_number, text))
        except SmsNotSentError as error:
            _log.warning("text_not_sent", delivery_id=str(pending.id), reason=str(error))
            result = PushResult(PushOutcome.RETRY, failure=error.code)
        _TEXTS.labels(plan.template, result.outcome).inc()
        async with self._database.begin() as unit:
            if result.outcome == PushOutcome.SENT:
                await deliveries.mark_sent(unit, plan.driver_id, pending.id)
            else:
                await deliveries.mark_tried(unit, plan.driver_id, pending.id, result.failure or "")
            await self._end_attempt(unit, job, self._delay_s([result], job.attempt))

    async def _plan(self, unit: UnitOfWork, event: Event) -> _Plan | None:
        template = template_of(event)
        if template is None or not self.wants(event):
            return None
        driver_id = UUID(str(event.payload["driver_id"]))
        locale = await deliveries.find_locale(unit, driver_id)
        if locale is None:
            return None
        text = render(template, event, locale or DEFAULT_LOCALE)
        pending: Sequence[PendingDelivery] = []
        if self._push is not None:
            pending = await deliveries.begin_pushes(unit, driver_id, event.id, template=template)
        messages = [(one, _message(one, template, event, text)) for one in pending]
        return _Plan(driver_id, template, text, messages)

    async def _send(self, plan: _Plan) -> Sequence[PushResult]:
        results = await asyncio.gather(*(self._send_one(message) for _, message in plan.messages))
        for result in results:
            _PUSHES.labels(plan.template, result.outcome).inc()
        return results

    async def _send_one(self, message: PushMessage) -> PushResult:
        if self._push is None:
            raise RuntimeError("a plan was made without a push service")
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                return await self._push.send(message)
        except TimeoutError:
            return PushResult(PushOutcome.RETRY, failure="timeout")

    def _delay_s(self, results: Sequence[PushResult], attempt: int) -> float | None:
        """Return how long the next attempt must wait; `None` if there is nothing left to try."""
        again = [result for result in results if result.outcome == PushOutcome.RETRY]
        if not again:
            return None
        asked_s = max(result.retry_after_s or 0.0 for result in again)
        wait_s = max(min(2.0**attempt, RETRY_S_MAX), min(asked_s, RETRY_AFTER_S_MAX))
        # Only ever later: a service that asked for 30 seconds is not asked again after 29.
        return wait_s * (1 + JITTER * self._draw())


def _group(template: Template) -> str:
    if template in DISPUTES.values():
        return "dispute"
    return "money" if template in WITH_AMOUNT | PASSES else "gate"


def _message(pending: PendingDelivery, template: Template, event: Event, text: Text) -> PushMessage:
    group = _group(template)
    data = {
        "type": event.type,
        "event_id": str(event.id),
        "delivery_id": str(pending.id),
        "operator_id": str(event.owner_id),
        _SUBJECTS.get(event.type, "session_id"): str(event.subject_id),
        "version": str(event.version or 0),
    }
    known = {name: event.payload.get(name) for name in _DATA_FIELDS}
    data |= {name: str(value) for name, value in known.items() if value is not None}
    return PushMessage(
        delivery_id=pending.id,
        target_kind=pending.target_kind,
        target=pending.target,
        title=text.title,
        body=text.body,
        tag=str(event.id),
        collapse_key=f"{group}:{event.subject_id}",
        data=data,
    )


async def _record(unit: UnitOfWork, plan: _Plan, results: Sequence[PushResult]) -> None:
    for (pending, _), result in zip(plan.messages, results, strict=True):
        failure = result.failure or ""
        match result.outcome:
            case PushOutcome.SENT:
                await deliveries.mark_sent(unit, plan.driver_id, pending.id)
            case PushOutcome.RETRY:
                await deliveries.mark_tried(unit, plan.driver_id, pending.id, failure)
            case PushOutcome.GONE:
                await deliveries.mark_failed(unit, plan.driver_id, pending.id, failure)
                await deliveries.disable_device(
                    unit, plan.driver_id, pending.device_id, pending.target
                )
            case PushOutcome.REFUSED:
                await deliveries.mark_failed(unit, plan.driver_id, pending.id, failure)
                _log.error("push_refused", delivery_id=str(pending.id), failure=failure)
