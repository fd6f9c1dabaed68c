"""Whether those who watch for long may still do so."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.one_statement import OneStatement
from parking.kit.tokens import DriverIdentity

READ_AT_ONCE_MAX: Final = 1000
# As `parking.drivers.sign_in_check.stands` has it, for many.
_STANDING: Final = OneStatement("""
    SELECT sign_ins.id FROM sign_ins JOIN drivers ON drivers.id = sign_ins.driver_id
    WHERE (sign_ins.driver_id, sign_ins.id) IN (
            SELECT * FROM unnest(CAST(:driver_ids AS uuid[]), CAST(:sign_in_ids AS uuid[]))
        )
        AND sign_ins.revoked_at IS NULL AND sign_ins.expires_at > :now
        AND drivers.closed_at IS NULL
""")


async def find_standing(
    context: ParkingContext, identities: Collection[DriverIdentity]
) -> frozenset[UUID]:
    """Return those sign-ins that have not ended.

    Raises:
        DatabaseUnavailableError: PostgreSQL does not answer.
    """
    asked = list(identities)
    standing: set[UUID] = set()
    for start in range(0, len(asked), READ_AT_ONCE_MAX):
        some = asked[start : start + READ_AT_ONCE_MAX]
        values = {
            "driver_ids": [identity.driver_id for identity in some],
            "sign_in_ids": [identity.sign_in_id for identity in some],
            "now": context.clock.now(),
        }
        rows = await context.database.read_quickly(_STANDING, values)
        standing.update(row["id"] for row in rows)
    return frozenset(standing)
