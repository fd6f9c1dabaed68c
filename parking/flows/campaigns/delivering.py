"""What is queued goes out: each message is looked at once more, and handed to the notifications.

Whatever belongs to a message commits with it: that it is sent, what is attached, and the event that
the notifications tell of. A process that dies in between has done nothing of it.
"""

from typing import Final
from uuid import UUID

from prometheus_client import Counter

from parking.campaigns import repository, sending
from parking.campaigns.caps import Caps
from parking.campaigns.content import Written, write
from parking.campaigns.document import CampaignDocument, read_document
from parking.campaigns.events import CAMPAIGN_MESSAGE
from parking.campaigns.models import CampaignState, SendState
from parking.campaigns.queueing import CAPS_LOCK
from parking.campaigns.sending import DueSend, Settled, ToldDays
from parking.events import outbox
from parking.events.envelope import Event
from parking.flows.campaigns.attaching import attach
from parking.flows.context import ParkingContext
from parking.flows.notices.wording import language_of
from parking.kit.database import UnitOfWork
from parking.kit.ids import new_id

BATCHES_PER_TURN_MAX: Final = 20
ATTACHED_PER_TURN_MAX: Final = 500
_SETTLED: Final = Counter(
    "sesame_campaign_messages", "Queued campaign messages, by what became of them", ["state"]
)


async def deliver_due(context: ParkingContext) -> int:
    """Hand over what is due, in batches; returns how many messages went."""
    sent = await _deliver_batches(context, BATCHES_PER_TURN_MAX, is_attached=False)
    return sent + await _deliver_batches(context, ATTACHED_PER_TURN_MAX, is_attached=True)


async def _deliver_batches(context: ParkingContext, batches_max: int, *, is_attached: bool) -> int:
    sent = 0
    for _ in range(batches_max):
        async with context.database.begin() as unit:
            room = await sending.room_left(unit)
            due = await sending.take_due(unit, is_attached=is_attached, rows_max=room)
            settled = await _deliver(unit, due) if due else []
        # After the commit: what is rolled back was not settled.
        for one in settled:
            _SETTLED.labels(one.state).inc()
        sent += sum(one.state is SendState.SENT for one in settled)
        if not due:
            break
    return sent


async def _deliver(unit: UnitOfWork, due: list[DueSend]) -> list[Settled]:
    agreed = await sending.hold_consents(unit, [send.driver_id for send in due])
    documents = {send.campaign_id: read_document(send.document) for send in due}
    moved = [send for send in due if _is_moved(send)]
    told: ToldDays | None = None
    if moved:
        # It is another day than it was counted for: it counts for today, if today has room.
        await unit.run(CAPS_LOCK)
        told = await ToldDays.read(unit, moved)
    settled: list[Settled] = []
    for send in due:
        document = documents[send.campaign_id]
        refusal = _refusal(unit, send, document, agreed)
        if refusal is None and told is not None and _is_moved(send):
            policy = await repository.find_policy(unit, send.operator_id)
            caps = Caps(policy.day_messages_max, policy.week_messages_max, policy.control_permille)
            refusal = None if told.move(send, caps) else SendState.CAPPED
        if refusal is None and not await attach(unit, send, document):
            refusal = SendState.EXHAUSTED
        if refusal is not None:
            settled.append(Settled(send, refusal))
            continue
        event = _event(unit, send, document)
        outbox.append(unit, event)
        settled.append(Settled(send, SendState.SENT, event.id))
    await sending.settle(unit, settled)
    return settled


def _is_moved(send: DueSend) -> bool:
    return send.today != send.local_day and not send.is_test


def _refusal(
    unit: UnitOfWork, send: DueSend, document: CampaignDocument, agreed: frozenset[UUID]
) -> SendState | None:
    """Return why a message does not go; None where it may."""
    if send.locale is None or send.driver_id not in agreed:
        return SendState.WITHDRAWN
    if send.is_test:
        return None
    if send.campaign_state != CampaignState.RUNNING:
        return SendState.ENDED
    return SendState.EXPIRED if send.not_before + document.useful < unit.now() else None


def _event(unit: UnitOfWork, send: DueSend, document: CampaignDocument) -> Event:
    written = text_for(send, document)
    now = unit.now()
    return Event(
        id=new_id(now),
        type=CAMPAIGN_MESSAGE,
        owner_id=send.operator_id,
        subject_id=send.campaign_id,
        occurred_at=now,
        payload={
            "driver_id": str(send.driver_id),
            "title": written.title,
            "body": written.body,
            "because": document.reasons(send.place_id),
        },
    )


def text_for(send: DueSend, document: CampaignDocument) -> Written:
    """Return what a driver reads, in the account's language."""
    values = {
        "place": send.place_name or send.operator_name,
        "operator": send.operator_name,
        "visits": str(send.visits),
    }
    return write(document.content, language_of(send.locale or ""), values)
