"""What a stay will cost: a quote for anybody, by the rate table in force at its entry."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.errors import InvalidInputError, ParkingError
from parking.places import service as places
from parking.tariffs import service as tariffs
from parking.tariffs.explain.explainer import Explanation, explain
from parking.tariffs.first_steps import first_steps
from parking.tariffs.models import RateTableVersion
from parking.tariffs.rules import Circumstances, PricedStay, PriceStep, RateTable, price

QUOTE_MINUTES: Final = 15
QUOTED_DAYS_MAX: Final = 31
ENTRY_DAYS_AWAY_MAX: Final = 366
CURVE_STEPS_MAX: Final = 300
TOLD_MAX: Final = 512
# A version never changes, nor does what it says.
_told: dict[tuple[UUID, UUID, str, date], Explanation] = {}


@dataclass(frozen=True, slots=True)
class Quote:
    """What a stay costs, by the version that is known now.

    Attributes:
        curve: From the entry on: a step wherever the price changes.
        curve_ends_at: Up to where the curve goes: the exit, or the last of CURVE_STEPS_MAX steps.
        expires_at: Ask again then: another version may have been published.
    """

    version: RateTableVersion
    priced: PricedStay
    curve: tuple[PriceStep, ...]
    curve_ends_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ToldTariff:
    """A place's tariff in words, and the version that it tells."""

    version: RateTableVersion
    table: RateTable
    explanation: Explanation


async def quote(
    context: ParkingContext,
    operator_id: UUID,
    place_id: UUID,
    *,
    entered_at: datetime,
    left_at: datetime,
    circumstances: Circumstances,
) -> Quote:
    """Return what a stay at the place costs.

    Raises:
        PlaceUnknownError: there is no such place.
        RateTableMissingError: it has no rate table at that time.
        InvalidInputError: a time is naive, out of range, or the exit comes before the entry.
    """
    now = context.clock.now()
    _require_range(now, entered_at, left_at)
    async with context.database.begin() as unit:
        await places.require_place(unit, operator_id, place_id)
        version = await tariffs.in_force(unit, operator_id, place_id, entered_at)
        table = await tariffs.load(unit, operator_id, version.id)
    # A long stay or steps by the second take a while; nobody else's request waits for them.
    priced = await asyncio.to_thread(price, table, entered_at, left_at, circumstances)
    curve = await asyncio.to_thread(
        first_steps, table, entered_at, left_at, circumstances, steps_max=CURVE_STEPS_MAX
    )
    is_whole = len(curve) < CURVE_STEPS_MAX
    return Quote(
        version=version,
        priced=priced,
        curve=curve,
        curve_ends_at=left_at if is_whole else curve[-1].at,
        expires_at=now + timedelta(minutes=QUOTE_MINUTES),
    )


async def tell_tariffs(
    context: ParkingContext, asked: Collection[tuple[UUID, UUID, str]]
) -> dict[tuple[UUID, UUID, str], ToldTariff | ParkingError]:
    """Return the tariffs that apply to stays that begin now, in words; one statement for all.

    Args:
        context: The domain's surroundings.
        asked: Operator, place and locale. Why one of them has none stands in its place: no rate
            table, or no such language.
    """
    now = context.clock.now()
    places = {(operator_id, place_id) for operator_id, place_id, _ in asked}
    async with context.database.begin() as unit:
        found = await tariffs.all_in_force(unit, places, now)
    told: dict[tuple[UUID, UUID, str], ToldTariff | ParkingError] = {}
    for each in asked:
        operator_id, place_id, locale = each
        try:
            version, table = tariffs.required_of(found, operator_id, place_id)
            told[each] = ToldTariff(version, table, _explained(version, table, now, locale))
        except ParkingError as error:
            told[each] = error
    return told


def _explained(
    version: RateTableVersion, table: RateTable, now: datetime, locale: str
) -> Explanation:
    """Return a version in words; a page of a hundred stays asks for the same ones."""
    # The examples are of a week from today on, so that words last for a day.
    key = (version.operator_id, version.id, locale, now.astimezone(table.zone).date())
    explanation = _told.get(key)
    if explanation is None:
        explanation = explain(table, now, locale=locale)
        if len(_told) >= TOLD_MAX:
            _told.pop(next(iter(_told)))
        _told[key] = explanation
    return explanation


def _require_range(now: datetime, entered_at: datetime, left_at: datetime) -> None:
    for name, moment in (("entered_at", entered_at), ("left_at", left_at)):
        if moment.utcoffset() is None:
            raise InvalidInputError(name, "a time with a UTC offset")
    if abs(entered_at - now) > timedelta(days=ENTRY_DAYS_AWAY_MAX):
        raise InvalidInputError("entered_at", f"at most {ENTRY_DAYS_AWAY_MAX} days from now")
    if left_at < entered_at:
        raise InvalidInputError("left_at", "a time not before enteredAt")
    if left_at - entered_at > timedelta(days=QUOTED_DAYS_MAX):
        raise InvalidInputError("left_at", f"a stay of at most {QUOTED_DAYS_MAX} days")
