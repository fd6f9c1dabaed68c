"""Who is expected where, for the habit clauses of a filter."""

from uuid import UUID

from parking.campaigns.filters import Filter, Habit, clauses
from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError

Expected = dict[Habit, list[UUID]]


async def expected_drivers(unit: UnitOfWork, operator_id: UUID, found: Filter) -> Expected:
    """Return the drivers of each habit clause of a filter."""
    _ = unit, operator_id
    return {clause: [] for clause in clauses(found) if isinstance(clause, Habit)}


def require_answerable(found: Filter) -> None:
    """Refuse a filter that asks what this version cannot answer.

    Raises:
        InvalidInputError: it asks who is expected.
    """
    if any(isinstance(clause, Habit) for clause in clauses(found)):
        raise InvalidInputError("filter", "no clause about habits: they are not told here yet")
