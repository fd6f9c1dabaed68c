"""The cars that wait at an operator's exits, as its staff see them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.flows.lane_types import Action
from parking.lanes import repository as lanes
from parking.lanes.models import ExitOverride
from parking.places import repository as places
from parking.places.models import Direction


@dataclass(frozen=True, slots=True)
class StandingCar:
    """A car that an exit keeps in.

    Attributes:
        reason: Why, in a stable word such as `payment_due`.
    """

    lane_id: UUID
    lane_name: str
    session_id: UUID | None
    action: str
    reason: str
    occupied_at: datetime


async def list_waiting(
    context: ParkingContext, operator_id: UUID, *, only: Collection[UUID] | None = None
) -> list[StandingCar]:
    """Return the newest car of each exit that does not open for it, those that came first first.

    With `only`, at these places alone.
    """
    async with context.database.begin() as unit:
        found: list[StandingCar] = []
        seen: set[UUID] = set()
        for car in await lanes.list_standing(unit, operator_id, only):
            if car.lane_id in seen:
                continue
            seen.add(car.lane_id)
            lane = await places.find_lane(unit, operator_id, car.lane_id)
            if lane is None or lane.direction != Direction.EXIT or car.action == Action.OPEN:
                continue
            found.append(
                StandingCar(
                    lane.id,
                    lane.name,
                    car.session_id,
                    car.action or Action.WAIT,
                    car.reason or "",
                    car.occupied_at,
                )
            )
    return sorted(found, key=lambda car: car.occupied_at)


async def list_overrides(
    context: ParkingContext, operator_id: UUID, *, only: Collection[UUID] | None = None
) -> list[ExitOverride]:
    """Return who was let out by whom, at these places only, the newest first."""
    async with context.database.begin() as unit:
        return await lanes.list_overrides(unit, operator_id, only)
