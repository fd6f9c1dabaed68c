"""Passes as drivers and staff see them; a list costs the same few statements however long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.money import Money
from parking.passes import lifecycle, repository, rules, service
from parking.passes.models import AssignedRight, PassState, RightPlate, RightSpecification
from parking.passes.rules import OPENING_STATES


@dataclass(frozen=True, slots=True)
class PassView:
    """A held pass.

    Attributes:
        plates: In clear, oldest first.
        valid_until: Until when it opens gates as far as is known now; None if it does not.
        renews_at: When the next period is charged; None where none is.
        next_price: What that costs, as far as is known now.
        refundable: What cancelling it at once would give back.
        driver_id: Who bought it; None for one that staff granted.
        decided_by: Who granted or revoked it.
        reason: Why it was granted, or why it ended.
    """

    operator_id: UUID
    id: UUID
    product: RightSpecification
    state: PassState
    plates: Sequence[str]
    starts_at: datetime
    paid_until: datetime
    valid_until: datetime | None
    renews: bool
    renews_at: datetime | None
    next_price: Money | None
    refundable: Money
    version: int
    created_at: datetime
    ended_at: datetime | None
    driver_id: UUID | None
    decided_by: str | None
    reason: str | None


async def list_of_driver(context: ParkingContext, driver_id: UUID) -> list[PassView]:
    """Return a driver's passes, newest first, ended ones too."""
    async with context.database.begin() as unit:
        return await _views(unit, await repository.list_rights_of_driver(unit, driver_id))


async def find_of_driver(
    context: ParkingContext, driver_id: UUID, right_id: UUID
) -> PassView | None:
    """Return one of a driver's passes; None for another driver's and for none."""
    async with context.database.begin() as unit:
        listed = await repository.find_driver_right(unit, driver_id, right_id)
        if listed is None:
            return None
        return await _view_of(unit, listed.operator_id, right_id)


async def page_of_operator(
    context: ParkingContext, operator_id: UUID, *, first: int, before: UUID | None
) -> list[PassView]:
    """Return up to `first` passes of an operator, newest first, older than `before`."""
    async with context.database.begin() as unit:
        page = await repository.list_rights(unit, operator_id, first=first, before=before)
        return await _views(unit, page)


async def find_of_operator(
    context: ParkingContext, operator_id: UUID, right_id: UUID
) -> PassView | None:
    """Return one of an operator's passes."""
    async with context.database.begin() as unit:
        return await _view_of(unit, operator_id, right_id)


async def _view_of(unit: UnitOfWork, operator_id: UUID, right_id: UUID) -> PassView | None:
    right = await repository.find_right(unit, operator_id, right_id)
    views = await _views(unit, [] if right is None else [right])
    return views[0] if views else None


async def _views(unit: UnitOfWork, rights: Sequence[AssignedRight]) -> list[PassView]:
    if not rights:
        return []
    products = await repository.find_products(
        unit, {(right.operator_id, right.specification_id) for right in rights}
    )
    plates = await repository.list_plates(unit, [(right.operator_id, right.id) for right in rights])
    return [
        _view(unit, right, products[right.operator_id, right.specification_id], plates[right.id])
        for right in rights
    ]


def _view(
    unit: UnitOfWork, right: AssignedRight, product: RightSpecification, plates: list[RightPlate]
) -> PassView:
    is_open = right.state in OPENING_STATES
    renews = is_open and rules.renews(right, product)
    unused_minor = lifecycle.unused_minor(right, product, unit.now()) if is_open else 0
    return PassView(
        operator_id=right.operator_id,
        id=right.id,
        product=product,
        state=PassState(right.state),
        plates=[
            unit.vault.open(plate.plate_sealed, context=service.PLATE_CONTEXT) for plate in plates
        ],
        starts_at=right.starts_at,
        paid_until=right.paid_until,
        valid_until=rules.valid_until(right, product),
        renews=right.renews,
        renews_at=right.paid_until if renews else None,
        next_price=(
            Money(rules.expected_price(right, product), product.currency) if renews else None
        ),
        refundable=Money(unused_minor, product.currency),
        version=right.version,
        created_at=right.created_at,
        ended_at=right.ended_at,
        driver_id=right.driver_id,
        decided_by=right.decided_by,
        reason=right.reason,
    )
