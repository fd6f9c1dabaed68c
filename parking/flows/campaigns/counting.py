"""How many drivers filters mean at this moment."""

import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from parking.campaigns.filter_sql import Compiled
from parking.campaigns.filters import AtPlace, Filter, clauses
from parking.flows.campaigns.expecting import expected_drivers
from parking.kit.database import UnitOfWork

# Of fewer nothing is told, and nobody writes to fewer: that would be about people.
COUNTED_MIN: Final = 10
COUNTED_STEP: Final = 10
# Exclusive or of hashes: in no order, and nobody can tell whose they are.
_COUNT: Final = "count(*){0}, coalesce(bit_xor(driver_hash){0}, 0)"


@dataclass(frozen=True, slots=True)
class Counted:
    """How many drivers something means.

    Attributes:
        fingerprint: The same for the same drivers, however they were asked for; another for others.
    """

    drivers: int
    fingerprint: int

    @property
    def told(self) -> int | None:
        """About how many, in tens; None for few.

        Rounding alone tells of one driver more where that passes a ten: what is added first is
        drawn from the drivers themselves, so that asking again, or in other words, tells no more.
        """
        seen = hashlib.sha256(f"{self.fingerprint} {self.drivers}".encode()).digest()
        added = int.from_bytes(seen) % COUNTED_STEP
        if self.drivers - added < COUNTED_MIN:
            return None
        return (self.drivers + added) // COUNTED_STEP * COUNTED_STEP


async def count_each(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID | None, found: Filter
) -> list[Counted]:
    """Return the size of the audience, of a filter in it, and of each of its clauses by itself."""
    expected = await expected_drivers(unit, operator_id, found)
    compiled = Compiled(unit.now(), expected, place_id=place_id)
    here = "true"
    if place_id is not None:
        here = compiled.condition(AtPlace(kind="place", place_ids=(place_id,)))
    # Each clause is looked at once for each driver, whatever it is counted for.
    parts = dict.fromkeys(clauses(found))
    columns: dict[Filter, str] = {part: f"clause_{number}" for number, part in enumerate(parts)}
    inner = ", ".join(f"{compiled.condition(part)} AS {columns[part]}" for part in parts)
    compiled.named.update(columns)
    wanted = [compiled.condition(found), *(columns[part] for part in clauses(found))]
    filters = ["", *(f" FILTER (WHERE {condition})" for condition in wanted)]
    outer = ", ".join(_COUNT.format(each) for each in filters)
    sql = (
        f"SELECT {outer} FROM (SELECT {inner},"  # noqa: S608 - our own text
        " uuid_hash_extended(member.driver_id, 0) AS driver_hash"
        " FROM audience_members AS member JOIN driver_consents AS consent"
        " ON consent.driver_id = member.driver_id AND consent.kind = 'marketing'"
        " AND consent.withdrawn_at IS NULL"
        f" WHERE member.operator_id = :operator_id AND {here} OFFSET 0) AS looked_at"
    )
    row = (await unit.run(text(sql), {**compiled.values, "operator_id": operator_id})).one()
    return [Counted(int(count), int(seen)) for count, seen in zip(row[::2], row[1::2], strict=True)]
