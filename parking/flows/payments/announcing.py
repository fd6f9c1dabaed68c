"""Telling providers of a car while it is inside, so that no charge has to do it in the lane.

What is to be told is remembered with the entry, or with the permission that comes later, and told
by the sweep. Nothing waits for it: a charge tells the provider itself where nobody has before.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.payments import announcements, mandate_rows
from parking.payments.announcements import AnnouncementKey
from parking.payments.mandate_models import StayAnnouncement
from parking.payments.models import Mandate, MandateState
from parking.payments.port import (
    ProviderTraits,
    StayDetails,
    StayListener,
    order_number,
)
from parking.places import service as places
from parking.sessions import repository as sessions
from parking.sessions import service as session_service
from parking.sessions.models import Session

SWEEP_AT_ONCE_MAX: Final = 5

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _News:
    """What one provider is to be told."""

    known: StayAnnouncement
    agreement_reference: str
    stay: StayDetails


async def note_entry(
    context: ParkingContext, unit: UnitOfWork, session: Session, currency: str
) -> None:
    """Remember to tell the providers that its driver's mandates are with of a stay."""
    wanted = _wanted_by(context, currency)
    if wanted and session.driver_id is not None:
        await announcements.note(
            unit,
            session.operator_id,
            session.id,
            driver_id=session.driver_id,
            plate_index=session.plate_index,
            currency=currency,
            providers=wanted,
        )


async def note_permission(context: ParkingContext, unit: UnitOfWork, mandate: Mandate) -> None:
    """Remember to tell a mandate's provider of its car, if that is inside already."""
    if mandate.state != MandateState.ACTIVE or mandate.plate_index is None:
        return
    await unit.session.flush()
    for key in await sessions.list_open_of_plate(unit, mandate.plate_index):
        session = await sessions.find_session(unit, *key)
        if session is not None and session.driver_id == mandate.driver_id:
            place = await places.require_place(unit, session.operator_id, session.place_id)
            await note_entry(context, unit, session, place.currency)


async def sweep(context: ParkingContext) -> int:
    """Tell providers what they do not know yet; returns how much there was."""
    wanted = [name for name, one in context.providers.items() if one.traits.announces_stays]
    if not wanted:
        return 0
    async with context.database.begin() as unit:
        due = await announcements.take_due(unit, wanted)
    for start in range(0, len(due), SWEEP_AT_ONCE_MAX):
        batch = due[start : start + SWEEP_AT_ONCE_MAX]
        answers = await asyncio.gather(
            *(_tell(context, key) for key in batch), return_exceptions=True
        )
        for key, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception):
                # It comes again by itself, later every time.
                session_id = str(key.session_id)
                _log.warning(
                    "stay.untold", session=session_id, provider=key.provider, error=repr(answer)
                )
    return len(due)


async def _tell(context: ParkingContext, key: AnnouncementKey) -> None:
    provider = context.provider(key.provider)
    async with context.database.begin() as unit:
        news = await _news(unit, key, provider.traits)
    if news is None or not isinstance(provider, StayListener):
        return
    reference = await provider.announce_stay(news.agreement_reference, news.stay)
    async with context.database.begin() as unit:
        await announcements.settle(unit, news.known, reference)


async def _news(unit: UnitOfWork, key: AnnouncementKey, traits: ProviderTraits) -> _News | None:
    """Return what is to be told now; None, and that nothing is, where it came to nothing."""
    known = await announcements.find(unit, key)
    if known is None or known.next_try_at is None:
        return None
    session = await sessions.find_session(unit, key.operator_id, key.session_id)
    mandate = await mandate_rows.find_mandate(unit, known.driver_id, known.mandate_id)
    reference = None if mandate is None else mandate.agreement_reference
    if session is None or mandate is None or reference is None:
        await announcements.settle(unit, known, known.reference)
        return None
    if known.ended_at is None:
        is_news = known.reference is None and known.used_by is None
        # The permission of this moment counts: who ended it has no cars told of any more.
        is_news = is_news and mandate.state == MandateState.ACTIVE
    else:
        is_news = known.reference is not None and traits.announces_departures
    if not is_news:
        await announcements.settle(unit, known, known.reference)
        return None
    place = await places.require_place(unit, session.operator_id, session.place_id)
    stay = StayDetails(
        number=order_number(session.id),
        plate=session_service.plate_of(unit, session),
        place_id=place.id,
        place_name=place.name,
        entered_at=session.entered_at,
        left_at=known.ended_at,
        reference=known.reference,
    )
    return _News(known, reference, stay)


def _wanted_by(context: ParkingContext, currency: str) -> list[str]:
    """Return the providers that want to know of stays, and could charge one in this currency."""
    return [
        name
        for name, provider in context.providers.items()
        if provider.traits.announces_stays
        and (not provider.traits.currencies or currency in provider.traits.currencies)
    ]
