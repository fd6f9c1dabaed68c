"""Where the operator's places are: set by hand, or by a file; read back as a file."""

from enum import StrEnum
from typing import Annotated, Final

import strawberry

from api.acting import Given, outcome_of
from api.global_ids import decode_keys
from api.idempotency import by_staff, keyed
from api.quotes import PLACE
from api.request import Info
from api.types.nearby import GeoPosition, GeoPositionInput, PlaceEntrance
from parking.flows.guidance import positions as flows
from parking.kit.errors import InvalidInputError
from parking.kit.geography import Position
from parking.places import position_file
from parking.places.position_file import PositionFileError
from parking.places.positions import (
    ADDRESS_LENGTH_MAX,
    ENTRANCES_MAX,
    Entrance,
    EntranceUse,
    Whereabouts,
)


@strawberry.enum(description="How a file is written.")
class PositionFormat(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSON = "json"


PROBLEMS_SHOWN_MAX: Final = 10
_WRITERS: Final = {
    PositionFormat.CSV: position_file.write_csv,
    PositionFormat.JSON: position_file.write_json,
}
_READERS: Final = {
    PositionFormat.CSV: position_file.read_csv,
    PositionFormat.JSON: position_file.read_json,
}


@strawberry.type(description="Where a place is, for drivers to find it.")
class StaffPosition:
    """Where a place is."""

    position: GeoPosition = strawberry.field(description="Where drivers are told that it is.")
    address: str = strawberry.field(description="As on an envelope; empty for none.")
    entrances: list[PlaceEntrance] = strawberry.field(description="The ways in; may be empty.")

    @classmethod
    def of(cls, where: Whereabouts) -> "StaffPosition":
        """Return where a place is, for its operator's staff."""
        return cls(
            position=GeoPosition.of(where.position),
            address=where.address,
            entrances=[PlaceEntrance.of(one) for one in where.entrances],
        )


@strawberry.type(description="The place is where it was said to be.")
class PlacePositionSet:
    """The place is where it was said to be."""

    place_id: strawberry.ID
    where: StaffPosition = strawberry.field(description="Where that is.")
    changed: bool = strawberry.field(description="False where it was there before.")


@strawberry.type(description="The places of the file are where it says.")
class PlacePositionsImported:
    """The places of the file are where it says."""

    places: int = strawberry.field(description="How many the file has.")
    changed: int = strawberry.field(description="How many were somewhere else, or nowhere.")


@strawberry.input
class PlaceEntranceInput:
    """A way into a place."""

    name: str = strawberry.field(description="What a driver finds written there.")
    position: GeoPositionInput = strawberry.field(description="Where it is.")
    use: EntranceUse = strawberry.field(
        default=EntranceUse.EVERYBODY, description="Who goes in there."
    )


@strawberry.input
class SetPlacePositionInput:
    """Where a place is; it replaces what was known."""

    place_id: strawberry.ID
    position: GeoPositionInput = strawberry.field(
        description="In WGS-84, as a satellite receiver says it; never of a Chinese map."
    )
    address: str = strawberry.field(
        default="", description=f"As on an envelope; at most {ADDRESS_LENGTH_MAX} characters."
    )
    entrances: list[PlaceEntranceInput] = strawberry.field(
        default_factory=list[PlaceEntranceInput],
        description=f"The ways in, the first for cars first; at most {ENTRANCES_MAX}.",
    )


@strawberry.input
class ImportPlacePositionsInput:
    """A file of positions."""

    content: str = strawberry.field(description="As `placePositions` writes it.")
    format: PositionFormat = strawberry.field(
        default=PositionFormat.CSV, description="How the file is written."
    )


@keyed(by_staff, at_once=True)
async def set_place_position(
    info: Info, given: Annotated[SetPlacePositionInput, Given]
) -> PlacePositionSet:
    """Say where a place is."""
    staff = info.context.staff()
    operator_id, place_id = decode_keys(given.place_id, kind=PLACE, count=2, field="placeId")
    if operator_id != staff.operator_id:
        raise InvalidInputError("placeId", "the id of a place of yours")
    where = Whereabouts(
        _position(given.position, "position"),
        given.address.strip(),
        tuple(
            Entrance(one.name.strip(), _position(one.position, f"entrances.{number}"), one.use)
            for number, one in enumerate(given.entrances)
        ),
    )
    changed = await flows.set_position(
        info.context.parking, operator_id, place_id, where, by=staff.recorded_name
    )
    return PlacePositionSet(place_id=given.place_id, where=StaffPosition.of(where), changed=changed)


@keyed(by_staff, at_once=True)
async def import_place_positions(
    info: Info, given: Annotated[ImportPlacePositionsInput, Given]
) -> PlacePositionsImported:
    """Record a file of positions, or nothing of it."""
    staff = info.context.staff()
    try:
        filed = _READERS[given.format](given.content)
    except PositionFileError as error:
        problems = "; ".join(error.problems[:PROBLEMS_SHOWN_MAX])
        raise InvalidInputError("content", f"a file without problems: {problems}") from error
    changed = await flows.record_filed(
        info.context.parking, staff.operator_id, filed, by=staff.recorded_name
    )
    return PlacePositionsImported(places=len(filed), changed=changed)


@strawberry.type
class PositionQueries:
    """The reads about where places are."""

    @strawberry.field(
        description="Where your places are, as a file that `importPlacePositions` reads; places "
        "without a position are not in it."
    )
    async def place_positions(
        self,
        info: Info,
        format: Annotated[  # noqa: A002 - the schema's name
            PositionFormat, strawberry.argument(description="How to write it.")
        ] = PositionFormat.CSV,
    ) -> str:
        """Return where the operator's places are, as a file."""
        staff = info.context.staff()
        filed = await flows.list_filed(info.context.parking, staff.operator_id, only=staff.places)
        return _WRITERS[format](filed)


@strawberry.type
class PositionMutations:
    """The writes about where places are."""

    set_place_position = strawberry.mutation(
        set_place_position,
        graphql_type=outcome_of(PlacePositionSet, "SetPlacePositionResult"),
        description="Say where a place is, so that drivers find it. Repeating it changes nothing.",
    )
    import_place_positions = strawberry.mutation(
        import_place_positions,
        graphql_type=outcome_of(PlacePositionsImported, "ImportPlacePositionsResult"),
        description="Record where many places are: every row of the file, or none. Places that "
        "are not in it stay where they are.",
    )


def _position(given: GeoPositionInput, field: str) -> Position:
    return Position.of(given.latitude, given.longitude, field=field)
