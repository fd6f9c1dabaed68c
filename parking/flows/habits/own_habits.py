"""What a driver is told of their own habits, and forgetting them."""

from dataclasses import dataclass
from uuid import UUID

from parking.drivers import consents
from parking.drivers.consent_models import ConsentKind
from parking.drivers.models import Driver
from parking.flows.context import ParkingContext
from parking.flows.place_view import PlaceView
from parking.habits import repository
from parking.habits.models import Habit
from parking.habits.telling import UsualDay, in_words, usual_days
from parking.places import repository as places


@dataclass(frozen=True, slots=True)
class HabitView:
    """What is thought of a driver's habits at one place.

    Attributes:
        summary: In the language of their messages.
    """

    row: Habit
    place: PlaceView
    days: list[UsualDay]
    summary: str


async def of_driver(context: ParkingContext, driver_id: UUID) -> list[HabitView]:
    """Return what is thought of a driver's habits; nothing without their consent."""
    async with context.database.begin() as unit:
        rows = await repository.of_driver(unit, driver_id)
        if not rows or not await consents.consented(unit, [driver_id], ConsentKind.HABITS):
            return []
        found = await places.find_places(unit, {(row.operator_id, row.place_id) for row in rows})
        driver = await unit.session.get(Driver, driver_id)
        locale = "en" if driver is None else driver.locale
        seen = zip(rows, usual_days(rows, unit.now().date()), strict=True)
        return [
            HabitView(
                row,
                PlaceView(place.operator_id, place.id, place.name, place.timezone, place.currency),
                days,
                in_words(days, row.visits, locale),
            )
            for row, days in seen
            if (place := found.get((row.operator_id, row.place_id))) is not None
        ]


async def forget(context: ParkingContext, driver_id: UUID) -> int:
    """Forget a driver's habits, and learn nothing from before again; returns at how many places.

    The consent stands: what comes later is learned.

    Raises:
        TokenRefusedError: there is no such account any more.
    """
    async with context.database.begin() as unit:
        # A job that learns holds the consent until its commit: what it wrote is deleted too.
        await consents.halt(unit, driver_id, ConsentKind.HABITS)
        return await repository.forget(unit, driver_id)
