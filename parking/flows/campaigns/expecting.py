"""Who is expected where, for the habit clauses of a filter."""

from datetime import date, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.campaigns.filters import Filter, Habit, clauses
from parking.habits.repository import ExpectedVisit, expected_visits
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.places import repository as places

Expected = dict[Habit, list[UUID]]
DAYS_AHEAD_MAX: Final = 6
_PERCENT: Final = 100


async def expected_drivers(unit: UnitOfWork, operator_id: UUID, found: Filter) -> Expected:
    """Return the drivers of each habit clause of a filter, each on their place's day.

    Only drivers who let habits be learned; whether they agreed to offers is for the audience.
    """
    wanted = [clause for clause in clauses(found) if isinstance(clause, Habit)]
    if not wanted:
        return {}
    known = await places.find_places(unit, {(operator_id, clause.place_id) for clause in wanted})
    expected: Expected = {}
    # All places of an operator are told at once: clauses of the same day share it.
    by_day: dict[tuple[date, int], list[ExpectedVisit]] = {}
    least = min(clause.percent_min for clause in wanted) / _PERCENT
    for clause in wanted:
        place = known.get((operator_id, clause.place_id))
        if place is None:
            expected[clause] = []
            continue
        key = unit.now().astimezone(ZoneInfo(place.timezone)).date(), clause.days_ahead
        if key not in by_day:
            today, ahead = key
            by_day[key] = await expected_visits(
                unit,
                operator_id,
                today + timedelta(days=ahead),
                today=today,
                probability_min=least,
            )
        expected[clause] = [
            visit.driver_id
            for visit in by_day[key]
            if visit.place_id == clause.place_id
            and visit.probability >= clause.percent_min / _PERCENT
        ]
    return expected


def require_answerable(found: Filter) -> None:
    """Refuse a filter that asks what cannot be told.

    Raises:
        InvalidInputError: it asks who is expected on a day that is too far away.
    """
    for clause in clauses(found):
        if isinstance(clause, Habit) and clause.days_ahead > DAYS_AHEAD_MAX:
            raise InvalidInputError(
                "daysAhead", f"at most {DAYS_AHEAD_MAX}: no visit is told for later days"
            )
