"""Who is left out so that effects can be told: drawn by a hash, the same whenever it is asked."""

import hashlib
from typing import Final
from uuid import UUID

from parking.campaigns.models import Arm

PERMILLE: Final = 1000
_BYTES: Final = 4
# The same in the database, for a salt and the driver of a row.
DRAW_SQL: Final = (
    "(('x' || encode(substr(sha256(uuid_send({salt}) || uuid_send({driver})), 1, 4), 'hex'))"
    "::bit(32)::bigint % 1000)"
)


def draw(salt: UUID, driver_id: UUID) -> int:
    """Return the driver's number from 0 to 999 under a salt; other salts give unrelated ones."""
    digest = hashlib.sha256(salt.bytes + driver_id.bytes).digest()
    return int.from_bytes(digest[:_BYTES]) % PERMILLE


def arm_of(
    driver_id: UUID,
    *,
    control_salt: UUID,
    control_permille: int,
    salt: UUID,
    holdout_permille: int,
) -> Arm:
    """Return where a driver of a campaign's audience belongs.

    The control group of all campaigns is drawn first, so that it is the same for each of them.
    """
    if draw(control_salt, driver_id) < control_permille:
        return Arm.CONTROL
    return Arm.HELD_OUT if draw(salt, driver_id) < holdout_permille else Arm.ASSIGNED
