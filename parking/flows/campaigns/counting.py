"""How many drivers filters mean at this moment."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.campaigns.filter_sql import Compiled
from parking.campaigns.filters import AllOf, AtPlace, Filter
from parking.flows.campaigns.expecting import expected_drivers
from parking.kit.database import UnitOfWork

# Of fewer nothing is told, and nobody writes to fewer: that would be about people.
COUNTED_MIN: Final = 10


async def count_each(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID | None, filters: Sequence[Filter]
) -> list[int]:
    """Return the size of the audience, and of each filter in it, in one statement."""
    limit: list[Filter] = []
    if place_id is not None:
        limit.append(AtPlace(kind="place", place_ids=(place_id,)))
    compiled = Compiled(
        unit.now(), await expected_drivers(unit, operator_id, AllOf(kind="all", of=(*filters,)))
    )
    columns = [
        f"count(*) FILTER (WHERE {compiled.condition(found)}) AS c{number}"
        for number, found in enumerate(filters)
    ]
    where = " AND ".join(["true", *(compiled.condition(found) for found in limit)])
    sql = (
        f"SELECT count(*) AS audience, {', '.join(columns)}"  # noqa: S608 - our own text
        " FROM audience_members AS member JOIN driver_consents AS consent"
        " ON consent.driver_id = member.driver_id AND consent.kind = 'marketing'"
        " AND consent.withdrawn_at IS NULL"
        f" WHERE member.operator_id = :operator_id AND {where}"
    )
    row = (await unit.run(text(sql), {**compiled.values, "operator_id": operator_id})).one()
    return [int(count) for count in row]
