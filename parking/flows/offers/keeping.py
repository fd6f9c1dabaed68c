"""What the gates keep for reservations, outside of a car's own transaction."""

from uuid import UUID

from parking.flows import occupancy
from parking.kit.database import UnitOfWork
from parking.occupancy import repository as spaces
from parking.offers import counting
from parking.offers.counting import Shift
from parking.offers.errors import NoSpaceLeftError
from parking.offers.models import Reservation


async def keep(
    unit: UnitOfWork, operator_id: UUID, area_id: UUID, kept: int, *, needs_room: bool = False
) -> None:
    """Keep more of an area's public spaces, or fewer, and let its sign follow.

    Raises:
        NoSpaceLeftError: it `needs_room`, and cars stand on them.
    """
    if not kept:
        return
    area = await spaces.keep(unit, operator_id, area_id, kept=kept)
    if needs_room and area.occupied + area.kept > area.spaces:
        raise NoSpaceLeftError("pool: cars stand on its spaces")
    if area.counted.has_changed:
        await occupancy.tell_sign(unit, operator_id, area_id)


async def shift(
    unit: UnitOfWork, row: Reservation, change: Shift, *, needs_room: bool = False
) -> None:
    """Change the counts of a reservation's pool and what the gates keep for it; errors as `keep`.

    Its area's row stays locked until the commit: nothing but that should follow.
    """
    kept = await counting.shift(unit, row.operator_id, row.pool_id, change)
    await keep(unit, row.operator_id, row.area_id, kept, needs_room=needs_room)
