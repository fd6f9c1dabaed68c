"""What staff say of where their places are: one place, or a file of many."""

from collections.abc import Collection, Sequence
from uuid import UUID

from parking.flows.context import ParkingContext
from parking.kit.errors import InvalidInputError
from parking.places import positions, repository
from parking.places.errors import PlaceUnknownError
from parking.places.position_file import FiledPlace
from parking.places.positions import Whereabouts


async def set_position(
    context: ParkingContext, operator_id: UUID, place_id: UUID, where: Whereabouts, *, by: str
) -> bool:
    """Say where a place is; returns whether that is something else than was known.

    Raises:
        PlaceUnknownError: the operator has no such place.
        InvalidInputError: a text is too long, or an entrance too far away.
    """
    async with context.database.begin() as unit:
        return await positions.set_whereabouts(unit, operator_id, place_id, where, by=by)


async def list_filed(
    context: ParkingContext, operator_id: UUID, *, only: Collection[UUID] | None = None
) -> list[FiledPlace]:
    """Return those of an operator's places that have a position, oldest first."""
    async with context.database.begin() as unit:
        places = await repository.list_places(unit, operator_id)
        rows = {row.place_id: row for row in await positions.list_positions(unit, operator_id)}
    return [
        FiledPlace(place.id, place.name, positions.whereabouts_of(rows[place.id]))
        for place in places
        if place.id in rows and (only is None or place.id in only)
    ]


async def record_filed(
    context: ParkingContext, operator_id: UUID, filed: Sequence[FiledPlace], *, by: str
) -> int:
    """Record where places are, all or none; returns how many are somewhere else than was known.

    Places that are not among them stay where they are. The same file again changes nothing.

    Raises:
        InvalidInputError: one of them is no place of the operator's.
    """
    changed = 0
    async with context.database.begin() as unit:
        for place in filed:
            try:
                changed += await positions.set_whereabouts(
                    unit, operator_id, place.place_id, place.whereabouts, by=by
                )
            except PlaceUnknownError as error:
                named = f"{place.place_id}, the id of a place of yours"
                raise InvalidInputError("place_id", f"instead of {named}") from error
    return changed
