"""Whether a driver's passes cover a planned stay, at many places by few statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.kit.database import UnitOfWork
from parking.passes import repository, rules
from parking.passes.models import AssignedRight, RightSpecification
from parking.passes.windows import covered_ranges


@dataclass(frozen=True, slots=True)
class PassCover:
    """A pass that covers a planned stay, or a part of it.

    Attributes:
        area_id: The only area that it counts in; None for the whole place.
        is_whole_stay: Whether it covers the stay from arrival to departure.
    """

    name: str
    area_id: UUID | None
    is_whole_stay: bool


Held = Sequence[tuple[AssignedRight, RightSpecification]]


async def list_held(unit: UnitOfWork, driver_id: UUID) -> Held:
    """Return a driver's passes that open gates, with their products; three statements."""
    rights = await repository.list_rights_of_driver(unit, driver_id)
    opening = [right for right in rights if right.state in rules.OPENING_STATES]
    if not opening:
        return ()
    keys = {(right.operator_id, right.specification_id) for right in opening}
    products = await repository.find_products(unit, keys)
    return [
        (right, product)
        for right in opening
        if (product := products.get((right.operator_id, right.specification_id))) is not None
    ]


def cover_of(
    held: Held,
    place: tuple[UUID, UUID],
    zone: ZoneInfo,
    *,
    arrives_at: datetime,
    leaves_at: datetime,
) -> PassCover | None:
    """Return the pass that covers most of a stay at a place; None where none covers any of it.

    Whether one of its spaces is free is known only when the car comes.
    """
    operator_id, place_id = place
    found: list[tuple[timedelta, PassCover]] = []
    for right, product in held:
        if product.operator_id != operator_id or str(place_id) not in product.place_ids:
            continue
        until = rules.covered_until(right, product)
        if until is None:
            continue
        ranges = covered_ranges(
            rules.hours_of(product),
            zone,
            max(arrives_at, right.starts_at),
            min(until, leaves_at),
        )
        if ranges:
            covered = sum((ends - begins for begins, ends in ranges), timedelta())
            is_whole = covered >= leaves_at - arrives_at
            found.append((covered, PassCover(product.name, product.area_id, is_whole)))
    return max(found, key=_worth, default=(timedelta(), None))[1]


def _worth(found: tuple[timedelta, PassCover]) -> tuple[timedelta, bool]:
    # Of two that cover as much the one that counts wherever the car stands.
    return found[0], found[1].area_id is None
