"""What a settled payment means for the partner that it was collected for."""

from typing import Any
from uuid import UUID

from parking.events.types import EventType
from parking.flows.payments import deductions
from parking.kit.database import ConflictError, UnitOfWork
from parking.payments import partner_collections, repository
from parking.payments.models import AttemptKind, AttemptState, Bill, PaymentAttempt
from parking.payments.partner_models import PartnerCollection
from parking.places import service as places
from parking.sessions import service as sessions
from parking.sessions.events import tell
from parking.sessions.models import Session


async def lock(
    unit: UnitOfWork, operator_id: UUID, collection_id: UUID
) -> tuple[PartnerCollection, Session, Bill]:
    """Lock the owner's stay and bill before the collector's bill.

    Raises:
        ConflictError: they are not there.
    """
    collection = await partner_collections.find(unit, operator_id, collection_id)
    if collection is None:
        raise ConflictError("collection: expected a stored one")
    session = await sessions.lock_session(unit, collection.owner_id, collection.owed_session_id)
    owed = await repository.lock_bill(unit, collection.owner_id, collection.owed_bill_id)
    if session is None or owed is None:
        raise ConflictError("collection: expected one whose bill is kept")
    # As it stands now that nobody else can change it: the owner's bill guards it.
    collection = await partner_collections.find(unit, operator_id, collection_id)
    if collection is None:
        raise ConflictError("collection: expected a stored one")
    return collection, session, owed


async def settled(unit: UnitOfWork, bill: Bill, attempt: PaymentAttempt) -> None:
    """Follow an attempt whose state changed; its bill, its owner's bill and stay are locked."""
    if bill.collection_id is None:
        return
    collection, session, owed = await held(unit, bill.operator_id, bill.collection_id)
    if attempt.state == AttemptState.SUCCEEDED:
        await paid(unit, collection, session, owed, attempt)
    elif attempt.state == AttemptState.FAILED and attempt.kind == AttemptKind.CHECKOUT:
        # Its page is over. After a mandate, whoever charges tries the next one at once.
        await partner_collections.release(unit, collection, owed, bill)


async def paid(
    unit: UnitOfWork,
    collection: PartnerCollection,
    session: Session,
    owed: Bill,
    attempt: PaymentAttempt | None = None,
) -> None:
    """Pay the owner's bill with what the collector took by `attempt`, and tell the driver."""
    await partner_collections.finish(unit, collection, owed)
    place = await places.require_place(unit, session.operator_id, session.place_id)
    payload: dict[str, Any] = {
        "amount_minor": owed.total_minor,
        "currency": owed.currency,
        "provider": "partner",
        "place_name": place.name,
        "timezone": place.timezone,
    }
    if attempt is not None:
        payload |= deductions.told_of(unit, attempt)
        if collection.claimed_by == deductions.SWEEP:
            payload["can_wait"] = True
    tell(unit, session, EventType.PAYMENT_CHARGED, payload)


async def held(
    unit: UnitOfWork, operator_id: UUID, collection_id: UUID
) -> tuple[PartnerCollection, Session, Bill]:
    """Return the rows that `lock` has locked in this transaction."""
    collection = await unit.session.get(PartnerCollection, (operator_id, collection_id))
    if collection is None:
        raise ConflictError("collection: expected a stored one")
    session = await unit.session.get(Session, (collection.owner_id, collection.owed_session_id))
    owed = await unit.session.get(Bill, (collection.owner_id, collection.owed_bill_id))
    if session is None or owed is None:
        raise ConflictError("collection: expected one whose bill is kept")
    return collection, session, owed
