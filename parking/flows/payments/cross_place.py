"""Paying at one operator's place what is owed at a partner's: claim, collect, settle or release.

Each step is a transaction. A process that dies between two leaves a claim: the sweep finishes it
if the money came, and releases it if none is under way, so that the owner can collect again.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import structlog

from parking.flows.context import ParkingContext
from parking.flows.payments import charging, checkout, partner_settlement
from parking.flows.payments.visitor import ANYONE, Visitor
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.payments import ledger, owing, partner_collections, partners, repository
from parking.payments import service as payments
from parking.payments.errors import (
    BillUnknownError,
    NothingDueError,
    PartnershipUnknownError,
    PaymentInProgressError,
    PaymentUnavailableError,
)
from parking.payments.models import AttemptKind, AttemptState, BillState
from parking.payments.partner_models import CollectionState, PartnerCollection, PartnershipState
from parking.payments.rules import LIVE_STATES
from parking.places import repository as place_rows
from parking.sessions import service as sessions

SWEEP_LEASE: Final = timedelta(minutes=2)
SWEEP_AT_ONCE_MAX: Final = 5

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class PaidHow(StrEnum):
    """What became of a payment: settled, open at the provider, refused, or to be made by hand."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    REFUSED = "refused"
    CHECKOUT = "checkout"


@dataclass(frozen=True, slots=True)
class OwedPayment:
    """The outcome of paying what is owed; `checkout_url` is set with CHECKOUT."""

    status: PaidHow
    amount: Money
    checkout_url: str | None = None


@dataclass(frozen=True, slots=True)
class Debt:
    """What is owed to whom, and who wants to collect it where."""

    owner_id: UUID
    bill_id: UUID
    collector_id: UUID
    place_id: UUID
    by: str


async def claim(context: ParkingContext, debt: Debt) -> PartnerCollection:
    """Keep a partner's owed bill from everybody else; again returns the claim that stands.

    Raises:
        PartnershipUnknownError: the operators are no partners.
        BillUnknownError: there is no such bill.
        NothingDueError: it is not owed.
        PaymentInProgressError: it is being paid in another way.
    """
    async with context.database.begin() as unit:
        return await _claim(unit, debt)


async def by_mandate(context: ParkingContext, debt: Debt, *, is_waited_for: bool) -> OwedPayment:
    """Charge what is owed to the driver's mandates, in the collector's books; errors as in `claim`.

    What no mandate pays is owed to its owner as before.
    """
    collection = await claim(context, debt)
    amount = Money(collection.amount_minor, collection.currency)
    attempt = await charging.charge_bill(
        context, collection.operator_id, collection.bill_id, is_waited_for=is_waited_for
    )
    if attempt is not None and attempt.state == AttemptState.SUCCEEDED:
        return OwedPayment(PaidHow.SUCCEEDED, amount)
    if attempt is not None and attempt.state in LIVE_STATES:
        return OwedPayment(PaidHow.PENDING, amount)
    await finish(context, collection.operator_id, collection.id)
    return OwedPayment(PaidHow.REFUSED, amount)


async def by_page(
    context: ParkingContext, debt: Debt, return_url: str, visitor: Visitor = ANYONE
) -> OwedPayment:
    """Open the provider's page for what is owed, in the collector's books; errors as in `claim`.

    Raises:
        PaymentUnavailableError: the provider opened no page.
    """
    collection = await claim(context, debt)
    amount = Money(collection.amount_minor, collection.currency)
    try:
        url = await checkout.open_bill_page(
            context, collection.operator_id, collection.bill_id, return_url, visitor
        )
    except PaymentUnavailableError:
        await finish(context, collection.operator_id, collection.id)
        raise
    return OwedPayment(PaidHow.CHECKOUT, amount, url)


async def by_cash(context: ParkingContext, debt: Debt) -> OwedPayment:
    """Take what is owed over the collector's counter, all in one transaction; errors as in `claim`.

    Again changes nothing.
    """
    async with context.database.begin() as unit:
        known = await _taken_before(unit, debt)
        if known is not None:
            return known
        claimed = await _claim(unit, debt)
        await unit.session.flush()
        held, session, owed = await partner_settlement.held(unit, claimed.operator_id, claimed.id)
        bill = await repository.lock_bill(unit, held.operator_id, held.bill_id)
        if bill is None:
            raise BillUnknownError("billId: expected one that is owed")
        payments.require_free(bill)
        await payments.take_in_hand(
            unit,
            bill,
            kind=AttemptKind.CASH,
            account=ledger.CASH_DESK,
            number=bill.id.hex,
            by=debt.by,
        )
        await partner_settlement.paid(unit, held, session, owed)
        return OwedPayment(PaidHow.SUCCEEDED, Money(held.amount_minor, held.currency))


async def finish(context: ParkingContext, operator_id: UUID, collection_id: UUID) -> None:
    """Finish a claim whose money came, or release one that nobody pays; a live one stays."""
    async with context.database.begin() as unit:
        collection, session, owed = await partner_settlement.lock(unit, operator_id, collection_id)
        bill = await repository.lock_bill(unit, collection.operator_id, collection.bill_id)
        if collection.state != CollectionState.CLAIMED or bill is None:
            return
        if bill.state == BillState.PAID:
            await partner_settlement.paid(unit, collection, session, owed)
        elif bill.live_attempt_id is None:
            await partner_collections.release(unit, collection, owed, bill)


async def sweep(context: ParkingContext) -> int:
    """See to every claim that was left half done; returns how many there were."""
    async with context.database.begin() as unit:
        due = await partner_collections.take_due(unit, SWEEP_LEASE)
    for start in range(0, len(due), SWEEP_AT_ONCE_MAX):
        batch = due[start : start + SWEEP_AT_ONCE_MAX]
        answers = await asyncio.gather(
            *(finish(context, *collection) for collection in batch), return_exceptions=True
        )
        for (_, collection_id), answer in zip(batch, answers, strict=True):
            # One claim that needs staff must not keep the others waiting.
            if isinstance(answer, Exception):
                _log.warning(
                    "collection.unfinished", collection=str(collection_id), error=repr(answer)
                )
    return len(due)


async def _claim(unit: UnitOfWork, debt: Debt) -> PartnerCollection:
    standing = await partners.find_standing(unit, debt.collector_id, debt.owner_id)
    if standing is None or standing.state != PartnershipState.ACTIVE:
        raise PartnershipUnknownError("bill: expected one of a partner")
    place = await place_rows.find_place(unit, debt.collector_id, debt.place_id)
    listed = await owing.find(unit, debt.owner_id, debt.bill_id)
    if place is None:
        raise BillUnknownError("placeId: expected a place of the collector")
    if listed is None:
        raise NothingDueError("bill: it is not owed")
    owed_place = await place_rows.find_place(unit, debt.owner_id, listed.place_id)
    await sessions.lock_session(unit, debt.owner_id, listed.session_id)
    owed = await repository.lock_bill(unit, debt.owner_id, debt.bill_id)
    if owed is None:
        raise BillUnknownError("bill: expected one that is owed")
    if owed.currency != place.currency:
        raise PaymentUnavailableError("bill: it is in another currency than this place takes")
    return await partner_collections.claim(
        unit,
        owed,
        collector_id=debt.collector_id,
        place_id=debt.place_id,
        place_name="" if owed_place is None else owed_place.name,
        timezone=place.timezone,
        by=debt.by,
    )


async def _taken_before(unit: UnitOfWork, debt: Debt) -> OwedPayment | None:
    """Return the same cash payment, if it was made before."""
    owed = await repository.find_bill(unit, debt.owner_id, debt.bill_id)
    if owed is None or owed.state != BillState.PAID or owed.paid_attempt_id is None:
        return None
    attempt = await repository.find_attempt(unit, owed.operator_id, owed.paid_attempt_id)
    if attempt is None or attempt.provider != ledger.partner_of(debt.collector_id):
        raise NothingDueError("bill: it is paid")
    collection = await partner_collections.find(unit, debt.collector_id, UUID(hex=attempt.number))
    taken = (
        None
        if collection is None
        else await repository.find_bill(unit, debt.collector_id, collection.bill_id)
    )
    if taken is None or taken.paid_attempt_id is None:
        raise PaymentInProgressError("bill: it is being collected")
    how = await repository.find_attempt(unit, taken.operator_id, taken.paid_attempt_id)
    if how is None or how.kind != AttemptKind.CASH:
        raise NothingDueError("bill: it is paid")
    return OwedPayment(PaidHow.SUCCEEDED, Money(owed.total_minor, owed.currency))
