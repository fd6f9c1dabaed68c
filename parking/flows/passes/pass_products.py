"""Making a pass product: its places give it its time zone and its currency."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.passes import products, repository
from parking.passes.models import RightSpecification
from parking.passes.products import PLACES_MAX, NewProduct
from parking.places import repository as places
from parking.places.models import Place


async def create(context: ParkingContext, operator_id: UUID, new: NewProduct) -> RightSpecification:
    """Add a product of the operator; its time zone is that of its places.

    Raises:
        InvalidInputError: a place is not the operator's, the places do not share time zone and
            currency, or another field does not fit.
    """
    async with context.database.begin() as unit:
        grounds = await _places(unit, operator_id, new.place_ids)
        if any(ground.timezone != grounds[0].timezone for ground in grounds):
            raise InvalidInputError("placeIds", "places of one time zone")
        if any(ground.currency != new.price.currency for ground in grounds):
            raise InvalidInputError("price.currency", "the currency of every place")
        await _check_area(unit, operator_id, new)
        return await products.create(unit, operator_id, replace(new, timezone=grounds[0].timezone))


async def list_on_sale(
    context: ParkingContext, operator_id: UUID, place_id: UUID
) -> list[RightSpecification]:
    """Return what can be bought for a place, newest first; nothing for an unknown place."""
    async with context.database.begin() as unit:
        return [
            product
            for product in await repository.list_products(unit, operator_id)
            if product.is_on_sale and str(place_id) in product.place_ids
        ]


async def find_offered(
    context: ParkingContext, driver_id: UUID, operator_id: UUID, product_id: UUID
) -> RightSpecification | None:
    """Return a product that is on sale, or that the driver holds a pass of; None for any other."""
    async with context.database.begin() as unit:
        product = await repository.find_product(unit, operator_id, product_id)
        if product is None or product.is_on_sale:
            return product
        held = await repository.list_rights_of_driver(unit, driver_id)
    return product if any(right.specification_id == product.id for right in held) else None


async def list_all(context: ParkingContext, operator_id: UUID) -> Sequence[RightSpecification]:
    """Return an operator's products, newest first, withdrawn ones too."""
    async with context.database.begin() as unit:
        return await repository.list_products(unit, operator_id)


async def put_on_sale(
    context: ParkingContext, operator_id: UUID, product_id: UUID, *, is_on_sale: bool
) -> RightSpecification:
    """Put a product on sale or withdraw it; raises as `products.put_on_sale`."""
    async with context.database.begin() as unit:
        return await products.put_on_sale(unit, operator_id, product_id, is_on_sale=is_on_sale)


async def change_price(
    context: ParkingContext, operator_id: UUID, product_id: UUID, price: Money
) -> RightSpecification:
    """Change a product's price; raises as `products.change_price`."""
    async with context.database.begin() as unit:
        return await products.change_price(unit, operator_id, product_id, price)


async def _places(unit: UnitOfWork, operator_id: UUID, place_ids: Sequence[UUID]) -> list[Place]:
    if not 0 < len(place_ids) <= PLACES_MAX:
        raise InvalidInputError("placeIds", f"1 to {PLACES_MAX} places")
    found = await places.find_places(unit, {(operator_id, place_id) for place_id in place_ids})
    if len(found) != len(set(place_ids)):
        raise InvalidInputError("placeIds", "places of this operator")
    return list(found.values())


async def _check_area(unit: UnitOfWork, operator_id: UUID, new: NewProduct) -> None:
    if new.area_id is None:
        return
    area = await places.find_area(unit, operator_id, new.area_id)
    if area is None or area.place_id not in new.place_ids:
        raise InvalidInputError("areaId", "an area of the place")
