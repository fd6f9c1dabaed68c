"""Buying a pass: stored, charged by mandate at once, and valid as soon as that is certain."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.passes import pass_billing
from parking.flows.payments import charging, choosing, pass_settlement
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.passes import lifecycle, products, repository, service
from parking.passes.errors import (
    PassMandateMissingError,
    PassPlateUnknownError,
    PassPriceChangedError,
    PassRequestReusedError,
)
from parking.passes.models import AssignedRight, DriverRight, PassState
from parking.passes.service import NamedPlate, Purchase
from parking.payments.models import BillState
from parking.plates import service as plates

NOT_PAID = "the purchase was not paid"


@dataclass(frozen=True, slots=True)
class PassOrder:
    """What a driver asks for.

    Attributes:
        binding_ids: The driver's own bound plates.
        request_key: Chosen by the app: the same key again is the same purchase.
        first_day: Local to the product; None for now.
        renews: None for the product's default.
        price: What the app showed; another one then refuses. None takes any.
    """

    operator_id: UUID
    product_id: UUID
    binding_ids: Sequence[UUID]
    request_key: str
    first_day: date | None = None
    renews: bool | None = None
    price: Money | None = None


async def purchase(context: ParkingContext, driver_id: UUID, order: PassOrder) -> UUID:
    """Buy a pass and charge it once; returns its id, whatever became of the payment.

    It is ACTIVE where the payment succeeded, FAILED where every mandate was refused, and PENDING
    where the provider has not answered yet: a definitive answer later ends that. The same request
    key again goes on with the same purchase.

    Raises:
        InvalidInputError: the request key, the plates or the day do not fit.
        PassProductUnknownError: there is no such product.
        PassNotOnSaleError: it is not sold for that day.
        PassSoldOutError: as many are held as there are.
        PassLimitReachedError: the driver holds as many as one may hold.
        PassPriceChangedError: the price is not what the app showed.
        PassPlateUnknownError: a plate is not bound to this driver.
        PassMandateMissingError: no authorization of the driver may be charged the price.
        PassRequestReusedError: the key belongs to a purchase of another product or day.
    """
    if not 0 < len(order.request_key) <= service.REQUEST_KEY_LENGTH_MAX:
        raise InvalidInputError(
            "idempotencyKey", f"1 to {service.REQUEST_KEY_LENGTH_MAX} characters"
        )
    async with context.database.begin() as unit:
        listed = await repository.find_request(unit, driver_id, order.request_key)
        right = None if listed is None else await _known(unit, listed, order)
        right = right or await _store(context, unit, driver_id, order)
        if right is None:
            # The same key at the same moment: the other request has just committed it.
            listed = await repository.find_request(unit, driver_id, order.request_key)
            right = None if listed is None else await _known(unit, listed, order)
    if right is None:
        raise PassRequestReusedError("idempotencyKey: expected one of a single purchase")
    if right.state == PassState.PENDING and right.bill_id is not None:
        await charging.charge_bill(context, right.operator_id, right.bill_id)
        await conclude(context, right.operator_id, right.id)
    return right.id


async def conclude(context: ParkingContext, operator_id: UUID, right_id: UUID) -> None:
    """Give a purchase up that was not paid; one whose payment is under way is looked at later."""
    async with context.database.begin() as unit:
        right = await repository.lock_right(unit, operator_id, right_id)
        if right is None or right.state != PassState.PENDING:
            return
        if not await pass_billing.give_up(unit, right):
            lifecycle.look_again(unit, right)
            return
        product = await products.require(unit, operator_id, right.specification_id)
        await lifecycle.end(unit, right, product, PassState.FAILED, at=unit.now(), reason=NOT_PAID)


async def own_plates(
    unit: UnitOfWork, driver_id: UUID, binding_ids: Sequence[UUID]
) -> list[NamedPlate]:
    """Return a driver's bound plates by their bindings.

    Raises:
        PassPlateUnknownError: one of them is not bound to the driver now.
    """
    found: list[NamedPlate] = []
    for binding_id in binding_ids[: repository.PLATES_PER_PASS_MAX]:
        bound = await plates.find_plate(unit, driver_id, binding_id)
        if bound is None:
            raise PassPlateUnknownError("plateIds: expected plates that are bound to you")
        found.append(NamedPlate(plates.plate_index(unit.vault, bound.plate), bound.plate))
    return found


async def _known(unit: UnitOfWork, listed: DriverRight, order: PassOrder) -> AssignedRight | None:
    right = await repository.find_right(unit, listed.operator_id, listed.right_id)
    is_same = right is not None and right.specification_id == order.product_id
    # The plates and the renewal may have been changed since; the day never is.
    if right is None or not is_same or order.first_day not in {None, right.first_day}:
        raise PassRequestReusedError("idempotencyKey: expected one of a single purchase")
    return right


async def _store(
    context: ParkingContext, unit: UnitOfWork, driver_id: UUID, order: PassOrder
) -> AssignedRight | None:
    product = await products.require(unit, order.operator_id, order.product_id)
    right = await service.purchase(
        unit,
        product,
        Purchase(
            driver_id=driver_id,
            request_key=order.request_key,
            plates=await own_plates(unit, driver_id, order.binding_ids),
            first_day=order.first_day,
            renews=order.renews,
        ),
    )
    if right is None:
        return None
    bill = await pass_billing.issue(unit, right, product, price_minor=right.price_minor)
    price = Money(bill.total_minor, bill.currency)
    if order.price is not None and order.price != price:
        raise PassPriceChangedError(f"price: it is {price.format()} now")
    if bill.state == BillState.PAID:
        await pass_settlement.paid(unit, right, product, bill)
    elif not await choosing.find_mandates(
        context, unit, bill, await choosing.occasion_of(unit, bill)
    ):
        raise PassMandateMissingError("no authorization may be charged this price")
    return right
