"""Where places are: set by staff, read by whoever is near."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from unicodedata import category
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from parking.kit.database import UnitOfWork
from parking.kit.errors import InvalidInputError
from parking.kit.geography import Position, distance_m
from parking.places.models import PlacePosition
from parking.places.service import NAME_LENGTH_MAX, require_place

ENTRANCES_MAX: Final = 12
ADDRESS_LENGTH_MAX: Final = 200
POSITIONS_READ_MAX: Final = 1000
# An entrance further away is of another place, or a slip of the pen.
ENTRANCE_AWAY_M_MAX: Final = 2000
# Control characters, and halves of characters, which no database stores.
_UNWRITABLE: Final = frozenset({"Cc", "Cs"})


class EntranceUse(StrEnum):
    """Who goes in there."""

    VEHICLES = "vehicles"
    PEDESTRIANS = "pedestrians"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class Entrance:
    """A way into a place."""

    name: str
    position: Position
    use: EntranceUse

    def to_json(self) -> dict[str, Any]:
        """Return the entrance as it is stored."""
        return {"name": self.name, "use": self.use.value, **self.position.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Entrance":
        """Return what `to_json` gave."""
        position = Position(data["latitude_microdegrees"], data["longitude_microdegrees"])
        return cls(data["name"], position, EntranceUse(data["use"]))


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a place is.

    Attributes:
        address: As on an envelope; empty for none.
    """

    position: Position
    address: str = ""
    entrances: tuple[Entrance, ...] = ()

    @property
    def for_vehicles(self) -> Position:
        """Return where a navigation app should lead to: the first entrance for vehicles."""
        return self._first({EntranceUse.VEHICLES, EntranceUse.EVERYBODY})

    def on_foot(self, goal: Position) -> Position:
        """Return where one walks from to a goal: the nearest entrance that people use."""
        used = [one.position for one in self.entrances if one.use is not EntranceUse.VEHICLES]
        return min(used, key=lambda one: distance_m(one, goal), default=self.position)

    def _first(self, uses: Collection[EntranceUse]) -> Position:
        return next((one.position for one in self.entrances if one.use in uses), self.position)


async def set_whereabouts(
    unit: UnitOfWork, operator_id: UUID, place_id: UUID, given: Whereabouts, *, by: str
) -> bool:
    """Say where a place is; returns whether that is something else than was known.

    Raises:
        PlaceUnknownError: the operator has no such place.
        InvalidInputError: a text is too long, or an entrance too far away.
    """
    await require_place(unit, operator_id, place_id)
    require_whereabouts(given)
    if (await find_whereabouts(unit, [(operator_id, place_id)])).get(
        (operator_id, place_id)
    ) == given:
        return False
    values = {
        "latitude_microdegrees": given.position.latitude_microdegrees,
        "longitude_microdegrees": given.position.longitude_microdegrees,
        "address": given.address,
        "entrances": [entrance.to_json() for entrance in given.entrances],
        "set_at": unit.now(),
        "set_by": by,
    }
    keys = {"operator_id": operator_id, "place_id": place_id}
    statement = insert(PlacePosition).values(keys | values)
    await unit.run(
        statement.on_conflict_do_update(index_elements=["operator_id", "place_id"], set_=values)
    )
    return True


def require_whereabouts(given: Whereabouts) -> None:
    """Let what staff wrote pass.

    Raises:
        InvalidInputError: a text is too long, or none to read, or an entrance too far away.
    """
    # An address may have lines, as on an envelope.
    if len(given.address) > ADDRESS_LENGTH_MAX or _is_unwritable(given.address.replace("\n", "")):
        raise InvalidInputError("address", f"at most {ADDRESS_LENGTH_MAX} characters to read")
    if len(given.entrances) > ENTRANCES_MAX:
        raise InvalidInputError("entrances", f"at most {ENTRANCES_MAX} of them")
    for number, entrance in enumerate(given.entrances):
        if not 0 < len(entrance.name) <= NAME_LENGTH_MAX or _is_unwritable(entrance.name):
            raise InvalidInputError(
                f"entrances.{number}.name", f"1 to {NAME_LENGTH_MAX} characters to read"
            )
        if distance_m(entrance.position, given.position) > ENTRANCE_AWAY_M_MAX:
            raise InvalidInputError(
                f"entrances.{number}.position", f"at most {ENTRANCE_AWAY_M_MAX} m from the place"
            )


def _is_unwritable(text: str) -> bool:
    return any(category(letter) in _UNWRITABLE for letter in text)


async def find_whereabouts(
    unit: UnitOfWork, keys: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], Whereabouts]:
    """Return where many places are, by (operator, place); one statement however many."""
    statement = (
        select(PlacePosition)
        .where(col(PlacePosition.operator_id).in_({operator_id for operator_id, _ in keys}))
        .where(col(PlacePosition.place_id).in_({place_id for _, place_id in keys}))
    )
    rows = await unit.session.exec(statement)
    return {(row.operator_id, row.place_id): whereabouts_of(row) for row in rows}


async def list_positions(unit: UnitOfWork, operator_id: UUID) -> Sequence[PlacePosition]:
    """Return where an operator's places are, oldest place first."""
    statement = (
        select(PlacePosition)
        .where(col(PlacePosition.operator_id) == operator_id)
        .order_by(col(PlacePosition.place_id))
        .limit(POSITIONS_READ_MAX)
    )
    return (await unit.session.exec(statement)).all()


def whereabouts_of(row: PlacePosition) -> Whereabouts:
    """Return what a row says."""
    return Whereabouts(
        Position(row.latitude_microdegrees, row.longitude_microdegrees),
        row.address,
        tuple(Entrance.from_json(one) for one in row.entrances),
    )
