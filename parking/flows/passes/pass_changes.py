"""What holders and staff change about a pass: its renewal, its plates, its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from parking.events.types import EventType
from parking.flows.context import ParkingContext
from parking.flows.passes import pass_billing, pass_coverage, pass_purchase
from parking.flows.payments import refunds
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.passes import events, lifecycle, products, repository, service
from parking.passes.errors import PassEndedError, PassPlateUnknownError
from parking.passes.models import AssignedRight, PassState, RightSpecification
from parking.passes.rules import OPENING_STATES
from parking.passes.service import Grant, NamedPlate
from parking.payments import versions
from parking.payments.errors import PaymentInProgressError
from parking.payments.models import BillState, Refund
from parking.plates import service as plates
from parking.plates.normalise import normalise_plate

CANCELLED: Final = "cancelled by its holder"
UNUSED: Final = "unused days of a cancelled pass"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What became of a pass that its holder wants no more.

    Attributes:
        refund_minor: What goes back for the days that are not used; 0 for nothing.
    """

    right_id: UUID
    refund_minor: int


async def set_renewal(
    context: ParkingContext, driver_id: UUID, right_id: UUID, *, renews: bool
) -> UUID:
    """Let a pass renew or run out; again changes nothing. Returns its id.

    Raises:
        PassUnknownError: the driver has no such pass.
        PassEndedError: it has ended.
    """
    async with context.database.begin() as unit:
        right = await service.require_right_of_driver(unit, driver_id, right_id)
        product = await _product_of_open(unit, right)
        if _set_renewal(unit, right, product, renews=renews):
            events.tell(unit, right, product, EventType.PASS_CHANGED, {"renews": renews})
    return right.id


async def cancel(
    context: ParkingContext, driver_id: UUID, right_id: UUID, *, immediately: bool
) -> Cancellation:
    """End a driver's pass with its period, or at once with its unused days paid back.

    Again changes nothing. A stay under way stays covered until now.

    Raises:
        PassUnknownError: the driver has no such pass.
        PassEndedError: it ended in another way.
        PaymentInProgressError: a payment of it is not settled; its outcome comes first.
    """
    async with context.database.begin() as unit:
        right = await service.require_right_of_driver(unit, driver_id, right_id)
        if right.state == PassState.CANCELLED:
            return Cancellation(right.id, 0)
        if right.state == PassState.PENDING:
            raise PaymentInProgressError("passId: its purchase is not settled yet")
        product = await _product_of_open(unit, right)
        if not immediately and right.state == PassState.ACTIVE:
            if _set_renewal(unit, right, product, renews=False):
                payload = {"ended_at": right.paid_until.isoformat(), "refund_minor": 0}
                events.tell(unit, right, product, EventType.PASS_CANCELLED, payload)
            return Cancellation(right.id, 0)
        if not await pass_billing.give_up(unit, right):
            raise PaymentInProgressError("passId: its renewal is not settled yet")
        refund = await _refund(unit, right, lifecycle.unused_minor(right, product, unit.now()))
        refund_minor = 0 if refund is None else refund.amount_minor
        await lifecycle.end(
            unit,
            right,
            product,
            PassState.CANCELLED,
            at=unit.now(),
            reason=CANCELLED,
            refund_minor=refund_minor,
        )
    if refund is not None:
        await refunds.send_all(context, right.operator_id, [refund.id])
    await pass_coverage.refresh(context, right.operator_id, right.id)
    return Cancellation(right.id, refund_minor)


async def transfer(
    context: ParkingContext,
    driver_id: UUID,
    right_id: UUID,
    *,
    binding_id: UUID,
    replaces: UUID | None,
) -> UUID:
    """Put another of the driver's plates on a pass, effective at the next gate.

    A car inside keeps its stay and its space. Again changes nothing. Returns the pass's id.

    Args:
        context: The domain's surroundings.
        driver_id: Whose pass and plate it is.
        right_id: The pass.
        binding_id: The plate to add.
        replaces: The binding of the plate to take off, if any.

    Raises:
        PassUnknownError: the driver has no such pass.
        PassEndedError: it has ended.
        PassPlateUnknownError: the plate is not bound to the driver.
        PassPlatesExhaustedError: the pass is full, and nothing is replaced.
        PassTransfersExhaustedError: too many plates were added in this month.
        InvalidInputError: the plate to replace is not on the pass.
    """
    async with context.database.begin() as unit:
        right = await service.require_right_of_driver(unit, driver_id, right_id)
        product = await _product_of_open(unit, right)
        [plate] = await pass_purchase.own_plates(unit, driver_id, [binding_id])
        leaving = None if replaces is None else await _index_of(unit, driver_id, replaces)
        if await service.add_plate(unit, right, product, plate, replaces=leaving):
            events.tell(unit, right, product, EventType.PASS_CHANGED)
    return right.id


async def leave_plate(unit: UnitOfWork, plate_index: UUID, driver_id: UUID | None) -> None:
    """Take a plate that was unbound, or bound to `driver_id`, off what others bought for it."""
    await repository.remove_plate_of_others(unit, plate_index, driver_id)


async def grant(
    context: ParkingContext,
    operator_id: UUID,
    product_id: UUID,
    *,
    plate_texts: Sequence[str],
    first_day: date | None,
    last_day: date,
    by: str,
    reason: str,
) -> UUID:
    """Give plates a pass free of charge, as for residents and staff cars; returns its id.

    Raises:
        PassProductUnknownError: the operator has no such product.
        PassSoldOutError: as many are held as there are.
        InvalidInputError: the plates, the days or the reason do not fit.
    """
    async with context.database.begin() as unit:
        product = await products.require(unit, operator_id, product_id)
        texts = [normalise_plate(text) for text in plate_texts[: repository.PLATES_PER_PASS_MAX]]
        named = [NamedPlate(plates.plate_index(unit.vault, text), text) for text in texts]
        given = Grant(named, first_day, last_day, by, reason)
        right = await service.grant(unit, product, given)
    return right.id


async def revoke(
    context: ParkingContext, operator_id: UUID, right_id: UUID, *, by: str, reason: str
) -> UUID:
    """End a pass of the operator at once, by a named person; again changes nothing.

    Unused days are paid back by a refund of its bill, which is another decision. A payment under
    way is paid back when it succeeds.

    Raises:
        PassUnknownError: the operator has no such pass.
        PassEndedError: it ended in another way.
        InvalidInputError: there is no reason.
    """
    if not 0 < len(reason.strip()) <= lifecycle.REASON_LENGTH_MAX:
        raise InvalidInputError("reason", f"1 to {lifecycle.REASON_LENGTH_MAX} letters")
    async with context.database.begin() as unit:
        right = await service.require_right(unit, operator_id, right_id)
        if right.state == PassState.REVOKED:
            return right.id
        if right.state == PassState.PENDING:
            raise PaymentInProgressError("passId: its purchase is not settled yet")
        product = await _product_of_open(unit, right)
        await pass_billing.give_up(unit, right)
        right.decided_by = by
        await lifecycle.end(
            unit, right, product, PassState.REVOKED, at=unit.now(), reason=reason.strip()
        )
    await pass_coverage.refresh(context, operator_id, right_id)
    return right.id


def _set_renewal(
    unit: UnitOfWork, right: AssignedRight, product: RightSpecification, *, renews: bool
) -> bool:
    """Let a locked pass renew or run out; returns whether that is another plan than before."""
    if right.renews == renews:
        return False
    right.renews = renews
    right.stays_stale = True
    lifecycle.schedule(unit, right, product)
    return True


async def _refund(unit: UnitOfWork, right: AssignedRight, unused_minor: int) -> Refund | None:
    if right.bill_id is None:
        return None
    bill = await versions.lock_newest(unit, right.operator_id, right.bill_id)
    amount_minor = min(unused_minor, bill.total_minor)
    if bill.state != BillState.PAID or not amount_minor:
        return None
    return await refunds.request_refund(
        unit,
        bill,
        Money(amount_minor, bill.currency),
        cause=f"pass:{right.id}:cancelled",
        reason=UNUSED,
        by=str(right.driver_id),
    )


async def _product_of_open(unit: UnitOfWork, right: AssignedRight) -> RightSpecification:
    if right.state not in OPENING_STATES:
        raise PassEndedError("passId: expected a pass that is valid")
    return await products.require(unit, right.operator_id, right.specification_id)


async def _index_of(unit: UnitOfWork, driver_id: UUID, binding_id: UUID) -> UUID:
    bound = await plates.find_plate(unit, driver_id, binding_id)
    if bound is None:
        raise PassPlateUnknownError("replacesPlateId: expected a plate that is bound to you")
    return plates.plate_index(unit.vault, bound.plate)
