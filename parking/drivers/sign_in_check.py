"""Whether a sign-in still stands: asked with every request, so that signing out is at once."""

from typing import Final

from parking.kit.database import Database
from parking.kit.one_statement import OneStatement
from parking.kit.tokens import DriverIdentity

_STANDS: Final = OneStatement("""
    SELECT 1 FROM sign_ins JOIN drivers ON drivers.id = sign_ins.driver_id
    WHERE sign_ins.driver_id = :driver_id AND sign_ins.id = :sign_in_id
        AND sign_ins.revoked_at IS NULL AND sign_ins.expires_at > :now
        AND drivers.closed_at IS NULL
""")


async def stands(database: Database, identity: DriverIdentity) -> bool:
    """Return whether it has neither ended nor expired, and the account is open.

    Raises:
        DatabaseUnavailableError: PostgreSQL does not answer.
    """
    values = {
        "driver_id": identity.driver_id,
        "sign_in_id": identity.sign_in_id,
        "now": database.clock.now(),
    }
    return bool(await database.read_quickly(_STANDS, values))
