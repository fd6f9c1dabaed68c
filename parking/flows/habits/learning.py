"""Learning from a stay that has ended, where its driver allowed it. Never in the lane."""

from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.dialects.postgresql import insert

from parking.drivers import consents, stays
from parking.drivers.consent_models import ConsentKind, DriverConsent
from parking.events.envelope import Event
from parking.events.models import ConsumedEvent
from parking.events.types import EventType
from parking.habits import repository
from parking.kit.database import UnitOfWork

CONSUMER: Final = "habits"


def wants(event: Event) -> bool:
    """Return whether something may be learned from an event."""
    return event.type == EventType.SESSION_ENDED and bool(event.payload.get("driver_id"))


async def learn(unit: UnitOfWork, event: Event) -> bool:
    """Learn from one event, once; returns whether anything was.

    Nothing is without a consent that holds until the commit, nor from a stay that began before it
    was given, nor from one that is not the driver's any more.
    """
    if not wants(event):
        return False
    driver_id = UUID(str(event.payload["driver_id"]))
    if not await consents.hold(unit, driver_id, ConsentKind.HABITS):
        return False
    taken = insert(ConsumedEvent).values(
        consumer=CONSUMER, event_id=event.id, consumed_at=unit.now()
    )
    if (await unit.run(taken.on_conflict_do_nothing())).rowcount == 0:
        return False
    consent = await unit.session.get(DriverConsent, (driver_id, ConsentKind.HABITS))
    stay = await stays.find_stay(unit, driver_id, event.subject_id)
    if stay is None or consent is None or stay.entered_at < consent.given_at:
        return False
    local = stay.entered_at.astimezone(ZoneInfo(str(event.payload["timezone"])))
    key = (event.owner_id, UUID(str(event.payload["place_id"])), driver_id)
    return await repository.add_visit(unit, key, stay.entered_at, local)
