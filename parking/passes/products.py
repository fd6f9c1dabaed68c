"""What operators sell as passes: made once, checked whole, withdrawn at any time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.kit.money import Money
from parking.passes import repository
from parking.passes.errors import PassProductUnknownError
from parking.passes.local_time import MINUTES_PER_DAY
from parking.passes.models import RightSpecification
from parking.passes.periods import PeriodKind
from parking.passes.repository import PLATES_PER_PASS_MAX, PRODUCTS_MAX
from parking.passes.spaces import SPACES_PER_PASS_MAX
from parking.passes.windows import WHOLE_WEEK

NAME_LENGTH_MAX: Final = 80
PLACES_MAX: Final = 50
PRICE_MINOR_MAX: Final = 1_000_000_000
PERIOD_DAYS_MAX: Final = 366
NOTICE_DAYS_MAX: Final = 30
GRACE_DAYS_MAX: Final = 30
RETRIES_MAX: Final = 5
QUANTITY_MAX: Final = 100_000


@dataclass(frozen=True, slots=True)
class NewProduct:
    """A product as staff describe it.

    Attributes:
        place_ids: Of one time zone and one currency: those of `timezone` and `price`.
        area_id: Only with a single place.
        weekdays: Monday is 0.
        from_minute: Local time of day, in minutes.
        to_minute: At most 1440; not later than `from_minute` means on the next day.
        notice_days: How long before a renewal its holder is told.
        retry_days: Days after the period's end on which a refused renewal is tried again.
        grace_days: How long a pass stays valid after a refused renewal.
        quantity: How many may be held at once; None for any number.
    """

    name: str
    place_ids: Sequence[UUID]
    timezone: str
    price: Money
    created_by: str
    area_id: UUID | None = None
    weekdays: frozenset[int] = WHOLE_WEEK
    from_minute: int = 0
    to_minute: int = MINUTES_PER_DAY
    period: PeriodKind = PeriodKind.CALENDAR_MONTH
    period_days: int | None = None
    is_prorated: bool = False
    plates_max: int = 1
    spaces: int = 1
    renews_by_default: bool = True
    notice_days: int = 3
    retry_days: Sequence[int] = field(default=(1, 3))
    grace_days: int = 5
    quantity: int | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    is_on_sale: bool = True


async def create(unit: UnitOfWork, operator_id: UUID, new: NewProduct) -> RightSpecification:
    """Add a product.

    Raises:
        InvalidInputError: names the field that does not fit.
    """
    _check(new)
    if await repository.count_products(unit, operator_id) >= PRODUCTS_MAX:
        raise InvalidInputError("product", f"at most {PRODUCTS_MAX} of one operator")
    product = RightSpecification(
        operator_id=operator_id,
        id=new_id(unit.now()),
        name=new.name.strip(),
        place_ids=[str(place_id) for place_id in new.place_ids],
        area_id=new.area_id,
        timezone=new.timezone,
        weekdays=sorted(new.weekdays),
        from_minute=new.from_minute,
        to_minute=new.to_minute,
        price_minor=new.price.amount_minor,
        currency=new.price.currency,
        period=new.period,
        period_days=new.period_days,
        is_prorated=new.is_prorated,
        plates_max=new.plates_max,
        spaces=new.spaces,
        renews_by_default=new.renews_by_default,
        notice_days=new.notice_days,
        retry_days=list(new.retry_days),
        grace_days=new.grace_days,
        quantity=new.quantity,
        valid_from=new.valid_from,
        valid_until=new.valid_until,
        is_on_sale=new.is_on_sale,
        created_at=unit.now(),
        created_by=new.created_by,
    )
    unit.session.add(product)
    return product


async def require(unit: UnitOfWork, operator_id: UUID, product_id: UUID) -> RightSpecification:
    """Return one of an operator's products.

    Raises:
        PassProductUnknownError: the operator has no such product.
    """
    product = await repository.find_product(unit, operator_id, product_id)
    if product is None:
        raise PassProductUnknownError("productId: expected one of this operator")
    return product


async def put_on_sale(
    unit: UnitOfWork, operator_id: UUID, product_id: UUID, *, is_on_sale: bool
) -> RightSpecification:
    """Put a product on sale or withdraw it; held passes stay and renew. Again changes nothing."""
    product = await require(unit, operator_id, product_id)
    product.is_on_sale = is_on_sale
    unit.session.add(product)
    return product


async def change_price(
    unit: UnitOfWork, operator_id: UUID, product_id: UUID, price: Money
) -> RightSpecification:
    """Change what a period costs: at once for who buys, for holders from their next notice on.

    Raises:
        InvalidInputError: the price is negative, too high, or in another currency.
    """
    product = await require(unit, operator_id, product_id)
    _require(0 <= price.amount_minor <= PRICE_MINOR_MAX, "price", f"0 to {PRICE_MINOR_MAX}")
    _require(price.currency == product.currency, "price.currency", product.currency)
    product.price_minor = price.amount_minor
    unit.session.add(product)
    return product


def _check(new: NewProduct) -> None:
    _require(
        0 < len(new.name.strip()) <= NAME_LENGTH_MAX, "name", f"1 to {NAME_LENGTH_MAX} letters"
    )
    places = set(new.place_ids)
    _require(0 < len(places) <= PLACES_MAX, "placeIds", f"1 to {PLACES_MAX} places")
    _require(len(places) == len(new.place_ids), "placeIds", "each place once")
    _require(new.area_id is None or len(places) == 1, "areaId", "none, or an area of one place")
    _require(0 <= new.price.amount_minor <= PRICE_MINOR_MAX, "price", f"0 to {PRICE_MINOR_MAX}")
    _check_hours(new)
    _check_period(new)
    _check_renewal(new)
    _require(0 < new.plates_max <= PLATES_PER_PASS_MAX, "platesMax", f"1 to {PLATES_PER_PASS_MAX}")
    spaces_max = min(new.plates_max, SPACES_PER_PASS_MAX)
    _require(0 < new.spaces <= spaces_max, "spaces", f"1 to {spaces_max}")
    is_countable = new.quantity is None or 0 < new.quantity <= QUANTITY_MAX
    _require(is_countable, "quantity", f"1 to {QUANTITY_MAX}, or none")


def _check_hours(new: NewProduct) -> None:
    _require(bool(new.weekdays), "weekdays", "at least one day")
    _require(new.weekdays <= WHOLE_WEEK, "weekdays", "days of the week")
    _require(0 <= new.from_minute < MINUTES_PER_DAY, "from", "a time from 00:00 to 23:59")
    _require(0 < new.to_minute <= MINUTES_PER_DAY, "to", "a time from 00:01 to 24:00")
    _require(new.from_minute != new.to_minute, "to", "another time than `from`")


def _check_period(new: NewProduct) -> None:
    if new.period == PeriodKind.DAYS:
        days = new.period_days or 0
        _require(0 < days <= PERIOD_DAYS_MAX, "periodDays", f"1 to {PERIOD_DAYS_MAX}")
        _require(not new.is_prorated, "prorated", "false for periods of days")
    else:
        _require(new.period_days is None, "periodDays", "none for calendar months")
    if new.valid_from is not None and new.valid_until is not None:
        _require(new.valid_from < new.valid_until, "validUntil", "a day after validFrom")


def _check_renewal(new: NewProduct) -> None:
    _require(0 < new.notice_days <= NOTICE_DAYS_MAX, "noticeDays", f"1 to {NOTICE_DAYS_MAX}")
    grace_max = GRACE_DAYS_MAX
    if new.period == PeriodKind.DAYS:
        # Whoever lets a pass lapse and buys it again would park longer in its grace than they paid.
        grace_max = min(GRACE_DAYS_MAX, (new.period_days or 1) - 1)
    _require(0 <= new.grace_days <= grace_max, "graceDays", f"0 to {grace_max}")
    retries = list(new.retry_days)
    _require(len(retries) <= RETRIES_MAX, "retryDays", f"at most {RETRIES_MAX}")
    _require(retries == sorted(set(retries)), "retryDays", "days one after the other")
    # A try on the day on which the pass lapses would come too late.
    is_within = all(0 < day < new.grace_days for day in retries)
    _require(is_within, "retryDays", "days after the period's end and before the grace ends")


def _require(holds: bool, name: str, expected: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise InvalidInputError(name, expected)
