"""Partnerships, what is collected under them, and what is to be settled, as staff see it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.payments import balances, ledger, partner_collections, partners
from parking.payments.partner_models import (
    CollectionState,
    OperatorPartnership,
    PartnerSettlement,
    PartnershipState,
)
from parking.places import repository as places
from parking.places import service as place_service


@dataclass(frozen=True, slots=True)
class PartnershipView:
    """An agreement as one of the two sees it.

    Attributes:
        is_ours: Whether we proposed it.
        owed_to_us: What the partner holds for us by currency; negative for what we hold for it.
    """

    partner_id: UUID
    partner_name: str
    state: PartnershipState
    is_ours: bool
    proposed_by: str
    proposed_at: datetime
    accepted_by: str | None
    accepted_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None
    owed_to_us: tuple[Money, ...]


@dataclass(frozen=True, slots=True)
class CollectionView:
    """One bill that was collected for a partner, or by one."""

    id: UUID
    is_ours: bool
    partner_id: UUID
    partner_name: str
    bill_id: UUID
    amount: Money
    state: CollectionState
    claimed_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class SettlementView:
    """Money between the two, received by us or by the partner."""

    is_ours: bool
    partner_id: UUID
    partner_name: str
    amount: Money
    reference: str
    received_by: str
    received_at: datetime


async def propose(
    context: ParkingContext, operator_id: UUID, partner_id: UUID, *, by: str
) -> PartnershipView:
    """Ask another operator; errors as in `partners.propose`.

    Raises:
        InvalidInputError: there is no such operator, or it is the same.
    """
    async with context.database.begin() as unit:
        for one in (operator_id, partner_id):
            await place_service.require_operator(unit, one)
        made = await partners.propose(unit, operator_id, partner_id, by=by)
        await unit.session.flush()
        return await _view(unit, made, operator_id)


async def accept(
    context: ParkingContext, operator_id: UUID, partner_id: UUID, *, by: str
) -> PartnershipView:
    """Agree to a proposal; errors as in `partners.accept`."""
    async with context.database.begin() as unit:
        made = await partners.accept(unit, operator_id, partner_id, by=by)
        return await _view(unit, made, operator_id)


async def end(
    context: ParkingContext, operator_id: UUID, partner_id: UUID, *, by: str
) -> PartnershipView:
    """End a partnership; errors as in `partners.end`."""
    async with context.database.begin() as unit:
        made = await partners.end(unit, operator_id, partner_id, by=by)
        return await _view(unit, made, operator_id)


async def settle(
    context: ParkingContext,
    operator_id: UUID,
    partner_id: UUID,
    amount: Money,
    *,
    key: str,
    reference: str,
    by: str,
) -> SettlementView:
    """Write down what a partner paid; errors as in `partners.settle`."""
    async with context.database.begin() as unit:
        made = await partners.settle(
            unit, operator_id, partner_id, amount, key=key, reference=reference, by=by
        )
        names = await _names(unit, [partner_id])
        return _settlement(made, operator_id, names)


async def list_partnerships(context: ParkingContext, operator_id: UUID) -> list[PartnershipView]:
    """Return an operator's partnerships, ended ones too, the newest first."""
    async with context.database.begin() as unit:
        found = await partners.list_of(unit, operator_id)
        return [await _view(unit, one, operator_id) for one in found]


async def page_collections(
    context: ParkingContext, operator_id: UUID, *, first: int, before: UUID | None
) -> list[CollectionView]:
    """Return what was collected for partners and by them, the newest first."""
    async with context.database.begin() as unit:
        rows = await partner_collections.page(unit, operator_id, first=first, before=before)
        names = await _names(
            unit, {_other(row.operator_id, row.owner_id, operator_id) for row in rows}
        )
    return [
        CollectionView(
            row.id,
            row.operator_id == operator_id,
            other := _other(row.operator_id, row.owner_id, operator_id),
            names.get(other, ""),
            row.bill_id if row.operator_id == operator_id else row.owed_bill_id,
            Money(row.amount_minor, row.currency),
            CollectionState(row.state),
            row.claimed_at,
            row.finished_at,
        )
        for row in rows
    ]


async def list_settlements(context: ParkingContext, operator_id: UUID) -> list[SettlementView]:
    """Return what was received from partners and paid to them, the newest first."""
    async with context.database.begin() as unit:
        rows = await partners.list_settlements(unit, operator_id)
        names = await _names(
            unit, {_other(row.operator_id, row.partner_id, operator_id) for row in rows}
        )
    return [_settlement(row, operator_id, names) for row in rows]


async def _view(unit: UnitOfWork, row: OperatorPartnership, operator_id: UUID) -> PartnershipView:
    partner_id = partners.other_of(row, operator_id)
    names = await _names(unit, [partner_id])
    held = await balances.balance_of(unit, operator_id, ledger.partner_of(partner_id))
    is_ours = row.proposed_by_id == operator_id
    return PartnershipView(
        partner_id=partner_id,
        partner_name=names.get(partner_id, ""),
        state=PartnershipState(row.state),
        is_ours=is_ours,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        accepted_by=row.accepted_by,
        accepted_at=row.accepted_at,
        ended_by=row.ended_by,
        ended_at=row.ended_at,
        owed_to_us=tuple(held),
    )


def _settlement(
    row: PartnerSettlement, operator_id: UUID, names: dict[UUID, str]
) -> SettlementView:
    other = _other(row.operator_id, row.partner_id, operator_id)
    return SettlementView(
        row.operator_id == operator_id,
        other,
        names.get(other, ""),
        Money(row.amount_minor, row.currency),
        row.reference,
        row.received_by,
        row.received_at,
    )


def _other(one: UUID, another: UUID, operator_id: UUID) -> UUID:
    return another if one == operator_id else one


async def _names(unit: UnitOfWork, operator_ids: Iterable[UUID]) -> dict[UUID, str]:
    found = [await places.find_operator(unit, operator_id) for operator_id in operator_ids]
    return {operator.id: operator.name for operator in found if operator is not None}
