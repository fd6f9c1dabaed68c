"""Assigning a pass to whoever buys it or is granted one, and the plates on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.passes import lifecycle, repository, rules
from parking.passes.errors import (
    PassLimitReachedError,
    PassNotOnSaleError,
    PassPlatesExhaustedError,
    PassSoldOutError,
    PassTransfersExhaustedError,
    PassUnknownError,
)
from parking.passes.local_time import local_day, midnight
from parking.passes.models import (
    AssignedRight,
    DriverRight,
    PassState,
    RightPlate,
    RightSpecification,
)

START_AHEAD_DAYS_MAX: Final = 62
GRANT_DAYS_MAX: Final = 366
REQUEST_KEY_LENGTH_MAX: Final = 64
PLATE_CONTEXT: Final = "plate"


@dataclass(frozen=True, slots=True)
class NamedPlate:
    """A plate in clear, with the key under which it is found."""

    index: UUID
    text: str


@dataclass(frozen=True, slots=True)
class Purchase:
    """What a driver buys.

    Attributes:
        first_day: Local; None for now.
        renews: None for the product's own default.
    """

    driver_id: UUID
    request_key: str
    plates: Sequence[NamedPlate]
    first_day: date | None = None
    renews: bool | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What staff give away.

    Attributes:
        first_day: Local; None for now.
        last_day: Local, the last one that is covered.
    """

    plates: Sequence[NamedPlate]
    first_day: date | None
    last_day: date
    granted_by: str
    reason: str


async def purchase(
    unit: UnitOfWork, product: RightSpecification, order: Purchase
) -> AssignedRight | None:
    """Store a pass that waits for its payment; None where the key was used before.

    Raises:
        PassNotOnSaleError: the product is withdrawn, or no period of it begins on that day.
        PassSoldOutError: as many are held as there are.
        PassLimitReachedError: the driver holds as many as one may hold.
        InvalidInputError: the plates or the day do not fit.
    """
    first_day = _checked_day(unit, product, order.first_day)
    right = _right(unit, product, first_day, PassState.PENDING)
    right.driver_id = order.driver_id
    right.renews = product.renews_by_default if order.renews is None else order.renews
    right.paid_until = rules.period_end(product, first_day, 1)
    listed = DriverRight(
        driver_id=order.driver_id,
        right_id=right.id,
        operator_id=product.operator_id,
        request_key=order.request_key,
    )
    # First of all: a second request of the driver waits here for the first one's commit.
    await repository.lock_purchases_of(unit, order.driver_id)
    if not await repository.insert_driver_right(unit, listed):
        return None
    if await repository.count_held(unit, order.driver_id) >= rules.HELD_PER_DRIVER_MAX:
        raise PassLimitReachedError(f"at most {rules.HELD_PER_DRIVER_MAX} passes at once")
    if not product.is_on_sale or not rules.may_begin(product, first_day):
        raise PassNotOnSaleError("productId: expected one that is on sale for that day")
    await _assign(unit, product, right, order.plates)
    return right


async def grant(unit: UnitOfWork, product: RightSpecification, given: Grant) -> AssignedRight:
    """Give a pass away until a day; it costs nothing, never renews, and counts as a held one.

    Raises:
        PassSoldOutError: as many are held as there are.
        InvalidInputError: the plates, the days or the reason do not fit.
    """
    first_day = _checked_day(unit, product, given.first_day)
    last = first_day + timedelta(days=GRANT_DAYS_MAX)
    if not first_day <= given.last_day <= last:
        raise InvalidInputError("lastDay", f"a day from {first_day} to {last}")
    if not 0 < len(given.reason.strip()) <= lifecycle.REASON_LENGTH_MAX:
        raise InvalidInputError("reason", f"1 to {lifecycle.REASON_LENGTH_MAX} letters")
    right = _right(unit, product, first_day, PassState.PENDING)
    right.paid_until = midnight(ZoneInfo(product.timezone), given.last_day + timedelta(days=1))
    right.decided_by = given.granted_by
    right.reason = given.reason.strip()
    right.price_minor = 0
    await _assign(unit, product, right, given.plates)
    lifecycle.activate(unit, right, product, 0)
    return right


async def require_right(unit: UnitOfWork, operator_id: UUID, right_id: UUID) -> AssignedRight:
    """Lock one of an operator's passes.

    Raises:
        PassUnknownError: the operator has no such pass.
    """
    right = await repository.lock_right(unit, operator_id, right_id)
    if right is None:
        raise PassUnknownError("passId: expected one of this operator")
    return right


async def require_right_of_driver(
    unit: UnitOfWork, driver_id: UUID, right_id: UUID
) -> AssignedRight:
    """Lock one of a driver's passes.

    Raises:
        PassUnknownError: the driver has no such pass.
    """
    listed = await repository.find_driver_right(unit, driver_id, right_id)
    if listed is None:
        raise PassUnknownError("passId: expected one of yours")
    return await require_right(unit, listed.operator_id, right_id)


async def add_plate(
    unit: UnitOfWork,
    right: AssignedRight,
    product: RightSpecification,
    plate: NamedPlate,
    *,
    replaces: UUID | None,
) -> bool:
    """Put a plate on a locked pass, in the place of another one if there is no room.

    Takes effect at the next gate. Again changes nothing; returns whether it changed something.

    Args:
        unit: The transaction.
        right: Locked.
        product: What it is a pass of.
        plate: The plate to add.
        replaces: Index of the plate to take off, if any.

    Raises:
        PassPlatesExhaustedError: the pass is full, and nothing is replaced.
        PassTransfersExhaustedError: too many plates were added in this month.
        InvalidInputError: the plate to replace is not on the pass.
    """
    on_it = (await repository.list_plates(unit, [(right.operator_id, right.id)]))[right.id]
    indexes = {row.plate_index for row in on_it}
    if plate.index in indexes:
        return False
    if replaces is not None and replaces not in indexes:
        raise InvalidInputError("replacesPlateId", "a plate that is on the pass")
    if replaces is None and len(on_it) >= product.plates_max:
        raise PassPlatesExhaustedError(f"at most {product.plates_max} plates; replace one")
    added = await repository.count_plates_added(unit, right, _month_start(unit, product))
    if added >= rules.PLATE_CHANGES_PER_MONTH_MAX:
        raise PassTransfersExhaustedError(
            f"at most {rules.PLATE_CHANGES_PER_MONTH_MAX} plates may be added in a month"
        )
    if replaces is not None:
        await repository.remove_plate(unit, right, replaces)
    unit.session.add(_plate(unit, right, plate))
    return True


async def _assign(
    unit: UnitOfWork,
    product: RightSpecification,
    right: AssignedRight,
    plates: Sequence[NamedPlate],
) -> None:
    if not 0 < len({plate.index for plate in plates}) == len(plates) <= product.plates_max:
        raise InvalidInputError("plates", f"1 to {product.plates_max} different plates")
    if not await repository.take_one(unit, product):
        raise PassSoldOutError("productId: as many are held as there are")
    lifecycle.schedule(unit, right, product)
    await unit.session.flush()
    unit.session.add_all(_plate(unit, right, plate) for plate in plates)


def _right(
    unit: UnitOfWork, product: RightSpecification, first_day: date, state: PassState
) -> AssignedRight:
    zone = ZoneInfo(product.timezone)
    return AssignedRight(
        operator_id=product.operator_id,
        id=new_id(unit.now()),
        specification_id=product.id,
        state=state,
        renews=False,
        first_day=first_day,
        starts_at=max(unit.now(), midnight(zone, first_day)),
        paid_until=unit.now(),
        price_minor=product.price_minor,
        created_at=unit.now(),
    )


def _plate(unit: UnitOfWork, right: AssignedRight, plate: NamedPlate) -> RightPlate:
    return RightPlate(
        operator_id=right.operator_id,
        right_id=right.id,
        id=new_id(unit.now()),
        plate_index=plate.index,
        plate_sealed=unit.vault.seal(plate.text, context=PLATE_CONTEXT),
        added_at=unit.now(),
    )


def _checked_day(unit: UnitOfWork, product: RightSpecification, day: date | None) -> date:
    today = local_day(ZoneInfo(product.timezone), unit.now())
    last = today + timedelta(days=START_AHEAD_DAYS_MAX)
    if day is not None and not today <= day <= last:
        raise InvalidInputError("startsOn", f"a day from {today} to {last}")
    return today if day is None else day


def _month_start(unit: UnitOfWork, product: RightSpecification) -> datetime:
    zone = ZoneInfo(product.timezone)
    return midnight(zone, local_day(zone, unit.now()).replace(day=1)).astimezone(UTC)
