"""Collecting a bill for a partner: claimed, then paid or released; in both operators' books.

The owner's bill is always locked before the collector's.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import or_, text
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.ids import derive_id
from parking.kit.money import Money
from parking.payments import ledger, owing
from parking.payments import service as payments
from parking.payments.credit_rules import COLLECTION_BACKOFF
from parking.payments.errors import NothingDueError, PaymentInProgressError
from parking.payments.models import AttemptKind, Bill, BillState
from parking.payments.partner_models import CollectionState, PartnerCollection

COLLECTED_FOR_PARTNER: Final = "partner"
COLLECTIONS_MAX: Final = 101
DUE_MAX: Final = 50
# Whoever claimed charges at once; should that process die, the sweep looks after this time.
CHECKED_AFTER: Final = timedelta(minutes=2)

_TAKE_DUE = text(
    """
    UPDATE partner_collections SET check_at = :now + :lease
    FROM (
        SELECT operator_id, id FROM partner_collections
        WHERE state = 'claimed' AND check_at <= :now
        ORDER BY check_at LIMIT :rows FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE partner_collections.operator_id = due.operator_id AND partner_collections.id = due.id
    RETURNING partner_collections.operator_id, partner_collections.id
    """
)


async def claim(
    unit: UnitOfWork,
    owed: Bill,
    *,
    collector_id: UUID,
    place_id: UUID,
    place_name: str,
    timezone: str,
    by: str,
) -> PartnerCollection:
    """Keep an owed bill from everybody else, and issue the collector's own bill in its place.

    Again by the same collector returns the claim that stands.

    Args:
        unit: The transaction.
        owed: Locked; the two operators are partners.
        collector_id: Who collects.
        place_id: Where, at the collector.
        place_name: Of the place where it is owed: what the payer reads.
        timezone: Of the collector's place.
        by: Who asked for it.

    Raises:
        NothingDueError: it is not owed.
        PaymentInProgressError: it is being paid in another way.
    """
    if owed.claim_id is not None:
        standing = await find(unit, collector_id, owed.claim_id)
        if standing is not None and standing.state == CollectionState.CLAIMED:
            return standing
    if owed.state != BillState.OWED or owed.session_id is None:
        raise NothingDueError("bill: it is not owed")
    payments.require_free(owed)
    # Every claim counts the owed bill's attempts up, released ones too: ids are never used again.
    owed.attempts += 1
    collection_id = derive_id(owed.id, f"collection:{owed.attempts}")
    bill = await _issue(unit, owed, collector_id, collection_id, place_name, timezone)
    collection = PartnerCollection(
        operator_id=collector_id,
        id=collection_id,
        owner_id=owed.operator_id,
        owed_bill_id=owed.id,
        owed_session_id=owed.session_id,
        bill_id=bill.id,
        place_id=place_id,
        amount_minor=owed.total_minor,
        currency=owed.currency,
        state=CollectionState.CLAIMED,
        claimed_by=by,
        claimed_at=unit.now(),
        check_at=unit.now() + CHECKED_AFTER,
    )
    unit.session.add(collection)
    owed.claim_id = collection_id
    return collection


async def _issue(
    unit: UnitOfWork,
    owed: Bill,
    collector_id: UUID,
    collection_id: UUID,
    place_name: str,
    timezone: str,
) -> Bill:
    line = {
        "reason": COLLECTED_FOR_PARTNER,
        "starts_at": None,
        "ends_at": None,
        "block_minutes": None,
        "block_count": None,
        "block_amount_minor": None,
        "amount_minor": owed.total_minor,
        "capped_from_minor": None,
        "running_total_minor": owed.total_minor,
        "collection": "",
        "note": place_name,
    }
    return await payments.issue_bill(
        unit,
        payments.NewBill(
            operator_id=collector_id,
            driver_id=owed.driver_id,
            total=Money(owed.total_minor, owed.currency),
            lines=[line],
            priced_until=unit.now(),
            collection_id=collection_id,
            basis={
                "partner_format": 1,
                "owner_id": str(owed.operator_id),
                "owed_bill_id": str(owed.id),
                "place_name": place_name,
                "timezone": timezone,
            },
            earned_by=ledger.partner_of(owed.operator_id),
        ),
    )


async def finish(unit: UnitOfWork, collection: PartnerCollection, owed: Bill) -> None:
    """Pay the owner's locked bill with what the collector took, once."""
    if collection.state != CollectionState.CLAIMED:
        return
    await payments.take_in_hand(
        unit,
        owed,
        kind=AttemptKind.PARTNER,
        account=ledger.partner_of(collection.operator_id),
        number=collection.id.hex,
    )
    collection.state = CollectionState.COLLECTED
    collection.finished_at = unit.now()


async def release(unit: UnitOfWork, collection: PartnerCollection, owed: Bill, bill: Bill) -> None:
    """Let an unpaid bill be owed to its owner as before; both bills are locked.

    Raises:
        PaymentInProgressError: the collector's bill is being paid.
    """
    if collection.state != CollectionState.CLAIMED:
        return
    if bill.state == BillState.PAID:
        raise PaymentInProgressError("collection: its money is here")
    await payments.void_bill(unit, bill, earned_by=ledger.partner_of(collection.owner_id))
    collection.state = CollectionState.RELEASED
    collection.finished_at = unit.now()
    if owed.claim_id == collection.id:
        owed.claim_id = None
    listed = await owing.find(unit, owed.operator_id, owed.id)
    if listed is not None:
        listed.collector_id = listed.collector_place_id = None
        if listed.next_try_at is not None:
            listed.next_try_at = unit.now() + COLLECTION_BACKOFF[0]


async def find(
    unit: UnitOfWork, operator_id: UUID, collection_id: UUID
) -> PartnerCollection | None:
    """Return a collection as it is stored now."""
    key = (operator_id, collection_id)
    return await unit.session.get(PartnerCollection, key, populate_existing=True)


async def take_due(unit: UnitOfWork, lease: timedelta) -> list[tuple[UUID, UUID]]:
    """Take claims that were left half done, for `lease`; returns (collector, collection)."""
    values = {"now": unit.now(), "lease": lease, "rows": DUE_MAX}
    return [(row.operator_id, row.id) for row in await unit.run(_TAKE_DUE, values)]


async def page(
    unit: UnitOfWork, operator_id: UUID, *, first: int, before: UUID | None
) -> list[PartnerCollection]:
    """Return what an operator collected for partners, or they for it, the newest first."""
    statement = (
        select(PartnerCollection)
        .where(
            or_(
                col(PartnerCollection.operator_id) == operator_id,
                col(PartnerCollection.owner_id) == operator_id,
            )
        )
        .order_by(col(PartnerCollection.id).desc())
        .limit(min(first, COLLECTIONS_MAX))
    )
    if before is not None:
        statement = statement.where(col(PartnerCollection.id) < before)
    return list(await unit.session.exec(statement))
