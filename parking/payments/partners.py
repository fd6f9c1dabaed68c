"""Operators that collect for each other: agreements, what drivers want, and settlements."""

from typing import Final
from uuid import UUID

from sqlalchemy import or_, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import derive_id, new_id
from parking.kit.money import Money
from parking.payments import balances, ledger, owing
from parking.payments.errors import (
    PartnershipUnknownError,
    SettlementTooLargeError,
)
from parking.payments.partner_models import (
    OperatorPartnership,
    PartnerPaymentChoice,
    PartnerSettlement,
    PartnershipState,
)

PARTNERS_MAX: Final = 100
SETTLEMENTS_MAX: Final = 100
REFERENCE_LENGTH_MAX: Final = 100

_LOCK_PAIR = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


async def propose(
    unit: UnitOfWork, operator_id: UUID, partner_id: UUID, *, by: str
) -> OperatorPartnership:
    """Ask another operator to collect for each other; again returns what stands.

    Raises:
        InvalidInputError: it is the operator itself.
    """
    if operator_id == partner_id:
        raise InvalidInputError("partnerId", "another operator")
    await _lock_pair(unit, operator_id, partner_id)
    standing = await find_standing(unit, operator_id, partner_id)
    if standing is not None:
        return standing
    lower, higher = sorted((operator_id, partner_id))
    partnership = OperatorPartnership(
        operator_id=lower,
        id=new_id(unit.now()),
        partner_id=higher,
        state=PartnershipState.PROPOSED,
        proposed_by_id=operator_id,
        proposed_by=by,
        proposed_at=unit.now(),
    )
    unit.session.add(partnership)
    return partnership


async def accept(
    unit: UnitOfWork, operator_id: UUID, partner_id: UUID, *, by: str
) -> OperatorPartnership:
    """Agree to what the other operator proposed; again changes nothing.

    Raises:
        PartnershipUnknownError: the other operator proposed nothing.
    """
    await _lock_pair(unit, operator_id, partner_id)
    standing = await find_standing(unit, operator_id, partner_id)
    if standing is None:
        raise PartnershipUnknownError("partnerId: expected one that proposed a partnership")
    if standing.state == PartnershipState.PROPOSED:
        if standing.proposed_by_id == operator_id:
            # Nobody agrees with themselves.
            raise PartnershipUnknownError("partnerId: the other operator must accept it")
        standing.state = PartnershipState.ACTIVE
        standing.accepted_by, standing.accepted_at = by, unit.now()
    return standing


async def end(
    unit: UnitOfWork, operator_id: UUID, partner_id: UUID, *, by: str
) -> OperatorPartnership:
    """End a partnership, or take a proposal back; what was collected is still settled.

    Raises:
        PartnershipUnknownError: there is none.
    """
    await _lock_pair(unit, operator_id, partner_id)
    standing = await find_standing(unit, operator_id, partner_id)
    if standing is None:
        raise PartnershipUnknownError("partnerId: expected a partner")
    standing.state = PartnershipState.ENDED
    standing.ended_by, standing.ended_at = by, unit.now()
    return standing


async def find_standing(
    unit: UnitOfWork, operator_id: UUID, partner_id: UUID
) -> OperatorPartnership | None:
    """Return what is proposed or agreed between two operators."""
    lower, higher = sorted((operator_id, partner_id))
    statement = (
        select(OperatorPartnership)
        .where(col(OperatorPartnership.operator_id) == lower)
        .where(col(OperatorPartnership.partner_id) == higher)
        .where(col(OperatorPartnership.state) != PartnershipState.ENDED)
        .execution_options(populate_existing=True)
    )
    return (await unit.session.exec(statement)).one_or_none()


async def list_of(unit: UnitOfWork, operator_id: UUID) -> list[OperatorPartnership]:
    """Return an operator's partnerships, ended ones too, the newest first."""
    statement = (
        select(OperatorPartnership)
        .where(
            or_(
                col(OperatorPartnership.operator_id) == operator_id,
                col(OperatorPartnership.partner_id) == operator_id,
            )
        )
        .order_by(col(OperatorPartnership.id).desc())
        .limit(PARTNERS_MAX)
    )
    return list(await unit.session.exec(statement))


async def active_partners(unit: UnitOfWork, operator_id: UUID) -> list[UUID]:
    """Return the operators that collect for this one, and it for them."""
    return [
        other_of(one, operator_id)
        for one in await list_of(unit, operator_id)
        if one.state == PartnershipState.ACTIVE
    ]


def other_of(partnership: OperatorPartnership, operator_id: UUID) -> UUID:
    """Return the other one of a pair."""
    is_lower = partnership.operator_id == operator_id
    return partnership.partner_id if is_lower else partnership.operator_id


async def settle(
    unit: UnitOfWork,
    operator_id: UUID,
    partner_id: UUID,
    amount: Money,
    *,
    key: str,
    reference: str,
    by: str,
) -> PartnerSettlement:
    """Write down that a partner paid what it had collected; the same key again changes nothing.

    Whoever received the money says so: nobody can settle their own debt by themselves.

    Raises:
        PartnershipUnknownError: the two never agreed on anything.
        SettlementTooLargeError: the partner owes less.
        InvalidInputError: an amount or a word is unusable, or the key named another settlement.
    """
    for field, words in (("settlementKey", key), ("reference", reference)):
        if not 0 < len(words.strip()) <= REFERENCE_LENGTH_MAX:
            raise InvalidInputError(field, f"1 to {REFERENCE_LENGTH_MAX} characters")
    if amount.amount_minor <= 0:
        raise InvalidInputError("amount", "more than nothing")
    await _lock_pair(unit, operator_id, partner_id)
    source = await _first_agreement(unit, operator_id, partner_id)
    settlement_id = derive_id(source.id, f"settlement:{operator_id}:{key}")
    known = await unit.session.get(PartnerSettlement, (operator_id, settlement_id))
    if known is not None:
        if Money(known.amount_minor, known.currency) != amount:
            raise InvalidInputError("settlementKey", "a new one: it named another amount before")
        return known
    held = await balances.balance_of(unit, operator_id, ledger.partner_of(partner_id))
    owed = next((one for one in held if one.currency == amount.currency), None)
    if owed is None or owed < amount:
        most = (owed or Money.zero(amount.currency)).format()
        raise SettlementTooLargeError(f"amount: expected at most {most}, which the partner owes")
    settlement = PartnerSettlement(
        operator_id=operator_id,
        id=settlement_id,
        partner_id=partner_id,
        amount_minor=amount.amount_minor,
        currency=amount.currency,
        reference=reference.strip(),
        received_by=by,
        received_at=unit.now(),
    )
    unit.session.add(settlement)
    await ledger.post_settled(unit, operator_id, partner_id, amount, source=settlement_id)
    return settlement


async def list_settlements(unit: UnitOfWork, operator_id: UUID) -> list[PartnerSettlement]:
    """Return what an operator received from partners or paid to them, the newest first."""
    statement = (
        select(PartnerSettlement)
        .where(
            or_(
                col(PartnerSettlement.operator_id) == operator_id,
                col(PartnerSettlement.partner_id) == operator_id,
            )
        )
        .order_by(col(PartnerSettlement.received_at).desc(), col(PartnerSettlement.id).desc())
        .limit(SETTLEMENTS_MAX)
    )
    return list(await unit.session.exec(statement))


async def choose(unit: UnitOfWork, driver_id: UUID, *, is_wanted: bool) -> None:
    """Let what the driver owes at partners be paid when they leave a place, or not any more."""
    values = {"is_wanted": is_wanted, "changed_at": unit.now()}
    fresh = insert(PartnerPaymentChoice).values(driver_id=driver_id, **values)
    await unit.run(fresh.on_conflict_do_update(index_elements=["driver_id"], set_=values))


async def wants_payment(unit: UnitOfWork, driver_id: UUID) -> bool:
    """Return whether the driver wants what they owe at partners to be paid at each exit."""
    choice = await unit.session.get(PartnerPaymentChoice, driver_id)
    return choice is not None and choice.is_wanted


async def send_debts(unit: UnitOfWork, driver_id: UUID, operator_id: UUID, place_id: UUID) -> None:
    """Let a place that a driver leaves collect what they owe at its partners, if they want it."""
    if not await wants_payment(unit, driver_id):
        return
    partner_ids = set(await active_partners(unit, operator_id))
    for listed in await owing.of_driver(unit, driver_id):
        if listed.operator_id in partner_ids and not listed.is_contested:
            await owing.send_to_partner(unit, listed, collector_id=operator_id, place_id=place_id)


async def _first_agreement(
    unit: UnitOfWork, operator_id: UUID, partner_id: UUID
) -> OperatorPartnership:
    """Return the oldest agreement of a pair: what is collected outlives its end."""
    lower, higher = sorted((operator_id, partner_id))
    statement = (
        select(OperatorPartnership)
        .where(col(OperatorPartnership.operator_id) == lower)
        .where(col(OperatorPartnership.partner_id) == higher)
        .order_by(col(OperatorPartnership.id))
        .limit(1)
    )
    found = (await unit.session.exec(statement)).one_or_none()
    if found is None:
        raise PartnershipUnknownError("partnerId: expected a partner")
    return found


async def _lock_pair(unit: UnitOfWork, operator_id: UUID, partner_id: UUID) -> None:
    lower, higher = sorted((operator_id, partner_id))
    await unit.run(_LOCK_PAIR, {"name": f"partners|{lower}|{higher}"})
