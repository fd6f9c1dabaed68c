"""What a planned stay costs: one price where it is known, else a range and what it hangs on. Pure.

A driver who says nothing of the vehicle is told what a car pays whose driver has no rights; where
the rate table asks for more, each answer is priced by itself, and the range holds them all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from parking.kit.money import Money
from parking.tariffs.circumstances import Circumstances, Vehicle
from parking.tariffs.rate_rights import RateEligibility
from parking.tariffs.rules import RateTable, price

CLASSES_TRIED_MAX: Final = 6
_SECONDS: Final = 60


class PriceFactor(StrEnum):
    """What a price may hang on that nobody said."""

    VEHICLE_CLASS = "vehicle_class"
    EV = "ev"
    RESIDENT = "resident"
    PASS = "pass"  # noqa: S105 - a right to park, not a secret
    ALLOWANCE_USED = "allowance_used"


@dataclass(frozen=True, slots=True)
class PlannedPrice:
    """What a planned stay costs.

    Attributes:
        amount: For the circumstances as given.
        low: The least of all that is possible; the same as `amount` where nothing is open.
        high: The most.
        depends_on: What makes the difference, in the order of `PriceFactor`.
    """

    amount: Money
    low: Money
    high: Money
    depends_on: tuple[PriceFactor, ...]


def planned_price(
    table: RateTable,
    arrives_at: datetime,
    leaves_at: datetime,
    circumstances: Circumstances,
    *,
    is_said: bool,
) -> PlannedPrice:
    """Return what a stay costs by a table.

    Args:
        table: The version in force at arrival.
        arrives_at: Planned entry.
        leaves_at: Planned exit.
        circumstances: As the driver said, or a plain car's.
        is_said: Whether the driver said something of the vehicle, so that nothing of it is open.

    Raises:
        InvalidInputError: as `price`.
    """
    amount = price(table, arrives_at, leaves_at, circumstances).total
    possible, factors = [amount], set[PriceFactor]()
    for factor, other in _alternatives(table, arrives_at, leaves_at, circumstances, is_said):
        total = price(table, arrives_at, leaves_at, other).total
        if total != amount:
            possible.append(total)
            factors.add(factor)
    least = min(possible, key=lambda one: one.amount_minor)
    most = max(possible, key=lambda one: one.amount_minor)
    ordered = tuple(factor for factor in PriceFactor if factor in factors)
    return PlannedPrice(amount, least, most, ordered)


def _alternatives(
    table: RateTable,
    arrives_at: datetime,
    leaves_at: datetime,
    circumstances: Circumstances,
    is_said: bool,  # noqa: FBT001 - private, and named where it counts
) -> Iterator[tuple[PriceFactor, Circumstances]]:
    used = _allowances_used(table, arrives_at, leaves_at)
    if used:
        yield (
            PriceFactor.ALLOWANCE_USED,
            circumstances.model_copy(update={"allowances_used_s": used}),
        )
    if is_said:
        return
    asked = [part.eligibility for part in (*table.variants, *table.allowances)]
    for factor, vehicle in _other_vehicles(asked, circumstances.vehicle):
        yield factor, circumstances.model_copy(update={"vehicle": vehicle})
    if not circumstances.has_pass and any(one.pass_holder is not None for one in asked):
        yield PriceFactor.PASS, circumstances.model_copy(update={"has_pass": True})


def _other_vehicles(
    asked: list[RateEligibility], vehicle: Vehicle
) -> Iterator[tuple[PriceFactor, Vehicle]]:
    named = {name for one in asked for name in one.vehicle_classes or ()}
    for name in sorted(named - {vehicle.vehicle_class})[:CLASSES_TRIED_MAX]:
        yield PriceFactor.VEHICLE_CLASS, vehicle.model_copy(update={"vehicle_class": name})
    if any(one.ev is not None for one in asked):
        yield PriceFactor.EV, vehicle.model_copy(update={"is_ev": not vehicle.is_ev})
    if any(one.resident is not None for one in asked):
        other = not vehicle.is_resident
        yield PriceFactor.RESIDENT, vehicle.model_copy(update={"is_resident": other})


def _allowances_used(
    table: RateTable, arrives_at: datetime, leaves_at: datetime
) -> dict[str, dict[str, int]]:
    """Return the allowances as if earlier stays of these days had used them all."""
    days = list(_local_days(table, arrives_at, leaves_at))
    return {
        allowance.name: {day.isoformat(): allowance.minutes * _SECONDS for day in days}
        for allowance in table.allowances
        if allowance.per == "calendar_day"
    }


def _local_days(table: RateTable, arrives_at: datetime, leaves_at: datetime) -> Iterator[date]:
    day, last = arrives_at.astimezone(table.zone).date(), leaves_at.astimezone(table.zone).date()
    while day <= last:
        yield day
        day += timedelta(days=1)
