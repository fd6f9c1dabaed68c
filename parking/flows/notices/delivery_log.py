"""What became of messages, for the operator whose events they tell of."""

from collections.abc import Sequence
from uuid import UUID

from parking.drivers import deliveries
from parking.drivers.models import Delivery
from parking.flows.context import ParkingContext


async def of_stay(
    context: ParkingContext, operator_id: UUID, session_id: UUID
) -> Sequence[Delivery]:
    """Return what was sent about one of an operator's stays, the oldest first."""
    async with context.database.begin() as unit:
        return await deliveries.of_subject(unit, operator_id, session_id)
