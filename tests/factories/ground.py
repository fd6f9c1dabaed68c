"""Places with positions, to be near to."""

from typing import Any
from uuid import UUID

from parking.kit.database import UnitOfWork
from parking.kit.geography import Position
from parking.places import positions
from parking.places import service as places
from parking.places.positions import Entrance, Whereabouts
from parking.tariffs import service as tariffs
from tests.factories.lane_world import RATE_TABLE, LaneWorld

BUND = Position.of(31.2400, 121.4900)


async def add_place(
    unit: UnitOfWork,
    operator_id: UUID,
    name: str,
    position: Position,
    *,
    supply: int = 10,
    rate_table: dict[str, Any] | None = None,
    entrances: tuple[Entrance, ...] = (),
) -> UUID:
    """Add a place with one area at a position."""
    table = RATE_TABLE if rate_table is None else rate_table
    place = places.add_place(
        unit, operator_id, name=name, timezone=table["timezone"], currency=table["currency"]
    )
    await unit.session.flush()
    places.add_area(unit, place, name="B1", supply=supply)
    await unit.session.flush()
    await tariffs.publish(unit, operator_id, place.id, currency=place.currency, body=table)
    where = Whereabouts(position, f"{name} Road 1", entrances)
    await positions.set_whereabouts(unit, operator_id, place.id, where, by="Lee")
    return place.id


async def add_row_of_places(world: LaneWorld, count: int, *, step: int = 1000) -> list[UUID]:
    """Add places north of the Bund, each `step` millionths of a degree after the last."""
    async with world.context.database.begin() as unit:
        return [
            await add_place(
                unit,
                world.entry.operator_id,
                f"Place {number}",
                Position(BUND.latitude_microdegrees + number * step, BUND.longitude_microdegrees),
            )
            for number in range(count)
        ]
