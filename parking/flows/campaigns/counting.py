"""How many drivers filters mean at this moment."""

from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.campaigns.filter_sql import Compiled
from parking.campaigns.filters import AtPlace, Filter, clauses
from parking.flows.campaigns.expecting import expected_drivers
from parking.kit.database import UnitOfWork

# Of fewer nothing is told, and nobody writes to fewer: that would be about people.
COUNTED_MIN: Final = 10


async def count_each(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID | None, found: Filter
) -> list[int]:
    """Return the size of the audience, of a filter in it, and of each of its clauses by itself."""
    compiled = Compiled(unit.now(), await expected_drivers(unit, operator_id, found))
    here = "true"
    if place_id is not None:
        here = compiled.condition(AtPlace(kind="place", place_ids=(place_id,)))
    # Each clause is looked at once for each driver, whatever it is counted for.
    parts = dict.fromkeys(clauses(found))
    columns: dict[Filter, str] = {part: f"clause_{number}" for number, part in enumerate(parts)}
    inner = ", ".join(f"{compiled.condition(part)} AS {columns[part]}" for part in parts)
    compiled.named.update(columns)
    wanted = [compiled.condition(found), *(columns[part] for part in clauses(found))]
    outer = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in wanted)
    sql = (
        f"SELECT count(*), {outer} FROM (SELECT {inner}"  # noqa: S608 - our own text
        " FROM audience_members AS member JOIN driver_consents AS consent"
        " ON consent.driver_id = member.driver_id AND consent.kind = 'marketing'"
        " AND consent.withdrawn_at IS NULL"
        f" WHERE member.operator_id = :operator_id AND {here} OFFSET 0) AS looked_at"
    )
    row = (await unit.run(text(sql), {**compiled.values, "operator_id": operator_id})).one()
    return [int(count) for count in row]
