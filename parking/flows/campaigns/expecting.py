"""Who is expected where, for the habit clauses of a filter."""

from uuid import UUID

from parking.campaigns.filters import Filter, Habit, clauses
from parking.kit.database import UnitOfWork


async def expected_drivers(
    unit: UnitOfWork, operator_id: UUID, found: Filter
) -> dict[Habit, list[UUID]]:
    """Return the drivers of each habit clause of a filter."""
    _ = unit, operator_id
    return {clause: [] for clause in clauses(found) if isinstance(clause, Habit)}
